"""How a Job's result comes back: as marked lines of its log, which outlive the pod's processes."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from ..errors import BenchError, Exit
from ..report.model import Measurement

MARK = "BENCH-RESULT"
LINE_CHARACTERS = 4000


class Failure(BaseModel):
    """A BenchError on its way."""

    model_config = ConfigDict(frozen=True)

    what: str
    why: str
    next_step: str
    status: int

    @classmethod
    def of(cls, error: BenchError) -> Failure:
        """Pack it."""
        return cls(what=error.what, why=error.why, next_step=error.next_step, status=error.status)

    def error(self) -> BenchError:
        """Unpack it."""
        return BenchError(self.what, self.why, self.next_step, Exit(self.status))


class Envelope(BaseModel):
    """Either a measurement or the reason why there is none."""

    model_config = ConfigDict(frozen=True)

    measurement: Measurement | None = None
    failure: Failure | None = None


def to_lines(envelope: Envelope) -> list[str]:
    """Lines for the log: number, count, checksum of the whole, a piece of it."""
    packed = base64.b64encode(zlib.compress(envelope.model_dump_json().encode(), 9)).decode()
    digest = hashlib.sha256(packed.encode()).hexdigest()[:16]
    pieces = [packed[i : i + LINE_CHARACTERS] for i in range(0, len(packed), LINE_CHARACTERS)]
    return [f"{MARK} {number} {len(pieces)} {digest} {piece}" for number, piece in enumerate(pieces, 1)]


def from_lines(lines: Iterable[str]) -> Envelope | None:
    """The envelope in a log; None where there is none or not all of it."""
    pieces: dict[int, str] = {}
    count, digest = 0, ""
    for line in lines:
        parts = line.split(" ")
        if parts[0] == MARK and len(parts) == 5:
            pieces[int(parts[1])] = parts[4]
            count, digest = int(parts[2]), parts[3]
    packed = "".join(pieces[number] for number in sorted(pieces))
    if not count or len(pieces) != count or hashlib.sha256(packed.encode()).hexdigest()[:16] != digest:
        return None
    return Envelope.model_validate_json(zlib.decompress(base64.b64decode(packed)))
