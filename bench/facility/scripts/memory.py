"""Touch memory: write one byte into every page of so many MiB."""

import json
import mmap
import sys
import time


def main(mib: int) -> None:
    """Touch, and print how long it took."""
    start = time.perf_counter()
    with mmap.mmap(-1, mib << 20) as area:
        for offset in range(0, mib << 20, mmap.PAGESIZE):
            area[offset] = 1
    print(json.dumps({"touched_mib": mib, "wall_s": time.perf_counter() - start}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
