"""How the notebooks of INFN Napoli run an analysis, for comparison with the engine's own way.

From `Sept_DistributedClient_Selector.ipynb` (September 2024): every result is asked for on its own, so each is an
event loop of its own; the number of tasks is 35 whatever the cluster; inputs go through the scheduler with
`Client.upload_file`. Not kept: their eight threads a worker, in which ROOT's distributed tasks crash or hang
(root issue 20845); a worker has one.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..datasets.files import sha256
from ..datasets.remote import on_this_machine
from ..workloads import Booking
from .dask import Dask, partition_sizes
from .model import Job, Pass

N_PARTITIONS = 35
DESCRIPTION = (
    f"infn: a loop for each result, {N_PARTITIONS} tasks, inputs by upload_file, one thread a worker instead of 8"
)
UPLOAD_FOLDER = Path("/tmp/bench-infn")


def keep_upload(name: str, target: str, dask_worker: Any) -> None:
    """Move an uploaded file to a path that is the same on all workers; sent to every worker.

    Dask fills in `dask_worker` by its name.
    """
    uploaded = Path(dask_worker.local_directory) / name
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    # Copied and renamed: workers of one machine share the target.
    temporary = Path(f"{target}.{os.getpid()}")
    shutil.copyfile(uploaded, temporary)
    temporary.replace(target)


class InfnDask(Dask):
    """A Dask engine that works as the notebooks do."""

    def warm_up(self, job: Job) -> None:
        super().warm_up(self._uploaded(job))

    def run(self, job: Job) -> Pass:
        job = self._uploaded(job)
        partitions = dict.fromkeys(job.layouts_of, N_PARTITIONS)
        began = time.perf_counter()
        apart = {tree: self._apart(job, tree) for tree in partitions}
        booking = Booking.joined(apart.values())
        build_s = time.perf_counter() - began
        # Asked for one after the other, each runs a loop of its own.
        loops = len(booking.results())
        measured = self.timed(
            booking.trigger, booking.collect, job, lambda: partition_sizes(job, partitions), loops * N_PARTITIONS
        )
        return replace(measured, build_s=build_s)

    def _apart(self, job: Job, tree: str) -> Booking:
        """The results of one tree, each in a graph of its own: what nobody holds, ROOT takes out of the graph."""

        def booked() -> Booking:
            return self.book_tree(job, tree, N_PARTITIONS)

        template = booked()
        return template.with_results(booked().results()[index] for index in range(len(template.results())))

    def _uploaded(self, job: Job) -> Job:
        paths: list[Path] = []
        for path in (on_this_machine(each, "--mode infn") for each in job.paths):
            target = UPLOAD_FOLDER / sha256(path)[:16] / path.name
            paths.append(target)
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
                self.client.upload_file(str(path), load=False)
                self.client.run(keep_upload, path.name, str(target))
        return replace(job, paths=tuple(paths))
