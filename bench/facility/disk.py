"""How quick the disk is that pods of a node write on: its data volume, where it has one."""

from __future__ import annotations

from .guest import SCRATCH
from .kube import Kube
from .scripted import Found, run_script

MOST_BYTES = 128 << 20
MOST_S = 3.0


class Disk(Found):
    """What the script counted; `sync_s` is the median of a small write until it is on the disk."""

    written_bytes: int
    write_s: float
    read_bytes: int
    read_s: float
    sync_s: float

    @property
    def write_mb_s(self) -> float:
        """10⁶ bytes written in a second."""
        return self.written_bytes / self.write_s / 1e6

    @property
    def read_mb_s(self) -> float:
        """10⁶ bytes read in a second."""
        return self.read_bytes / self.read_s / 1e6


def measure_disk(kube: Kube, pod: str) -> Disk:
    """Write 128 MiB and read them back, 3 s each at most."""
    return run_script(kube, pod, Disk, "disk", SCRATCH, MOST_BYTES, MOST_S)
