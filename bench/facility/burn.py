"""How many cores nodes deliver: burn all of them for some seconds, and count the processor time that came."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import BenchError
from .answers import Answers, ask_each
from .kube import Kube
from .scripted import Found, run_script

SECONDS = 3.0
# Time for starting Python and its processes: on a node that has nothing else to do, and while all nodes start theirs.
LEAD_ALONE_S = 1.0
LEAD_TOGETHER_S = 3.0
# A process that begins later than this makes the node look slow when it was only slow to start.
MAX_LATE_S = 0.3


class Burned(Found):
    """What the script counted, over all its processes."""

    wall_s: float
    cpu_s: float
    late_s: float
    steal_s: float


@dataclass(frozen=True)
class Delivered:
    """What a node gave to burning processes.

    `cores` is processor seconds over wall seconds, of processes that all began together; `stolen_cores` what the
    hypervisor kept from the node meanwhile, by the kernel's count.
    """

    cores: float
    processes: int
    wall_s: float
    cpu_s: float
    stolen_cores: float = 0.0


def burn_alone(kube: Kube, pods: Mapping[str, str], cores: Mapping[str, int]) -> Answers[str, Delivered]:
    """Burn that many cores of each node, one node after the other."""
    return ask_each(cores, lambda node: burn(kube, pods[node], cores[node], LEAD_ALONE_S), at_a_time=1)


def burn_together(kube: Kube, pods: Mapping[str, str], cores: Mapping[str, int]) -> Answers[str, Delivered]:
    """Burn the cores of all nodes at once."""
    begun = time.monotonic()
    # Every node begins the same time after now, by its own clock.
    return ask_each(
        cores,
        lambda node: burn(kube, pods[node], cores[node], begun + LEAD_TOGETHER_S - time.monotonic()),
        at_a_time=len(cores),
    )


def burn(kube: Kube, pod: str, processes: int, lead_s: float) -> Delivered:
    """Burn in one pod.

    Raises
    ------
    BenchError
        It could not be done, or began too late to say anything of the node.
    """
    found = run_script(kube, pod, Burned, "burn", processes, f"{lead_s:.3f}", SECONDS)
    if found.late_s > MAX_LATE_S:
        raise BenchError(
            f"the burn in pod {pod}",
            f"its processes began {found.late_s:.1f} s too late",
            "Run this again when the nodes are less busy.",
        )
    return Delivered(found.cpu_s / found.wall_s, processes, found.wall_s, found.cpu_s, found.steal_s / found.wall_s)
