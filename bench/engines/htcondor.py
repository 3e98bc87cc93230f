"""Dask workers as jobs of HTCondor, by dask-jobqueue's HTCondorCluster.

The scheduler runs in this process; every worker is a job of one core and one thread. What a site needs besides (a
container image, an accounting group, a folder for logs) goes into Dask's own configuration, `jobqueue.htcondor`.
"""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from queue import Empty, Queue
from typing import Any

from ..errors import BenchError, Exit
from .dask import keep_silent_workers

WORKER_MEMORY = "1500MiB"
WORKER_DISK = "1GiB"
SUBMIT_TIMEOUT_S = 60
# A worker has one core: libraries that count the machine's would start a thread for each.
ONE_THREAD = tuple(
    f"export {name}=1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_THREADS")
)


def directives() -> dict[str, str]:
    """Lines of the submit description besides dask-jobqueue's own.

    A proxy certificate is named to HTCondor, which brings it to the job and keeps it fresh; a path in the
    environment would point nowhere on the worker's machine.
    """
    dask: Any = importlib.import_module("dask")
    configured: dict[str, str] = dask.config.get("jobqueue.htcondor.job-extra-directives", None) or {}
    proxy = os.environ.get("X509_USER_PROXY")
    return {**configured, **({"x509userproxy": proxy, "use_x509userproxy": "true"} if proxy else {})}


def htcondor_cluster(workers: int) -> Callable[[ExitStack], Any]:
    """Worker jobs on the HTCondor pool that `condor_submit` talks to; removed at the end, started or not.

    Raises
    ------
    BenchError
        There is no `condor_submit` here (status 2), or it refuses the jobs.
    """

    def connect(stack: ExitStack) -> Any:
        if not shutil.which("condor_submit"):
            raise BenchError(
                "--engine htcondor",
                "there is no condor_submit on this machine",
                "Run it where jobs of HTCondor are submitted from.",
                Exit.CANNOT_TELL,
            )
        distributed: Any = importlib.import_module("distributed")
        jobqueue: Any = importlib.import_module("dask_jobqueue.htcondor")
        base: Any = jobqueue.HTCondorJob
        answers: Queue[str] = Queue()

        class Told(base):
            """A job whose submission is told; dask-jobqueue only logs that one was refused."""

            async def _submit_job(self, script: str) -> Any:
                try:
                    number: Any = await base._submit_job(self, script)
                except Exception as error:
                    answers.put(" ".join(str(error).split()))
                    # Otherwise the cluster takes it for one that is still to come, and cannot be closed.
                    self.status = distributed.Status.failed
                    raise
                answers.put("")
                return number

        stack.enter_context(keep_silent_workers())
        cluster = stack.enter_context(
            jobqueue.HTCondorCluster(
                job_cls=Told,
                n_workers=workers,
                cores=1,
                processes=1,
                memory=WORKER_MEMORY,
                disk=WORKER_DISK,
                job_script_prologue=list(ONE_THREAD),
                job_extra_directives=directives(),
                scheduler_options={"dashboard": False},
            )
        )
        for _ in range(workers):
            try:
                problem = answers.get(timeout=SUBMIT_TIMEOUT_S)
            except Empty:
                problem = f"condor_submit has not answered for {SUBMIT_TIMEOUT_S} s"
            if problem:
                next_step = "See whether condor_submit and condor_q work by hand."
                raise BenchError("--engine htcondor: a job could not be submitted", problem, next_step)
        return stack.enter_context(distributed.Client(cluster))

    return connect
