"""One pass on sleeping workers: the graph of a workload, handed to Dask as the engine does it."""

from __future__ import annotations

import importlib
import math
import time
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..engines.stream import computations, compute_span
from ..engines.tasks import RETRIES
from ..errors import BenchError, Exit
from .cluster import SleepingCluster
from .sleepers import sleep_map, sleep_reduce

MAP = "dask_mapper"
# A pass that takes so many times what its sleep takes, and this long at least, has failed.
PATIENCE = 20.0
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Plan:
    """The tasks of a pass.

    `trees` has the seconds of each task of the map, for each tree; `reduce_s` is what it takes to merge two results on
    a worker, None where the tasks are a list and the client merges.
    """

    trees: tuple[tuple[float, ...], ...]
    reduce_s: float | None

    @property
    def tasks(self) -> int:
        """Tasks of the map."""
        return sum(map(len, self.trees))

    @property
    def all_tasks(self) -> int:
        """Tasks with those that merge."""
        return self.tasks + (0 if self.reduce_s is None else sum(len(each) - 1 for each in self.trees))

    @property
    def sleep_s(self) -> float:
        """Seconds of all tasks together."""
        return sum(map(sum, self.trees)) + (self.reduce_s or 0.0) * (self.all_tasks - self.tasks)

    @property
    def levels(self) -> int:
        """Results merged one after the other, from the last task of the map to the end."""
        return max(math.ceil(math.log2(len(each))) for each in self.trees)


@dataclass(frozen=True)
class SimulatedPass:
    """Times of a pass on sleeping workers, in seconds, with the parts of a measured one.

    `busiest_s` is what the tasks of the busiest worker take by themselves; `transitions` are those of task states in
    the scheduler; both processor times are of the whole pass.
    """

    submit_s: float
    loop_s: float
    merge_s: float
    tasks: int
    transitions: int
    busiest_s: float
    scheduler_cpu_s: float
    sleepers_cpu_s: float

    @property
    def overall_s(self) -> float:
        """From the trigger to the end."""
        return self.submit_s + self.loop_s + self.merge_s


def simulated_pass(cluster: SleepingCluster, plan: Plan) -> SimulatedPass:
    """Hand the tasks to the scheduler, and wait until the last one is done.

    Raises
    ------
    BenchError
        The scheduler did not run all tasks.
    """
    distributed: Any = importlib.import_module("distributed")
    run = uuid.uuid4().hex[:8]
    before, slept = cluster.seen(), cluster.sleepers_cpu_s()
    # The engine has it open in every pass too, and what it costs the scheduler with it.
    with cluster.client.as_current(), distributed.get_task_stream(cluster.client) as stream:
        wall, start = time.time(), time.perf_counter()
        futures = submitted(cluster.client, plan, run)
        try:
            distributed.wait(futures, timeout=max(PATIENCE_S, PATIENCE * plan.sleep_s / cluster.workers))
        except (TimeoutError, distributed.TimeoutError) as error:
            raise not_all(cluster, plan, "it did not end in time") from error
        overall_s = time.perf_counter() - start
    after = cluster.seen()
    if after.workers != cluster.workers:
        raise not_all(cluster, plan, f"the scheduler has lost {cluster.workers - after.workers} workers")
    tasks = [each for each in stream.data if run in str(each["key"]) and str(each["key"]).startswith(MAP)]
    if len(tasks) != plan.tasks:
        raise not_all(cluster, plan, f"{len(tasks)} tasks of the map ran")
    first, last = compute_span(tasks, wall, wall + overall_s)
    taken: dict[str, float] = {}
    for worker, begun, ended in computations([each for each in stream.data if run in str(each["key"])]):
        taken[worker] = taken.get(worker, 0.0) + ended - begun
    return SimulatedPass(
        submit_s=first - wall,
        loop_s=last - first,
        merge_s=wall + overall_s - last,
        tasks=len(tasks),
        transitions=after.transitions - before.transitions,
        busiest_s=max(taken.values()),
        scheduler_cpu_s=after.cpu_s - before.cpu_s,
        sleepers_cpu_s=cluster.sleepers_cpu_s() - slept,
    )


def submitted(client: Any, plan: Plan, run: str) -> list[Any]:
    """The graph in the form in which the engine gives it to Dask; the futures of what it waits for."""
    if plan.reduce_s is None:
        (seconds,) = plan.trees
        keys = [f"{MAP}-{run}-{number}" for number in range(len(seconds))]
        return list(client.map(sleep_map, seconds, key=keys, retries=RETRIES, pure=False))
    return [
        client.persist(reduced(seconds, plan.reduce_s, f"{run}-{number}")) for number, seconds in enumerate(plan.trees)
    ]


def reduced(seconds: Sequence[float], reduce_s: float, name: str) -> Any:
    """Tasks of a map whose results are merged by twos.

    As ROOT 6.40 does it (`ROOT._distrdf.Backends.Dask.Backend.ProcessAndMerge`): the two results that have waited
    longest are merged, and theirs queues up behind the others.
    """
    delayed: Any = importlib.import_module("dask").delayed
    sleeps, merges = delayed(sleep_map, pure=False), delayed(sleep_reduce, pure=False)
    waiting = deque(sleeps(each, dask_key_name=f"{MAP}-{name}-{number}") for number, each in enumerate(seconds))
    merged = 0
    while len(waiting) > 1:
        left, right = waiting.popleft(), waiting.popleft()
        waiting.append(merges(left, right, reduce_s, dask_key_name=f"reducer-{name}-{merged}"))
        merged += 1
    return waiting[0]


def not_all(cluster: SleepingCluster, plan: Plan, why: str) -> BenchError:
    """The error of a pass that did not do what it should."""
    return BenchError(
        f"a simulated pass of {plan.tasks} tasks on {cluster.workers} workers", why,
        "Run it again when the machine is less busy, or with fewer --workers.", Exit.CANNOT_TELL,
    )  # fmt: skip
