"""Watch a process from outside: `python sampler.py PID SECONDS` prints a line of numbers every so many seconds.

A thread inside would not do: while ROOT runs an event loop, no other Python code of that process does. The program ends
when its standard input is closed, that is, at the latest when the process that started it ends.

A line holds: seconds since the epoch, processor seconds used, resident bytes, bytes read and written by system calls,
and 1 if the process is waiting for a disk just now, else 0.
"""

from __future__ import annotations

import select
import sys
import time

import psutil


def line_of(process: psutil.Process) -> str:
    """What a process has used so far."""
    with process.oneshot():
        cpu = process.cpu_times()
        memory = process.memory_info().rss
        waits = process.status() == psutil.STATUS_DISK_SLEEP
    try:
        io = process.io_counters()
        read, written = io.read_chars, io.write_chars
    except (psutil.AccessDenied, AttributeError):
        # Some containers hide these numbers, some systems have none.
        read = written = 0
    return f"{time.time():.3f} {cpu.user + cpu.system:.3f} {memory} {read} {written} {int(waits)}\n"


def main(pid: int, every_s: float) -> None:
    """Print until standard input is closed or the process is gone."""
    process = psutil.Process(pid)
    while True:
        try:
            sys.stdout.write(line_of(process))
        except psutil.NoSuchProcess:
            return
        sys.stdout.flush()
        if select.select([sys.stdin], [], [], every_s)[0] and not sys.stdin.read(1):
            return


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
