"""Engines that run in this process: one thread, or ROOT's implicit threads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self

from ..workloads import TaskWorkload
from ..workloads.root import load
from .model import Job, Pass, local_pass
from .observe import watched
from .tasks import local_task_pass
from .versions import software_versions


class Serial:
    """One thread of this process: the reference for all others."""

    name = "serial"
    slots = 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def versions(self) -> Mapping[str, str]:
        return software_versions()

    def warm_up(self, job: Job) -> None:
        local_pass(replace(job, replicas=1))

    def run(self, job: Job) -> Pass:
        return watched(lambda: local_pass(job), self.name)


class Threads(Serial):
    """ROOT's implicit multi-threading over the processors that this process may use."""

    name = "threads"

    def __init__(self, slots: int | None = None) -> None:
        self.slots = slots or len(os.sched_getaffinity(0))

    def warm_up(self, job: Job) -> None:
        self._threaded(replace(job, replicas=1))

    def run(self, job: Job) -> Pass:
        return watched(lambda: self._threaded(job), self.name)

    def _threaded(self, job: Job) -> Pass:
        if isinstance(job.workload, TaskWorkload):
            # Tasks are single-threaded by themselves: here they run one after the other.
            return local_task_pass(job, job.workload, self.name, self.slots)
        # Implicit threads are a state of the whole process: a serial pass must not find them on.
        root = load()
        root.EnableImplicitMT(self.slots)
        try:
            return local_pass(job)
        finally:
            root.DisableImplicitMT()
