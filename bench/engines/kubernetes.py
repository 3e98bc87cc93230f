"""Run a workload in the facility's Kubernetes: stage the input, submit a Job, show its log, bring the result back."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..datasets.staging import NODE_FOLDER, node_path, stage
from ..errors import BenchError, Exit
from ..facility.kube import NAMESPACE, Kube, KubeNode
from ..facility.site import Facility
from ..measure.phases import Phases
from ..report.model import Measurement
from ..terminal import Terminal
from .dask import NODE_VARIABLE
from .envelope import MARK, from_lines
from .incluster import (
    JOB_VARIABLE,
    OWNER_VARIABLE,
    WORKER_MEMORY_MIB,
    JobFile,
    JobSpec,
    datasets_volume,
    placement,
)

JOB_TIMEOUT_S = 1800
START_TIMEOUT_S = 180
# A worker killed by force takes its 10 s of grace, its node's kubelet some more.
LEFTOVERS_TIMEOUT_S = 60
SERVICE_ACCOUNT = "bench"


@dataclass(frozen=True)
class Request:
    """What is to be measured, in terms of this machine."""

    workload: str
    files: Mapping[Path, str]
    repeats: int
    replicas: int | None
    workers: int | None
    infn: bool = False
    attachments: Mapping[Path, str] = field(default_factory=dict[Path, str])
    smearings: int | None = None
    cold: bool = False


def staged(files: Mapping[Path, str]) -> tuple[JobFile, ...]:
    """Files with their sha256 as they lie on the nodes."""
    return tuple(JobFile(path=str(node_path(path, digest)), sha256=digest) for path, digest in files.items())


def analysis_nodes(facility: Facility, nodes: list[KubeNode]) -> list[KubeNode]:
    """The nodes that analyses run on and that can take work now.

    Raises
    ------
    BenchError
        There is none.
    """
    workers = set(facility.workers())
    usable = [node for node in nodes if node.name in workers and node.ready and node.schedulable]
    if not usable:
        raise BenchError(
            f"no node of {facility.facility} can take an analysis",
            f"of {', '.join(sorted(workers)) or 'no node in group worker'} none is Ready and open for pods",
            f"See `bench validate --site {facility.site}`.",
        )
    return usable


def default_workers(facility: Facility, nodes: list[KubeNode]) -> int:
    """A worker for each core and 1.5 GiB that a node can give; one a node where nodes share their cores."""
    if facility.allow_overcommit:
        return len(nodes)
    by_memory = [node.allocatable_memory_bytes // (WORKER_MEMORY_MIB << 20) for node in nodes]
    return sum(max(1, min(int(node.allocatable_cores), fit)) for node, fit in zip(nodes, by_memory, strict=True))


def job_manifest(spec: JobSpec) -> dict[str, Any]:
    """The Job. It ends by itself and is removed by the cluster, even if nobody is left to delete it."""
    volumes, mounts = datasets_volume(spec.dataset_folder)
    labels = {"app": "bench", "bench-run": spec.name}
    container = {
        "name": "bench",
        "image": spec.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-W", "ignore", "-m", "bench", "in-cluster"],
        "env": [
            {"name": JOB_VARIABLE, "value": spec.model_dump_json()},
            {"name": OWNER_VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['controller-uid']"}}},
            {"name": NODE_VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "PYTHONUNBUFFERED", "value": "1"},
        ],
        "resources": {
            "requests": {"cpu": "100m", "memory": "500Mi"},
            "limits": {"memory": f"{WORKER_MEMORY_MIB}Mi"},
        },
        "volumeMounts": mounts,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": spec.name, "namespace": spec.namespace, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": JOB_TIMEOUT_S,
            "ttlSecondsAfterFinished": 600,
            "template": {
                "metadata": {"labels": {**labels, "bench-part": "driver"}},
                "spec": {
                    **placement(spec.nodes),
                    "serviceAccountName": SERVICE_ACCOUNT,
                    "restartPolicy": "Never",
                    "containers": [container],
                    "volumes": volumes,
                },
            },
        },
    }


def run_in_cluster(request: Request, facility: Facility, kube: Kube, terminal: Terminal, phases: Phases) -> Measurement:
    """Measure in the cluster, and leave nothing there but the staged input.

    Raises
    ------
    BenchError
        The Job could not be run, or has said itself why it has no result.
    """
    image = analysis_image(facility)
    with phases.phase("look at nodes"):
        nodes = analysis_nodes(facility, kube.nodes())
    names = tuple(node.name for node in nodes)
    workers = request.workers or default_workers(facility, nodes)
    terminal.say(f"{workers} workers on {', '.join(names)}; image {image}")
    with phases.phase("stage"), terminal.step("input to the nodes"):
        stage(kube, names, image, {**request.files, **request.attachments}, terminal)
    spec = JobSpec(
        name=f"bench-{secrets.token_hex(4)}",
        namespace=NAMESPACE,
        image=image,
        workload=request.workload,
        files=staged(request.files),
        attachments=staged(request.attachments),
        dataset_folder=str(NODE_FOLDER),
        repeats=request.repeats,
        replicas=request.replicas,
        workers=workers,
        infn=request.infn,
        smearings=request.smearings,
        cold=request.cold,
        nodes=names,
        mark=terminal.mark,
    )
    try:
        with phases.phase("Job"):
            kube.create_job(job_manifest(spec))
            return collect(kube, spec, terminal)
    finally:
        with phases.phase("clean up"):
            clean_up(kube, spec.name, terminal, failing=sys.exc_info()[0] is not None)


def check_operator(facility: Facility, kube: Kube) -> None:
    """See that the cluster knows what a DaskCluster is.

    Raises
    ------
    BenchError
        It does not.
    """
    try:
        kube.dask_clusters()
    except BenchError as error:
        if error.status is Exit.CANNOT_TELL:
            raise
        raise BenchError(
            f"site {facility.site} cannot make Dask clusters",
            f"the Dask operator is not installed ({error.why})",
            "Run the playbook site.yml: role dask_operator brings it.",
        ) from error


def clean_up(kube: Kube, run: str, terminal: Terminal, failing: bool) -> None:
    """Take back what a run has made; an error of its own must not hide the one on its way."""
    try:
        kube.delete_job(run)
        wait_until_gone(kube, run)
    except BenchError as error:
        if not failing:
            raise
        terminal.say(str(error))


def analysis_image(facility: Facility) -> str:
    """The image that the facility's analyses run in, by digest.

    Raises
    ------
    BenchError
        The facility has none.
    """
    if not facility.analysis_image:
        raise BenchError(
            f"site {facility.site} names no analysis image",
            "`analysis_image` in facility.json is empty",
            "Set it in the site's group_vars and run the playbook site.yml.",
        )
    return facility.analysis_image


def collect(kube: Kube, spec: JobSpec, terminal: Terminal) -> Measurement:
    """Show the Job's log while it runs, then take the result out of it."""
    selector = f"bench-run={spec.name},bench-part=driver"
    pod = kube.wait_for_pods(selector, 1, START_TIMEOUT_S, f"the Job {spec.name}")[0].name
    shown = 0
    deadline = time.monotonic() + JOB_TIMEOUT_S
    while True:
        for number, line in enumerate(kube.follow_log(pod)):
            # The connection may break and be made again: what was shown is not shown twice.
            if number >= shown and not line.startswith(MARK):
                terminal.console.print(f"  │ {line}", markup=False, soft_wrap=True)
            shown = max(shown, number + 1)
        state = next(iter(kube.pods(selector)), None)
        if state is None or state.phase in ("Succeeded", "Failed") or time.monotonic() > deadline:
            break
        time.sleep(1)
    if state is None:
        raise BenchError(
            f"the pod of Job {spec.name} has gone", "somebody deleted it, or its node was lost", "Run this again."
        )
    lines = kube.log(pod).splitlines()
    envelope = from_lines(lines)
    if envelope is None:
        last = "\n    ".join(line for line in lines[-15:] if not line.startswith(MARK))
        raise BenchError(
            f"the Job {spec.name} on {state.node} ended without a result",
            f"{state.phase} {state.message}; its last lines:\n    {last}",
            "Run this again; `bench validate` shows whether the nodes are sound.",
        )
    if envelope.failure is not None or envelope.measurement is None:
        raise envelope.failure.error() if envelope.failure else AssertionError("an empty envelope")
    return envelope.measurement


def wait_until_gone(kube: Kube, run: str) -> None:
    """Wait for the last pod and the Dask cluster of a run to be gone.

    Raises
    ------
    BenchError
        They stay.
    """
    deadline = time.monotonic() + LEFTOVERS_TIMEOUT_S
    while True:
        left = [pod.name for pod in kube.pods(f"bench-run={run}")]
        left += [pod.name for pod in kube.pods(f"dask.org/cluster-name={run}")]
        left += [name for name in kube.dask_clusters() if name == run]
        if not left:
            return
        if time.monotonic() > deadline:
            raise BenchError(
                f"{', '.join(sorted(set(left)))} of run {run} are left in namespace {NAMESPACE}",
                f"they were not gone {LEFTOVERS_TIMEOUT_S} s after the Job was deleted",
                f"Delete them: kubectl -n {NAMESPACE} delete job,daskcluster,pod -l bench-run={run}",
            )
        time.sleep(0.5)
