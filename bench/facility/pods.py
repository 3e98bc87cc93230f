"""Pods that hold still on a node while commands are run in them."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from .kube import NAMESPACE, Kube

START_TIMEOUT_S = 180
LIFETIME_S = 900


def helper_pod(name: str, run: str, node: str, image: str, dataset_folder: str | None) -> dict[str, Any]:
    """A pod bound to a node, past the scheduler: a cordoned node is to be looked at too.

    With `dataset_folder` it runs as root and may write that folder of the node.
    """
    container: dict[str, Any] = {
        "name": "helper",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        # Ends by itself should the command be killed before it can take the pod back.
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
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": "bench", "bench-run": run}},
        "spec": spec,
    }


@contextmanager
def helpers(
    kube: Kube, nodes: Sequence[str], image: str, purpose: str, dataset_folder: str | None = None
) -> Generator[Mapping[str, str]]:
    """One running pod on every node, by node; taken back at the end, however it comes."""
    run = f"{purpose}-{secrets.token_hex(3)}"
    names = {node: f"{run}-{number}" for number, node in enumerate(nodes)}
    try:
        for node, name in names.items():
            kube.create_pod(helper_pod(name, run, node, image, dataset_folder))
        kube.wait_for_pods(f"bench-run={run}", len(names), START_TIMEOUT_S, f"the {purpose} pods")
        yield names
    finally:
        for name in names.values():
            kube.delete_pod(name)
