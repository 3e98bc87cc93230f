"""Burn processors: N processes that all begin at one moment, and the processor time that came."""

import json
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any


def steal_s() -> float:
    """Seconds that the hypervisor has kept from this machine's processors since it started; hundredths in the file."""
    first = Path("/proc/stat").read_text().splitlines()[0].split()
    return int(first[8]) / 100


def burn(start: float, seconds: float, queue: Any) -> None:
    """One process: wait for the moment, then compute."""
    late = time.time() - start
    time.sleep(max(0.0, -late))
    begin, used = time.time(), time.process_time()
    value = 1.0
    while time.time() < start + seconds:
        for _ in range(20000):
            value = value * 1.0000001 + 1e-9
    queue.put((begin, time.time(), time.process_time() - used, late))


def main(processes: int, lead: float, seconds: float) -> None:
    """Burn, and print what came."""
    # The functions of a text given to `python3 -c` cannot be found again by a new interpreter.
    context = multiprocessing.get_context("fork")
    start = time.time() + lead
    queue = context.Queue()
    burners = [context.Process(target=burn, args=(start, seconds, queue)) for _ in range(processes)]
    stolen = steal_s()
    for burner in burners:
        burner.start()
    parts = [queue.get() for _ in burners]
    for burner in burners:
        burner.join()
    begin, end = min(part[0] for part in parts), max(part[1] for part in parts)
    found = {
        "wall_s": end - begin,
        "cpu_s": sum(part[2] for part in parts),
        "late_s": max(part[3] for part in parts),
        "steal_s": steal_s() - stolen,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
