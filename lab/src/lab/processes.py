"""The lab's processes on this machine, found by their arguments.

No pid file: a killed `lab up` may have started a process and not yet have written its number. A process is the lab's
when it runs from the lab's environment, of this checkout or another, and has an argument below this lab's state folder.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TERM_S, KILL_S = 5.0, 10.0


@dataclass(frozen=True)
class Process:
    """A running process.

    Attributes
    ----------
    ticks : when it started, in clock ticks since boot; with the pid this names one process for good
    """

    pid: int
    ticks: str
    argv: tuple[str, ...]

    def alive(self) -> bool:
        return start_ticks(self.pid) == self.ticks

    def rss_mib(self) -> float:
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
        except OSError:
            return 0.0


def start_ticks(pid: int) -> str | None:
    """When a process started; None when there is none, or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def arguments(cmdline: bytes) -> tuple[str, ...]:
    """The arguments in a /proc/<pid>/cmdline.

    A library that some services import (setproctitle) writes them anew as one, with spaces between.
    """
    parts = cmdline.rstrip(b"\0").decode(errors="replace").split("\0")
    return tuple(parts[0].split(" ") if len(parts) == 1 else parts)


def belongs(argv: Iterable[str], state: Path, environment: Path) -> bool:
    """Whether a command line is one of the lab's: its program from the environment, an argument below the state.

    The state belongs to the user, not to a checkout: a lab that was started from another one is the same lab.
    """
    words = list(argv)
    # the program may come after `setpriv --pdeathsig=KILL`, or an interpreter
    program = any(f"/{environment.name}/" in word for word in words[:4])
    return program and any(word.startswith(f"{state}/") for word in words)


def of(state: Path, environment: Path | None = None) -> list[Process]:
    """The processes of the lab with this state folder, this one and its parents left out."""
    result = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        pid = int(entry.parent.name)
        try:
            argv = arguments(entry.read_bytes())
        except OSError:
            continue
        ticks = start_ticks(pid)
        if ticks and pid != os.getpid() and belongs(argv, state, environment or Path(sys.prefix)):
            result.append(Process(pid, ticks, argv))
    return result


def end(targets: Iterable[Process]) -> None:
    """End processes: asked first, then forced.

    Raises
    ------
    TimeoutError
        when one still lives after that
    """
    left = list(targets)
    for number, patience in ((signal.SIGTERM, TERM_S), (signal.SIGKILL, KILL_S)):
        for process in left:
            if process.alive():
                try:
                    os.kill(process.pid, number)
                except ProcessLookupError:
                    continue
        deadline = time.monotonic() + patience
        while left := [process for process in left if process.alive()]:
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        if not left:
            return
    raise TimeoutError(f"still alive after SIGKILL: {', '.join(str(process.pid) for process in left)}")
