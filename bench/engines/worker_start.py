"""How long a Dask cluster of the operator's takes until its workers are there."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any

from ..errors import BenchError
from ..facility.kube import NAMESPACE, Kube, PodState
from ..facility.pods import wait_until_gone
from ..facility.scripted import Found, run_script
from .incluster import JobSpec, cluster_spec

TIMEOUT_S = 120.0
PORT = 8787


class Workers(Found):
    """Workers that the scheduler knows."""

    workers: int
    said: str = ""


def owned_by(cluster: dict[str, Any], pod: PodState) -> dict[str, Any]:
    """The cluster as one that goes with a pod, should nobody be left to delete it."""
    owner = {"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": pod.uid}
    return {**cluster, "metadata": {**cluster["metadata"], "ownerReferences": [owner]}}


def measure_workers(kube: Kube, asker: PodState, nodes: Sequence[str], image: str, folder: str) -> float:
    """Seconds from the request for a cluster with one worker a node until its scheduler knows them all.

    Parameters
    ----------
    asker : PodState
        A pod that asks the scheduler, and that owns the cluster.

    Raises
    ------
    BenchError
        They do not come.
    """
    name = f"workers-{secrets.token_hex(3)}"
    spec = JobSpec(
        name=name, namespace=NAMESPACE, image=image, workload="", files=(), dataset_folder=folder,
        repeats=1, replicas=None, workers=len(nodes), infn=False, nodes=tuple(nodes), mark="",
    )  # fmt: skip
    selector = f"dask.org/cluster-name={name}"
    try:
        begun = time.monotonic()
        kube.create_dask_cluster(owned_by(cluster_spec(spec, ""), asker))
        address = f"http://{name}-scheduler.{NAMESPACE}:{PORT}"
        found = run_script(kube, asker.name, Workers, "workers", address, len(nodes), TIMEOUT_S)
        taken_s = time.monotonic() - begun
        if found.workers < len(nodes):
            states = "; ".join(f"{pod.name}: {pod.phase} {pod.message}".strip() for pod in kube.pods(selector))
            raise BenchError(
                f"{len(nodes)} Dask workers",
                f"{found.workers} came in {TIMEOUT_S:g} s ({states or 'no pod was made'}) {found.said}".strip(),
                "See the operator: kubectl -n dask-operator logs deployment/dask-operator.",
            )
        return taken_s
    finally:
        kube.delete_dask_cluster(name)
        wait_until_gone(kube, selector)
