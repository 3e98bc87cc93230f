"""Files: checksums, and writing so that a final name never holds half a file."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

BLOCK_BYTES = 1 << 20


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def replacing(final: Path, suffix: str = "", mode: int = 0o644) -> Generator[Path]:
    """A temporary path beside `final` that takes its name when the block ends without an exception.

    Readers see the old file or the whole new one. Two processes that do the same work at once do not disturb each
    other: each has a temporary name of its own. Until the end it is its owner's alone; then it gets `mode`.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{final.name}.", suffix=suffix, dir=final.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(mode)
        temporary.replace(final)
    finally:
        temporary.unlink(missing_ok=True)
