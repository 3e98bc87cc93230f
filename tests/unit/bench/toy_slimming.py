"""The slimming as it must not be, in a module that workers can import."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from bench.workloads.slimming import AtlasSlimming, SlimmingTask
from bench.workloads.tasks import Partial


@dataclass(frozen=True)
class OneTooFew(AtlasSlimming):
    """Leaves out the last event of the second chunk, in processes other than `client`."""

    client: int = 0

    def process(self, task: SlimmingTask, folder: Path) -> Partial:
        if task.chunk.number == 1 and os.getpid() != self.client:
            task = replace(task, chunk=replace(task.chunk, last=task.chunk.last - 1))
        return super().process(task, folder)
