"""From measured and simulated passes to times on other numbers of workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .cluster import Simulator, SleepingCluster
from .feed import Feed
from .passes import Plan, SimulatedPass, simulated_pass

# The process of the sleeping workers runs one of them at a time. Above this share of the pass it may keep them waiting.
SLEEPERS_SHARE_MAX = 0.5


@dataclass(frozen=True)
class Costs:
    """What the measured pass took beyond the simulated one of the same tasks on the same number of workers, in seconds.

    `fixed_s`: once, before the first task (the client makes the graph) and, where there is nothing to merge, after the
    last; `gap_s`: each task on its worker, beside computing; `reduce_s`: merging two results on a worker; `collect_s`:
    each result, merged by the client.
    """

    fixed_s: float
    gap_s: float
    reduce_s: float
    collect_s: float


@dataclass(frozen=True)
class Prediction:
    """A pass as it is expected, in seconds.

    `at_least_s` is what it would take if Dask cost nothing but the scheduler's processor time: the tasks of the busiest
    worker, or the scheduler where that has longer to do. Shares are of the simulated pass.
    """

    workers: int
    tasks: int
    submit_s: float
    loop_s: float
    merge_s: float
    at_least_s: float
    transitions: int
    scheduler_share: float
    sleepers_share: float

    @property
    def overall_s(self) -> float:
        """Trigger to end."""
        return self.submit_s + self.loop_s + self.merge_s

    @property
    def limited_here(self) -> bool:
        """Whether this machine, on which all workers share a core, may have made it longer."""
        return self.sleepers_share > SLEEPERS_SHARE_MAX


def middle(cluster: SleepingCluster, plan: Plan, repeats: int) -> SimulatedPass:
    """The pass whose overall time is the median, or just above it."""
    passes = [simulated_pass(cluster, plan) for _ in range(repeats)]
    return sorted(passes, key=lambda each: each.overall_s)[repeats // 2]


def costs(simulator: Simulator, fed: Feed, repeats: int) -> Costs:
    """Simulate the measured pass, and see what is missing."""
    with simulator.cluster(fed.slots) as cluster:
        plan = fed.plan(fed.slots)
        bare = middle(cluster, plan, repeats)
        missing_s = max(0.0, fed.merge_s - bare.merge_s)
        reduce_s = missing_s / plan.levels if fed.merges and plan.levels else 0.0
        if reduce_s:
            # Merging goes on while the map does, and takes its time from the workers.
            bare = middle(cluster, replace(plan, reduce_s=reduce_s), repeats)
    nothing_to_merge = fed.merges and not plan.levels
    return Costs(
        fixed_s=max(0.0, fed.submit_s - bare.submit_s) + (missing_s if nothing_to_merge else 0.0),
        gap_s=max(0.0, fed.loop_s - bare.loop_s) * fed.slots / fed.n_tasks,
        reduce_s=reduce_s,
        collect_s=0.0 if fed.merges else missing_s / fed.n_tasks,
    )


def predict(simulator: Simulator, fed: Feed, found: Costs, workers: int, times: int, repeats: int) -> Prediction:
    """Simulate a pass on so many workers, and add what no scheduler does."""
    plan = fed.plan(workers, times, found.gap_s, found.reduce_s)
    with simulator.cluster(workers) as cluster:
        run = middle(cluster, plan, repeats)
    collect_s = found.collect_s * run.tasks
    whole_s = run.overall_s + found.fixed_s + collect_s
    return Prediction(
        workers=workers,
        tasks=run.tasks,
        submit_s=run.submit_s + found.fixed_s,
        loop_s=run.loop_s,
        merge_s=run.merge_s + collect_s,
        at_least_s=min(whole_s, max(run.busiest_s, run.scheduler_cpu_s) + found.fixed_s + collect_s),
        transitions=run.transitions,
        scheduler_share=run.scheduler_cpu_s / run.overall_s,
        sleepers_share=run.sleepers_cpu_s / run.overall_s,
    )


def error_of(simulated_s: float, measured_s: float) -> float:
    """By which share a simulated time is off: positive where it is too long."""
    return simulated_s / measured_s - 1


def holds(errors: Sequence[float], most: float) -> bool | None:
    """Whether all errors are small enough; None without any."""
    return all(abs(each) <= most for each in errors) if errors else None
