"""Small task workloads, in a module that workers can import."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.datasets.files import replacing, sha256
from bench.engines.model import Job
from bench.errors import BenchError
from bench.workloads import HistogramSpec, Outcome, TaskWorkload
from bench.workloads.model import CutStep
from bench.workloads.root import load
from bench.workloads.tasks import Chunk, Part, Partial, chunks, filled, merged

SPEC = HistogramSpec("x", "x", "GeV", 10, 0, 100)
WEIGHTED = HistogramSpec("wx", "weighted x", "GeV", 10, 0, 100, weighted=True)


@dataclass(frozen=True)
class Toy(TaskWorkload):
    """Reads one column, counts, fills, and writes it as text.

    `drops` leaves out one entry in processes other than `client`; `dies_at` kills the first process that comes to
    that chunk, or without a `mark` each; `refuses` raises an error there.
    """

    client: int = 0
    drops: int | None = None
    dies_at: int | None = None
    refuses: int | None = None
    mark: Path | None = None

    name: str = "toy"
    title: str = "toy"
    tree: str = "events"

    def tasks(self, job: Job, slots: int) -> Sequence[Any]:
        if "x" not in job.columns:
            raise LookupError("toy needs the column x")
        return chunks(job, slots)

    def warm_up(self) -> None:
        load()

    def process(self, task: Chunk, folder: Path) -> Partial:
        died = self.mark is not None and self.mark.exists()
        if task.number == self.dies_at and not died and os.getpid() != self.client:
            if self.mark:
                self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if task.number == self.refuses:
            raise BenchError(f"{task.file}, chunk {task.number}", "it is not liked", "Give another one.")
        frame = load().RDataFrame(task.tree, task.file)
        x = frame.Range(task.first, task.last).AsNumpy(["x"])["x"]
        if os.getpid() != self.client and self.drops is not None and task.first <= self.drops < task.last:
            x = np.delete(x, self.drops - task.first)
        final = folder / f"part-{task.number:05}.txt"
        with replacing(final) as temporary:
            np.savetxt(temporary, x)
        return Partial(
            entries=len(x),
            cutflow=(CutStep("all", "all", len(x)), CutStep("high", "x > 50", int((x > 50).sum()))),
            tallies={"sum": int(x.sum())},
            histograms=(filled(SPEC, x), filled(WEIGHTED, x, np.sin(x) ** 2)),
            parts=(Part(final.name, len(x), final.stat().st_size, sha256(final)),),
        )

    def combine(self, partials: Sequence[Partial]) -> Outcome:
        return merged(partials)


@dataclass(frozen=True)
class Scan(TaskWorkload):
    """Squares of numbers: a workload without input."""

    name: str = "scan"
    title: str = "scan"
    tree: str = ""

    def tasks(self, job: Job, slots: int) -> Sequence[Any]:
        return range(5)

    def warm_up(self) -> None:
        pass

    def process(self, task: int, folder: Path) -> Partial:
        return Partial(1, (CutStep("all", "trials", 1),), values={str(task): float(task**2)})

    def combine(self, partials: Sequence[Partial]) -> Outcome:
        outcome = merged(partials)
        best = max(value for each in partials for value in each.values.values())
        return Outcome(outcome.entries, outcome.cutflow, {"best": int(best)}, ())
