"""How quick the disk is on which pods write."""

from __future__ import annotations

from collections.abc import Iterator

from ..rows import Observed, Row, least, most, unmeasured
from ..thresholds import Thresholds

WRITE, READ, SYNC = "disk write", "disk read", "disk sync"
CAUSE = "a throttle (quota of the flavor or the volume type, a control group), or a disk that others are busy on"


def check(observed: Observed, thresholds: Thresholds) -> Iterator[Row]:
    """Three rows for every node whose disk was measured."""
    disks = observed.measured.disks
    if disks is None:
        return
    for name, disk in disks.values.items():
        yield least((name,), WRITE, disk.write_mb_s, "MB/s", thresholds.disk_write_mb_s_min, f"slow disk: {CAUSE}")
        yield least((name,), READ, disk.read_mb_s, "MB/s", thresholds.disk_read_mb_s_min, f"slow disk: {CAUSE}")
        waits = "etcd waits for it at every change: a disk without a cache of its own, or a busy one"
        yield most((name,), SYNC, 1e3 * disk.sync_s, "ms", thresholds.disk_sync_ms_max, waits, digits=2)
    yield from unmeasured(disks, WRITE)
