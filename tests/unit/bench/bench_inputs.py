"""What the tests of `bench` have in common besides fixtures."""

from __future__ import annotations

from pathlib import Path

from bench.datasets.catalogue import CATALOGUE
from bench.datasets.inspect import layout
from bench.engines.model import Job
from bench.workloads import WORKLOADS

ZEE = CATALOGUE["fcc-zee"]
WORKLOAD = WORKLOADS["fcc-zee"]


def job_of(*paths: Path, replicas: int = 1) -> Job:
    return Job(WORKLOAD, paths, tuple(layout(path, WORKLOAD.tree) for path in paths), replicas)
