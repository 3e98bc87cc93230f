"""What a measured run tells a simulation: how many tasks there would be, and how long they take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

import numpy as np

from ..errors import BenchError, Exit
from ..measure.statistics import SEED
from ..report.model import Passes, RunResult
from ..run import TUNED
from ..workloads import WORKLOADS, TaskWorkload
from ..workloads.tasks import TASKS_PER_SLOT, n_tasks
from .passes import Plan

RUN_THIS = "Make one with bench run {} --engine dask-local --workers 1, or bench sweep workers {}."
Rule = Literal["graph", "chunks", "fixed"]


@dataclass(frozen=True)
class Feed:
    """A measured run, as far as a simulation needs it.

    Times are medians over the passes, in seconds. `task_s` is the mean of a task of the map; `shares` are single tasks
    of the last pass over their mean. `rule` says how the number of tasks follows from the number of workers; `merges`
    whether workers merge the results, as ROOT has them do.
    """

    slots: int
    n_tasks: int
    rule: Rule
    merges: bool
    trees: int
    clusters: tuple[int, ...]
    replicas: int
    serial_s: float
    overall_s: float
    submit_s: float
    loop_s: float
    merge_s: float
    task_s: float
    shares: tuple[float, ...]

    @property
    def own_s(self) -> float:
        """What a task takes beyond its share of the serial pass: the same for every task, however small."""
        return max(0.0, self.task_s - self.serial_s / self.n_tasks)

    @property
    def work_s(self) -> float:
        """What all tasks take together without that."""
        return self.n_tasks * (self.task_s - self.own_s)

    def tasks(self, workers: int, times: int = 1) -> tuple[int, ...]:
        """Number of tasks of each tree, on so many workers, for an input that is so many times as long."""
        return tasks_by_rule(self.rule, workers, self.clusters, self.replicas * times, self.trees) or (
            self.n_tasks * times,
        )

    def plan(self, workers: int, times: int = 1, gap_s: float = 0.0, reduce_s: float = 0.0) -> Plan:
        """The tasks on so many workers; their times scatter as the measured ones do, the same way every time.

        Parameters
        ----------
        gap_s : seconds that a worker needs for each task beside computing it
        reduce_s : seconds to merge two results on a worker
        """
        counts = self.tasks(workers, times)
        mean_s = self.own_s + self.work_s * times / sum(counts)
        rng = np.random.default_rng(SEED)
        drawn = rng.choice(np.asarray(self.shares), sum(counts))
        # As many seconds as expected, whichever were drawn.
        seconds = iter((gap_s + mean_s * drawn / drawn.mean()).tolist())
        trees = tuple(tuple(next(seconds) for _ in range(count)) for count in counts)
        return Plan(trees, reduce_s if self.merges else None)


def feed(run: RunResult, cores: float | None) -> Feed:
    """Look at a run.

    Parameters
    ----------
    cores : that its workers had; None: one each

    Raises
    ------
    BenchError
        It cannot feed a simulation; what it lacks, and which run has it.
    """
    many = usable(run, cores)
    workload = WORKLOADS.get(run.workload)
    if workload is None:
        raise BenchError(
            f"a run of {run.workload}", "there is no such workload, so that the shape of its graph is not known",
            f"Known: {', '.join(WORKLOADS)}.", Exit.CANNOT_TELL,
        )  # fmt: skip
    graph = not isinstance(workload, TaskWorkload)
    computed = [sum(each.compute_s for each in one.workers) for one in many.passes]
    lengths = [each.stop_s - each.start_s for each in many.spans]
    clusters = tuple(each.clusters for each in run.input.files)
    trees = 1 if isinstance(workload, TaskWorkload) else len(workload.trees)
    replicas = run.measurement.replicas
    rule: Rule = "graph" if graph else "chunks"
    if sum(tasks_by_rule(rule, many.slots, clusters, replicas, trees)) != many.n_partitions:
        rule, trees = "fixed", 1
    return Feed(
        slots=many.slots,
        n_tasks=many.n_partitions,
        rule=rule,
        merges=graph,
        trees=trees,
        clusters=clusters,
        replicas=replicas,
        serial_s=run.measurement.serial.overall_s,
        overall_s=many.overall_s,
        submit_s=median(each.submit_s for each in many.passes),
        loop_s=median(each.loop_s for each in many.passes),
        merge_s=median(each.merge_s for each in many.passes),
        task_s=median(computed) / many.n_partitions,
        shares=tuple(each * len(lengths) / sum(lengths) for each in lengths),
    )


def usable(run: RunResult, cores: float | None) -> Passes:
    """The distributed passes of a run that may feed a simulation.

    Raises
    ------
    BenchError
        It may not.
    """
    who, next_step = f"a run of {run.workload} on {run.engine}", RUN_THIS.format(run.workload, run.workload)
    many = run.measurement.distributed
    if many is None:
        raise BenchError(who, "it has serial passes only: nothing is known of tasks", next_step, Exit.CANNOT_TELL)
    if not many.spans or not any(each.workers for each in many.passes):
        raise BenchError(who, "it has no times of single tasks", next_step, Exit.CANNOT_TELL)
    if run.mode != TUNED:
        raise BenchError(
            who, f"its mode is {run.mode}; what is simulated is one graph handed over at once", next_step,
            Exit.CANNOT_TELL,
        )  # fmt: skip
    if not run.valid:
        raise BenchError(
            who, f"it is INVALID: physics {run.physics}, timing {run.timing}",
            "Run it again when nobody else uses the machine.", Exit.INVALID,
        )  # fmt: skip
    if cores is not None and many.slots > round(cores):
        raise BenchError(
            who, f"{many.slots} workers shared {cores:g} cores: its tasks took longer than on cores of their own",
            "Run it with fewer --workers; --cores says otherwise where there are more.", Exit.CANNOT_TELL,
        )  # fmt: skip
    return many


def tasks_by_rule(rule: Rule, workers: int, clusters: Sequence[int], replicas: int, trees: int) -> tuple[int, ...]:
    """Number of tasks of each tree as the engine chooses it; empty where that does not depend on the workers.

    Further trees are taken to have as many clusters as the nominal one: a run records no others.
    """
    total = replicas * sum(clusters)
    if rule == "fixed" or not total:
        return ()
    if rule == "graph":
        return (n_tasks(workers, total, max(1, math.ceil(TASKS_PER_SLOT / trees))),) * trees
    # `workloads.tasks.chunks`: each file is cut for itself.
    share = n_tasks(workers, total) / total
    return (replicas * sum(max(1, min(each, math.ceil(each * share))) for each in clusters),)
