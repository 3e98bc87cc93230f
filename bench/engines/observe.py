"""Processor, memory, reading and writing of the processes of a pass, over time.

Each process that is watched starts one other, small one that looks at it (`sampler.py`), once, and asks it for the time
of a pass afterwards.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

from .failures import answers
from .model import Pass, Samples

EVERY_S = 0.2
# Kept of all processes of a pass together: a picture shows no more, and results travel through a log.
MAX_SAMPLES = 4000
# Of each process, however many there are.
MIN_EACH = 20
STARTS_WITHIN_S = 10.0


@dataclass(frozen=True)
class Reading:
    """A line of the sampler: totals of a process since its start."""

    at: float
    cpu_s: float
    memory_bytes: int
    read_bytes: int
    written_bytes: int
    waits: bool

    @classmethod
    def of(cls, line: str) -> Reading:
        """Read a line."""
        at, cpu, memory, read, written, waits = line.split()
        return cls(float(at), float(cpu), int(memory), int(read), int(written), waits == "1")


class Watch:
    """The sampler of the calling process."""

    def __init__(self) -> None:
        self._lines: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the process)
        program = str(Path(__file__).parent / "sampler.py")
        self._sampler = subprocess.Popen(
            [sys.executable, program, str(os.getpid()), str(EVERY_S)],
            stdin=subprocess.PIPE,
            stdout=self._lines,
            stderr=subprocess.DEVNULL,
        )
        # What it costs to start must not fall into a pass.
        patience = time.monotonic() + STARTS_WITHIN_S
        while not self.readings() and self.alive and time.monotonic() < patience:
            time.sleep(0.01)

    @property
    def alive(self) -> bool:
        """Whether the sampler still runs."""
        return self._sampler.poll() is None

    def readings(self) -> list[Reading]:
        """All lines so far."""
        size = os.fstat(self._lines.fileno()).st_size
        text = os.pread(self._lines.fileno(), size, 0).decode()
        return [Reading.of(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def close(self) -> None:
        """End the sampler."""
        if self._sampler.stdin:
            self._sampler.stdin.close()
        self._sampler.wait()
        self._lines.close()


_watches: dict[int, Watch] = {}


def watch_here() -> None:
    """Have the calling process watched from now on; sent to every worker before each pass."""
    # By number: a process that was forked has inherited the watch of another.
    if os.getpid() not in _watches:
        # On a full disk there are no samples; that the disk is full is told by who has to write there.
        with suppress(OSError):
            _watches[os.getpid()] = Watch()


def readings_here(start: float, stop: float) -> list[Reading]:
    """Readings of the calling process in a span of time, and those next to it; sent to every worker after a pass."""
    watch = _watches.get(os.getpid())
    if watch is None:
        return []
    # The reading that reaches over the end is still to come.
    patience = time.monotonic() + 3 * EVERY_S
    while (every := watch.readings())[-1:] and every[-1].at <= stop and watch.alive and time.monotonic() < patience:
        time.sleep(EVERY_S / 10)
    before = [each for each in every if each.at < start][-1:]
    after = [each for each in every if each.at > stop][:1]
    return [*before, *(each for each in every if start <= each.at <= stop), *after]


def samples(name: str, readings: Sequence[Reading], start: float, most: int) -> Samples:
    """Rates between readings, at most so many: neighbours are taken together.

    Parameters
    ----------
    start : float
        When the pass was triggered, in seconds since the epoch.
    """
    step = max(1, -(-(len(readings) - 1) // most))
    kept = [*readings[:-1:step], *readings[-1:]]
    pairs = [(a, b, max(b.at - a.at, 1e-3)) for a, b in pairwise(kept)]
    return Samples(
        name=name,
        at_s=tuple(round(b.at - start, 3) for _, b, _ in pairs),
        cpu=tuple(round((b.cpu_s - a.cpu_s) / s, 3) for a, b, s in pairs),
        memory_bytes=tuple(b.memory_bytes for _, b, _ in pairs),
        read_bytes_per_s=tuple(round((b.read_bytes - a.read_bytes) / s) for a, b, s in pairs),
        written_bytes_per_s=tuple(round((b.written_bytes - a.written_bytes) / s) for a, b, s in pairs),
        waits=tuple(b.waits for _, b, _ in pairs),
    )


def share_of(processes: int) -> int:
    """How many samples are kept of each process."""
    return max(MIN_EACH, MAX_SAMPLES // max(1, processes))


def samples_of_workers(client: Any, names: Mapping[str, str], start: float, stop: float) -> tuple[Samples, ...]:
    """Samples of all workers in a pass, in the order of their addresses; `names` are theirs by address."""
    found: dict[str, list[Reading]] = answers(client, readings_here, start, stop)
    return tuple(
        samples(names[address], found[address], start, share_of(len(names)))
        for address in sorted(names)
        if len(found.get(address, ())) > 1
    )


def watched(run: Callable[[], Pass], name: str) -> Pass:
    """A pass in the calling process, with its samples."""
    watch_here()
    measured = run()
    stop = time.time()
    start = stop - measured.overall_s
    readings = readings_here(start, stop)
    return replace(measured, samples=(samples(name, readings, start, share_of(1)),) if len(readings) > 1 else ())
