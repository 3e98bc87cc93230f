"""A workload that sleeps, in a module that workers can import."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.engines.model import Job
from bench.workloads import Outcome, TaskWorkload
from bench.workloads.model import CutStep
from bench.workloads.tasks import Partial, merged

TASKS = 6
NAP_S = 0.2


@dataclass(frozen=True)
class Naps(TaskWorkload):
    """Tasks that take the same time on any machine, and no processor."""

    name: str = "naps"
    title: str = "naps"
    tree: str = ""

    def tasks(self, job: Job, slots: int) -> Sequence[Any]:
        return range(TASKS)

    def warm_up(self) -> None:
        pass

    def process(self, task: int, folder: Path) -> Partial:
        time.sleep(NAP_S)
        return Partial(1, (CutStep("all", "naps", 1),))

    def combine(self, partials: Sequence[Partial]) -> Outcome:
        return merged(partials)
