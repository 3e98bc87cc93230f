"""What limited a distributed run, in words, with the numbers that say so.

The shares are of the median pass. What is named must explain a tenth of the pass at least; the largest comes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .balance import balance

if TYPE_CHECKING:
    from ..report.model import Measurement, TimedPass

# What explains less of a pass is not named.
WORTH_NAMING = 0.10
# A worker whose process had less of a processor than this while it computed waited: for input, or for others.
BUSY = 0.85
CLUSTERS_PER_SLOT = 2


@dataclass(frozen=True)
class Limit:
    """Something that took a share of a pass away from useful work."""

    name: str
    share: float
    words: str


def limits(measured: Measurement, cores: int) -> tuple[Limit, ...]:
    """What limited the distributed passes, the largest first; empty for a run that was not distributed."""
    many = measured.distributed
    if many is None:
        return ()
    middle = sorted(many.passes, key=lambda each: each.overall_s)[len(many.passes) // 2]
    found = [*_parts(middle), *_workers(middle)]
    if many.slots > cores:
        found.append(
            Limit("cores", 1 - cores / many.slots, f"{many.slots} workers share {cores} cores: they cannot all be busy")
        )
    # A workload without input has no clusters, and lacks none.
    if 0 < measured.clusters < CLUSTERS_PER_SLOT * many.slots:
        idle = max(0.0, 1 - measured.clusters / (CLUSTERS_PER_SLOT * many.slots))
        found.append(
            Limit("clusters", idle, f"{measured.clusters} clusters for {many.slots} slots; bench data repack helps")
        )
    return tuple(sorted((each for each in found if each.share >= WORTH_NAMING), key=lambda each: -each.share))


def _parts(middle: TimedPass) -> list[Limit]:
    whole = middle.overall_s
    return [
        Limit("scheduler", middle.submit_s / whole, f"{middle.submit_s:.2f} s until the first task started"),
        Limit("merge", middle.merge_s / whole, f"{middle.merge_s:.2f} s after the last task, for merging"),
    ]


def _workers(middle: TimedPass) -> list[Limit]:
    computed = sum(each.compute_s for each in middle.workers)
    if not computed or not middle.loop_s:
        return []
    shares = balance(middle.workers, middle.loop_s)
    uneven = 1 - 1 / shares.max_over_mean
    filled = computed / (len(middle.workers) * middle.loop_s)
    cpu = sum(each.cpu_s for each in middle.workers) / computed
    waited = max(0.0, BUSY - cpu)
    return [
        Limit(
            "imbalance",
            uneven * middle.loop_s / middle.overall_s,
            f"the busiest worker computed {shares.max_over_mean:.2f} times the mean (Gini {shares.gini:.2f})",
        ),
        Limit(
            "idle",
            max(0.0, 1 - filled - uneven) * middle.loop_s / middle.overall_s,
            f"workers computed {filled:.0%} of the time between the first task's start and the last one's end",
        ),
        Limit("waiting", waited, f"processes had {cpu:.0%} of a processor while they computed: they waited for others"),
    ]


def in_words(found: tuple[Limit, ...]) -> str:
    """One line."""
    if not found:
        return "the event loop itself: the processors were busy with events"
    return "; ".join(f"{each.name} ({each.share:.0%}: {each.words})" for each in found)
