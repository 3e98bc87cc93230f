"""What Dask's task stream tells of a pass: when tasks computed, what each worker did, and what disturbed it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .model import TaskSpan, WorkerShare

# Task spans kept of a pass: a picture shows no more, and results travel through a log.
MAX_SPANS = 2000


def computations(tasks: Sequence[Any]) -> Iterator[tuple[str, float, float]]:
    """The computations of tasks: the worker's address, start and end in seconds since the epoch."""
    for task in tasks:
        for part in task["startstops"]:
            if part["action"] == "compute":
                yield task["worker"], part["start"], part["stop"]


def compute_span(tasks: Sequence[Any], earliest: float, latest: float) -> tuple[float, float]:
    """Start of the first and end of the last computation, in seconds since the epoch, within the given limits."""
    computed = list(computations(tasks))
    first = min(max(min((start for _, start, _ in computed), default=latest), earliest), latest)
    last = min(max((stop for _, _, stop in computed), default=earliest), latest)
    return first, max(last, first)


def task_spans(tasks: Sequence[Any], addresses: Sequence[str], wall: float) -> tuple[TaskSpan, ...]:
    """When each task computed, from the task stream; those of workers that are gone are left out."""
    places = {address: place for place, address in enumerate(addresses)}
    spans = [
        TaskSpan(places[worker], round(start - wall, 4), round(stop - wall, 4))
        for worker, start, stop in computations(tasks)
        if worker in places
    ]
    return tuple(sorted(spans, key=lambda span: span.start_s)[:MAX_SPANS])


def covered_s(intervals: Sequence[tuple[float, float]]) -> float:
    """Length of what intervals cover together.

    Computations of one worker overlap in Dask's stream, seen by 0.4 s on a crowded machine, and must not count twice.
    """
    covered, reached = 0.0, -math.inf
    for start, stop in sorted(intervals):
        covered += max(0.0, stop - max(start, reached))
        reached = max(reached, stop)
    return covered


def worker_share(info: Mapping[str, Any], host: str, address: str, tasks: Sequence[Any], cpu_s: float) -> WorkerShare:
    """What one worker did, from the task stream."""
    mine = [task for task in tasks if task["worker"] == address]
    compute_s = covered_s([(start, stop) for _, start, stop in computations(mine)])
    return WorkerShare(str(info.get("name", address)), host, len(mine), round(compute_s, 6), round(cpu_s, 6))


def find_disturbances(before: Mapping[str, Any], after: Mapping[str, Any], stream: Sequence[Any]) -> list[str]:
    """What happened during a pass that makes its time meaningless."""
    found: list[str] = []
    if lost := sorted(before.keys() - after.keys()):
        found.append(f"workers lost: {', '.join(lost)}")
    if came := sorted(after.keys() - before.keys()):
        found.append(f"workers joined: {', '.join(came)}")
    failed = sum(task.get("status") == "error" for task in stream)
    if failed:
        found.append(f"{failed} tasks failed and were repeated")
    return found


def find_idleness(shares: Sequence[WorkerShare], sizes: Sequence[int], expected: int) -> list[str]:
    """What makes a distributed pass no measurement of the cluster: idle workers, empty tasks, tasks done twice.

    `sizes` are the entries of the tasks, `expected` is the number of tasks that had to run.
    """
    idle = [share.name for share in shares if share.tasks == 0]
    found = [f"workers without a task: {', '.join(idle)}"] if idle else []
    empty = sizes.count(0)
    if empty:
        found.append(f"{empty} of {len(sizes)} tasks have no entries: the input has too few clusters")
    ran = sum(share.tasks for share in shares)
    if ran != expected:
        found.append(f"{ran} tasks ran instead of {expected}")
    return found
