"""Touch memory: write one byte into every page of so many MiB."""

import json
import mmap
import os
import sys
import time


def touch(mib: int) -> None:
    """Write into every page."""
    with mmap.mmap(-1, mib << 20) as area:
        for offset in range(0, mib << 20, mmap.PAGESIZE):
            area[offset] = 1


def main(mib: int) -> None:
    """Touch in a process of its own, which the kernel may kill, and print how long it took."""
    start = time.perf_counter()
    child = os.fork()
    if not child:
        try:
            touch(mib)
        except OSError:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    found = {"wanted_mib": mib, "touched_mib": 0 if status else mib, "wall_s": time.perf_counter() - start}
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]))
