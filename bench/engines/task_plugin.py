"""How a task workload comes to the workers of a Dask cluster: once to each, also to those that come later."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from ..errors import BenchError
from ..workloads.tasks import Partial, TaskWorkload

WorkerPlugin: Any = importlib.import_module("distributed").WorkerPlugin


class Installed(WorkerPlugin):
    """Keeps a workload in a worker's process; a worker that comes in place of one that died gets it too."""

    # Under a name that is known already, nothing is sent again.
    idempotent = True

    def __init__(self, name: str, workload: TaskWorkload) -> None:
        self.name = name
        self.workload = workload
        self.warm = False

    def ready(self) -> TaskWorkload:
        """The workload, warmed up in this process."""
        if not self.warm:
            self.workload.warm_up()
            self.warm = True
        return self.workload


def process_id() -> int:
    """Number of the calling process; sent to every worker."""
    return os.getpid()


def run_task(task: Any, name: str, folder: str, dask_worker: Any = None) -> Partial | BenchError:
    """Do a task of the workload that is installed under a name; run on a worker, which Dask fills in or is asked for.

    An error that would come again is a value: what a task raises, Dask tries again.
    """
    worker = dask_worker or importlib.import_module("distributed").get_worker()
    Path(folder).mkdir(parents=True, exist_ok=True)
    try:
        return worker.plugins[name].ready().process(task, Path(folder))
    except BenchError as error:
        return error
