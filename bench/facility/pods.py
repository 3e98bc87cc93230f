"""Pods that hold still on a node while commands are run in them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from .kube import NAMESPACE, Kube

START_TIMEOUT_S = 180
GONE_TIMEOUT_S = 30
LIFETIME_S = 900


def helper_job(name: str, run: str, node: str, image: str, dataset_folder: str | None) -> dict[str, Any]:
    """A Job of one pod bound to a node, past the scheduler: a cordoned node is to be looked at too.

    It is a Job because that ends by itself and is removed by the cluster, should the command be killed before it can
    take it back. With `dataset_folder` the pod runs as root and may write that folder of the node.
    """
    container: dict[str, Any] = {
        "name": "helper",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", str(LIFETIME_S)],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
    }
    spec: dict[str, Any] = {
        "nodeName": node,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
    }
    if dataset_folder is not None:
        container["securityContext"] = {"runAsUser": 0, "runAsGroup": 0}
        container["volumeMounts"] = [{"name": "datasets", "mountPath": dataset_folder}]
        spec["volumes"] = [
            {"name": "datasets", "hostPath": {"path": dataset_folder, "type": "DirectoryOrCreate"}},
        ]
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


@contextmanager
def helpers(
    kube: Kube, nodes: Sequence[str], image: str, purpose: str, dataset_folder: str | None = None
) -> Generator[Mapping[str, str]]:
    """Names of one running pod on every node, by node; taken back at the end, however it comes."""
    run = f"{purpose}-{secrets.token_hex(3)}"
    selector = f"bench-run={run}"
    jobs = {node: f"{run}-{number}" for number, node in enumerate(nodes)}
    try:
        for node, name in jobs.items():
            kube.create_job(helper_job(name, run, node, image, dataset_folder))
        pods = kube.wait_for_pods(selector, len(jobs), START_TIMEOUT_S, f"the {purpose} pods")
        yield {pod.node: pod.name for pod in pods}
    finally:
        for name in jobs.values():
            kube.delete_job(name)
        deadline = time.monotonic() + GONE_TIMEOUT_S
        while kube.pods(selector) and time.monotonic() < deadline:
            time.sleep(0.2)
