"""Other programs, run with their output kept and their last line shown."""

from __future__ import annotations

import os
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lab.console import step
from lab.errors import LabError

TAIL_LINES = 25


class CommandFailed(LabError):
    """A program ended with another exit status than 0, or could not be started."""

    def __init__(self, argv: Sequence[str], status: int, lines: Sequence[str], fix: str) -> None:
        tail = "".join(f"\n    {line}" for line in lines)
        super().__init__(f"`{' '.join(argv)}` ended with status {status}" + (f":{tail}" if tail else ""), fix)
        self.status = status
        self.lines = list(lines)


def search_path() -> str:
    """This process's search path with the folders of an administrator's programs, which `su` leaves out."""
    return os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


def run(
    argv: Sequence[str],
    *,
    title: str | None = None,
    fix: str = "The lines above say why; after mending it, type the same command again.",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: Path | None = None,
) -> str:
    """Run a program to its end and return what it printed (both streams).

    Parameters
    ----------
    title : what the user is told while it runs; without one nothing is shown
    fix : what to do when it fails
    env : variables on top of this process's
    stdin : file to read from; nothing otherwise

    Raises
    ------
    CommandFailed
        with the last lines of output; the program is ended too when this process is interrupted
    """
    if title is None:
        return _run(argv, lambda _: None, fix, env, cwd, stdin)
    with step(title) as show:
        return _run(argv, show, fix, env, cwd, stdin)


def _run(
    argv: Sequence[str],
    show: Callable[[str], None],
    fix: str,
    env: Mapping[str, str] | None,
    cwd: Path | None,
    stdin: Path | None,
) -> str:
    lines: list[str] = []
    source = stdin.open("rb") if stdin else subprocess.DEVNULL
    try:
        process = subprocess.Popen(
            argv,
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": search_path(), **(env or {})},
            cwd=cwd,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise CommandFailed(argv, 127, [str(error)], fix) from error
    finally:
        if stdin:
            source.close()  # type: ignore[union-attr]
    assert process.stdout
    beat = _Heartbeat(show)
    try:
        for line in process.stdout:
            lines.append(line)
            beat.last = line.strip() or beat.last
        status = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    finally:
        beat.stop()
    if status:
        raise CommandFailed(argv, status, list(deque((line.rstrip() for line in lines), TAIL_LINES)), fix)
    return "".join(lines)


class _Heartbeat:
    """Shows the last line of output once a second, so that a program that prints nothing is seen to run."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self.last = ""
        self._show, self._done = show, threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        while not self._done.wait(1):
            self._show(self.last)

    def stop(self) -> None:
        self._done.set()
        self._thread.join()
