"""How evenly the workers of a pass were at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..engines.model import WorkerShare
from .statistics import gini


@dataclass(frozen=True)
class Balance:
    """Shares of the workers in a pass.

    `efficiency` is the computing time of all workers over what they had, the pass's overall time each; `occupancy` is
    each worker's computing time over the pass's loop time; `max_over_mean` and `gini` are of the computing times.
    """

    efficiency: float
    occupancy: dict[str, float]
    max_over_mean: float
    gini: float


def balance(workers: Sequence[WorkerShare], loop_s: float, overall_s: float) -> Balance:
    """Balance of a pass that had workers."""
    times = [each.compute_s for each in workers]
    mean = sum(times) / len(times)
    return Balance(
        efficiency=mean / overall_s if overall_s else 0.0,
        occupancy={each.name: each.compute_s / loop_s if loop_s else 0.0 for each in workers},
        max_over_mean=max(times) / mean if mean else 1.0,
        gini=gini(times),
    )
