"""A pass in a process that has compiled nothing yet."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from .model import Job, local_pass


def cold_pass_s(job: Job) -> float:
    """Overall time of a serial pass, compiling included, in a new process of this machine."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(overall_s, job).result()


def overall_s(job: Job) -> float:
    """Overall time of a pass in the calling process."""
    return local_pass(job).overall_s
