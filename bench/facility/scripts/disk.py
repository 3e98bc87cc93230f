"""Write and read a file: every block goes to the disk before the next; reading begins with none of it in memory.

Arguments: folder, most bytes, most seconds for writing, and again for reading.
"""

import json
import os
import sys
import time
from pathlib import Path

BLOCK = 4 << 20
SMALL = 4 << 10
SMALL_WRITES = 50


def write(file: int, most_bytes: int, most_s: float) -> tuple[int, float]:
    """Bytes written and the time it took."""
    block, written, start = os.urandom(BLOCK), 0, time.perf_counter()
    while written < most_bytes and time.perf_counter() - start < most_s:
        written += os.write(file, block)
        os.fdatasync(file)
    return written, time.perf_counter() - start


def read(file: int, most_s: float) -> tuple[int, float]:
    """Bytes read back, and the time it took."""
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.lseek(file, 0, os.SEEK_SET)
    got, start = 0, time.perf_counter()
    while time.perf_counter() - start < most_s:
        block = os.read(file, BLOCK)
        if not block:
            break
        got += len(block)
    return got, time.perf_counter() - start


def sync_times(file: int, most_s: float) -> list[float]:
    """Seconds of single small writes until they are on the disk, the shortest first."""
    times: list[float] = []
    start = time.perf_counter()
    while len(times) < SMALL_WRITES and time.perf_counter() - start < most_s:
        begin = time.perf_counter()
        os.write(file, bytes(SMALL))
        os.fdatasync(file)
        times.append(time.perf_counter() - begin)
    return sorted(times)


def main(folder: str, most_bytes: int, most_s: float) -> None:
    """Measure, and print what was found."""
    path = Path(folder) / f"bench-disk-{os.getpid()}"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        path.unlink()
        written, write_s = write(file, most_bytes, most_s)
        got, read_s = read(file, most_s)
        times = sync_times(file, most_s / 2)
    finally:
        os.close(file)
    found = {
        "written_bytes": written,
        "write_s": write_s,
        "read_bytes": got,
        "read_s": read_s,
        "sync_s": times[len(times) // 2],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
