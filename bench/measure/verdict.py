"""What limited a distributed run, in words, with the numbers that say so.

The shares are of the median pass. What is named must explain a tenth of the pass at least; the largest comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .balance import balance

if TYPE_CHECKING:
    from ..report.model import Measurement, Passes, TimedPass

# What explains less of a pass is not named.
WORTH_NAMING = 0.10
# A worker whose process had less of a processor than this while it computed waited: for input, or for others.
BUSY = 0.85
CLUSTERS_PER_SLOT = 2
# Phases of a run that are no part of a pass: what a limit is called, the phase, and what is done in it.
BEFORE = (
    ("JIT", "warm-up", "for compiling and a small pass in every worker"),
    ("staging", "stage", "for the input to come to the nodes"),
)


@dataclass(frozen=True)
class Limit:
    """Something that took a share of a pass away from useful work."""

    name: str
    share: float
    words: str


def limits(measured: Measurement) -> tuple[Limit, ...]:
    """What limited the distributed passes, the largest first; empty for a run that was not distributed."""
    many, machine = measured.distributed, measured.environment
    if many is None:
        return ()
    middle = many.middle
    found = [*_parts(middle), *_workers(middle), *_disks(many)]
    # How many cores other machines have is not known here.
    here = {each.host for each in middle.workers} <= {machine.host}
    if here and many.slots > machine.cores:
        words = f"{many.slots} workers share {machine.cores} cores: they cannot all be busy"
        found.append(Limit("cores", 1 - machine.cores / many.slots, words))
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
    shares = balance(middle.workers, middle.loop_s, middle.overall_s)
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


def _disks(many: Passes) -> list[Limit]:
    """Waiting for disks, in the samples of the last pass."""
    seen = [waits for each in many.samples for waits in each.waits]
    if not seen:
        return []
    share = sum(seen) / len(seen)
    read = sum(sum(each.read_bytes_per_s) / len(each.at_s) for each in many.samples)
    words = f"of {len(seen)} samples found a process waiting for a disk; together they read {read / 1e6:.0f} MB/s"
    return [Limit("I/O", share, words)]


def before_the_passes(measured: Measurement, phases_s: Mapping[str, float]) -> tuple[Limit, ...]:
    """What is no part of a pass and took longer than a tenth of one: of these and a pass together, its share."""
    if measured.distributed is None:
        return ()
    one = measured.distributed.overall_s
    all_s = {**phases_s, **measured.phases_s}
    named = [(name, words, all_s.get(phase, 0.0)) for name, phase, words in BEFORE]
    return tuple(
        Limit(name, took / (took + one), f"{took:.1f} s {words}")
        for name, words, took in named
        if took > WORTH_NAMING * one
    )


def in_words(found: tuple[Limit, ...], before: tuple[Limit, ...] = ()) -> str:
    """One line: what limited the passes, then what a single pass would have to wait for."""
    passes = "; ".join(f"{each.name} ({each.share:.0%}: {each.words})" for each in found)
    passes = passes or "CPU: the processors were busy with events"
    if not before:
        return passes
    return f"{passes}. Before a first pass: {', '.join(f'{each.name} ({each.words})' for each in before)}"
