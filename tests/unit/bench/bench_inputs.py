"""What the tests of `bench` have in common besides fixtures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.datasets.catalogue import CATALOGUE
from bench.engines.model import Job
from bench.workloads import WORKLOADS

ZEE = CATALOGUE["fcc-zee"]
WORKLOAD = WORKLOADS["fcc-zee"]


def job_of(*paths: Path, replicas: int = 1) -> Job:
    return replace(Job.over(WORKLOAD, paths), replicas=replicas)
