"""Pods that hold still on a node while commands are run in them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..errors import BenchError
from .kube import NAMESPACE, Kube, PodState, is_hopeless

START_TIMEOUT_S = 180
GONE_TIMEOUT_S = 30
LIFETIME_S = 900
# How often the API is asked whether a pod runs: what a start is measured to.
LOOK_S = 0.1


@dataclass(frozen=True)
class Shape:
    """What a pod does and what of its node it sees, as Kubernetes writes volumes and their mounts."""

    command: tuple[str, ...] = ("sleep", str(LIFETIME_S))
    volumes: tuple[Mapping[str, Any], ...] = ()
    mounts: tuple[Mapping[str, Any], ...] = ()
    root: bool = False


def writing(folder: str) -> Shape:
    """A pod that runs as root and may write that folder of the node."""
    volume = {"name": "datasets", "hostPath": {"path": folder, "type": "DirectoryOrCreate"}}
    return Shape(volumes=(volume,), mounts=({"name": "datasets", "mountPath": folder},), root=True)


def helper_job(name: str, run: str, node: str, image: str, shape: Shape) -> dict[str, Any]:
    """A Job of one pod bound to a node, past the scheduler: a cordoned node is to be looked at too.

    It is a Job because that ends by itself and is removed by the cluster, should the command be killed before it can
    take it back.
    """
    container: dict[str, Any] = {
        "name": "helper",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(shape.command),
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
        "volumeMounts": list(shape.mounts),
    }
    if shape.root:
        container["securityContext"] = {"runAsUser": 0, "runAsGroup": 0}
    spec: dict[str, Any] = {
        "nodeName": node,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
        "volumes": list(shape.volumes),
    }
    labels = {"app": "bench", "bench-run": run}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": LIFETIME_S,
            "ttlSecondsAfterFinished": 60,
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


@dataclass(frozen=True)
class Helpers:
    """What became of one pod on every node: those that run, how long each took to start, and why the others do not."""

    pods: Mapping[str, PodState]
    started_s: Mapping[str, float]
    failures: Mapping[str, str] = field(default_factory=dict[str, str])


@contextmanager
def each_helper(
    kube: Kube,
    nodes: Sequence[str],
    image: str,
    purpose: str,
    shape: Shape,
    timeout_s: float = START_TIMEOUT_S,
) -> Generator[Helpers]:
    """One pod on every node, whether or not it comes to run; taken back at the end, however it comes."""
    run = f"{purpose}-{secrets.token_hex(3)}"
    jobs = {node: f"{run}-{number}" for number, node in enumerate(nodes)}
    try:
        begun: dict[str, float] = {}
        for node, name in jobs.items():
            begun[node] = time.monotonic()
            kube.create_job(helper_job(name, run, node, image, shape))
        yield wait_for_each(kube, f"bench-run={run}", begun, timeout_s)
    finally:
        for name in jobs.values():
            kube.delete_job(name)
        wait_until_gone(kube, f"bench-run={run}")


def wait_for_each(kube: Kube, selector: str, begun: Mapping[str, float], timeout_s: float) -> Helpers:
    """Wait until every pod is ready or hopeless, or the time is over."""
    ready: dict[str, PodState] = {}
    started_s: dict[str, float] = {}
    failures: dict[str, str] = {}
    deadline = time.monotonic() + timeout_s
    while True:
        seen = {pod.node: pod for pod in kube.pods(selector)}
        for node, pod in seen.items():
            if node not in ready and pod.ready:
                ready[node], started_s[node] = pod, time.monotonic() - begun[node]
            elif pod.phase == "Failed" or is_hopeless(pod.message):
                failures[node] = f"{pod.phase} {pod.message}".strip()
        late = time.monotonic() > deadline
        if late or len(ready) + len(failures) >= len(begun):
            for node in begun.keys() - ready.keys() - failures.keys():
                pod = seen.get(node)
                state = f"{pod.phase} {pod.message}".strip() if pod else "no pod was made"
                failures[node] = f"{state} after {timeout_s:g} s"
            return Helpers(ready, started_s, failures)
        time.sleep(LOOK_S)


def wait_until_gone(kube: Kube, selector: str) -> None:
    """Wait for pods that were deleted, for a while."""
    deadline = time.monotonic() + GONE_TIMEOUT_S
    while kube.pods(selector) and time.monotonic() < deadline:
        time.sleep(0.2)


@contextmanager
def helpers(
    kube: Kube, nodes: Sequence[str], image: str, purpose: str, dataset_folder: str | None = None
) -> Generator[Mapping[str, str]]:
    """Names of one running pod on every node, by node; with `dataset_folder` they may write that folder of it.

    Raises
    ------
    BenchError
        One of them does not run.
    """
    shape = writing(dataset_folder) if dataset_folder else Shape()
    with each_helper(kube, nodes, image, purpose, shape) as started:
        if started.failures:
            raise BenchError(
                f"the {purpose} pods did not start",
                "; ".join(f"on {node}: {why}" for node, why in started.failures.items()),
                f"kubectl --kubeconfig {kube.kubeconfig} -n {NAMESPACE} get events shows more.",
            )
        yield {node: pod.name for node, pod in started.pods.items()}
