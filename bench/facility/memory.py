"""Whether memory that a node shows can be touched."""

from __future__ import annotations

from .guest import Guest
from .kube import Kube
from .scripted import Found, run_script

MOST_MIB = 512
SHARE_OF_AVAILABLE = 4


class Touched(Found):
    """Memory into every page of which a byte was written; none, if the kernel did not let it."""

    wanted_mib: int
    touched_mib: int
    wall_s: float


def touch(kube: Kube, pod: str, guest: Guest) -> Touched:
    """Touch a quarter of what is available, 512 MiB at most."""
    mib = max(1, min(MOST_MIB, (guest.available_bytes >> 20) // SHARE_OF_AVAILABLE))
    return run_script(kube, pod, Touched, "memory", mib)
