"""The part of the engine dask-kubernetes that runs in the cluster: a Job with the analysis image."""

from __future__ import annotations

import importlib
import os
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from ..datasets.files import sha256
from ..errors import BenchError
from ..measure.phases import Phases
from ..passes import measure
from ..terminal import Terminal
from ..workloads import WORKLOADS, FccZee, TaskWorkload
from . import daskcluster
from .compat import accept_old_clusters, wait_for_names
from .dask import NODE_VARIABLE, Dask
from .envelope import Envelope, Failure, to_lines
from .infn import InfnDask
from .model import Job

JOB_VARIABLE = "BENCH_JOB"
OWNER_VARIABLE = "BENCH_JOB_UID"
WORKER_MEMORY_MIB = 1500


class JobFile(BaseModel):
    """An input file as the Job sees it."""

    model_config = ConfigDict(frozen=True)

    path: str
    sha256: str


class JobSpec(BaseModel):
    """What the Job is to do."""

    model_config = ConfigDict(frozen=True)

    name: str
    namespace: str
    image: str
    workload: str
    files: tuple[JobFile, ...]
    dataset_folder: str
    repeats: int
    replicas: int | None
    workers: int
    infn: bool
    nodes: tuple[str, ...]
    mark: str
    attachments: tuple[JobFile, ...] = ()
    smearings: int | None = None
    cold: bool = False


def placement(nodes: tuple[str, ...]) -> dict[str, Any]:
    """Only on nodes for analyses, and soon off a lost one."""
    return {
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [
                        {"matchExpressions": [
                            {"key": "kubernetes.io/hostname", "operator": "In", "values": list(nodes)}
                        ]}
                    ]
                }
            }
        },
        "tolerations": list(daskcluster.TOLERATIONS),
        "terminationGracePeriodSeconds": 10,
        "enableServiceLinks": False,
    }  # fmt: skip


def datasets_volume(folder: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Volume and mount of the nodes' inputs, which nobody may write."""
    volumes = [{"name": "datasets", "hostPath": {"path": folder, "type": "Directory"}}]
    return volumes, [{"name": "datasets", "mountPath": folder, "readOnly": True}]


def cluster_spec(spec: JobSpec, owner_uid: str) -> dict[str, Any]:
    """The DaskCluster of a Job, which owns it and takes it along."""
    volumes, mounts = datasets_volume(spec.dataset_folder)
    return daskcluster.manifest(
        daskcluster.Order(
            name=spec.name,
            image=spec.image,
            workers=spec.workers,
            worker_limit_mib=WORKER_MEMORY_MIB,
            worker_requests={"cpu": "100m", "memory": "500Mi"},
            labels={"app": "bench", "bench-run": spec.name},
            owner={"apiVersion": "batch/v1", "kind": "Job", "name": spec.name, "uid": owner_uid} if owner_uid else None,
            placement=placement(spec.nodes),
            volumes=volumes,
            mounts=mounts,
        )
    )


def kube_cluster(spec: JobSpec) -> Callable[[ExitStack], Any]:
    """A DaskCluster of its own for this run, deleted when the stack unwinds."""

    def connect(stack: ExitStack) -> Any:
        operator: Any = importlib.import_module("dask_kubernetes.operator")
        distributed: Any = importlib.import_module("distributed")
        accept_old_clusters()
        wait_for_names()
        try:
            cluster = stack.enter_context(
                operator.KubeCluster(
                    custom_cluster_spec=cluster_spec(spec, os.environ.get(OWNER_VARIABLE, "")),
                    namespace=spec.namespace,
                    quiet=True,
                )
            )
        except Exception as error:  # of the operator's client, of kr8s, of httpx: they share no base
            raise BenchError(
                f"the Dask cluster {spec.name} did not start",
                str(error),
                "See the operator: kubectl -n dask-operator logs deployment/dask-operator.",
            ) from error
        return stack.enter_context(distributed.Client(cluster))

    return connect


def run_job(spec: JobSpec, terminal: Terminal) -> Envelope:
    """Do what the Job is for."""
    try:
        for file in (*spec.files, *spec.attachments):
            check_staged(Path(file.path), file.sha256)
        paths = tuple(Path(file.path) for file in spec.files)
        workload = WORKLOADS[spec.workload]
        if isinstance(workload, TaskWorkload):
            workload = workload.with_attachments([Path(file.path) for file in spec.attachments])
        if isinstance(workload, FccZee) and spec.smearings is not None:
            workload = replace(workload, n_smearings=spec.smearings)
        job = Job.over(workload, paths)
        engine = (InfnDask if spec.infn else Dask)("dask-kubernetes", kube_cluster(spec), spec.workers)
        return Envelope(measurement=measure(job, engine, spec.repeats, spec.replicas, terminal, Phases(), spec.cold))
    except BenchError as error:
        # The command shows the sentence; the Job's log keeps where it comes from.
        traceback.print_exception(error.__cause__ or error)
        return Envelope(failure=Failure.of(error))


def check_staged(path: Path, digest: str) -> None:
    """Compare a staged file with what was sent."""
    found = sha256(path) if path.is_file() else "no file"
    if found != digest:
        raise BenchError(
            f"{path} on node {os.environ.get(NODE_VARIABLE, '?')}",
            f"its sha256 is {found} instead of {digest}",
            "Remove the folder on the node and run this again.",
        )


def main() -> None:
    """Entry point of the Job."""
    spec = JobSpec.model_validate_json(os.environ[JOB_VARIABLE])
    envelope = run_job(spec, Terminal(mark=spec.mark))
    print(*to_lines(envelope), sep="\n", flush=True)
    # A status other than 0 would make the Job look as if it had not given its result.
