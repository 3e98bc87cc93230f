"""What a pod sees of its node: processors, memory, limits. Arguments: the node's meminfo, its control groups."""

import json
import os
import sys
from pathlib import Path

# What a version 1 hierarchy writes where there is no limit; version 2 writes `max`.
UNLIMITED_BYTES = 1 << 60


def number(path: Path) -> int | None:
    """The first number in a file; None where there is no such file, or no limit."""
    try:
        value = int(path.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return value if 0 <= value < UNLIMITED_BYTES else None


def quota_cores(cgroups: Path, group: str) -> float | None:
    """Cores that a control group may use at a time."""
    old = cgroups / "cpu" / group
    quota, period = number(old / "cpu.cfs_quota_us"), number(old / "cpu.cfs_period_us")
    if quota is None:
        try:
            words = (cgroups / group / "cpu.max").read_text().split()
            quota, period = int(words[0]), int(words[1])
        except (OSError, ValueError, IndexError):
            return None
    return quota / period if period else None


def memory_limit(cgroups: Path, group: str) -> int | None:
    """Bytes that a control group may use."""
    old = number(cgroups / "memory" / group / "memory.limit_in_bytes")
    return old if old is not None else number(cgroups / group / "memory.max")


def main(meminfo: str, cgroups: str) -> None:
    """Print what was seen."""
    sizes = {line.split(":")[0]: int(line.split()[1]) << 10 for line in Path(meminfo).read_text().splitlines()}
    root = Path(cgroups)
    found = {
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": sizes["MemTotal"],
        "available_bytes": sizes.get("MemAvailable", 0),
        "node_quota_cores": quota_cores(root, ""),
        "node_limit_bytes": memory_limit(root, ""),
        "pods_quota_cores": quota_cores(root, "kubepods.slice"),
        "pods_limit_bytes": memory_limit(root, "kubepods.slice"),
        "kernel": os.uname().release,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
