"""What tests of the platform share: its variables, its users, and looks at what Kubernetes has of them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

from kubernetes import client

HUB = "jupyterhub"
# alice and bob are in the group that may log in; mallory has an account at the login service and no more
CROWD = [f"user{number:02}" for number in range(100)]
CLAIMS = [
    {"sub": "alice", "preferred_username": "alice", "groups": ["physicists"]},
    {"sub": "bob", "preferred_username": "bob", "groups": ["physicists", "others"]},
    {"sub": "mallory", "preferred_username": "mallory", "groups": ["others"]},
    *({"sub": name, "preferred_username": name, "groups": ["physicists"]} for name in CROWD),
]
OIDC = {
    "jupyterhub_authenticator": "oidc",
    "jupyterhub_allowed_groups": ["physicists"],
    "jupyterhub_oidc_client_id": "hub",
}
LOCAL = {"jupyterhub_authenticator": "local", "jupyterhub_allowed_users": ["carol"]}
# what a site with the grid has on its nodes; here a folder that is there for these tests alone
GRID = {"jupyterhub_grid": "/etc/grid-security"}
# so few that a test can use them up
QUOTA = {"jupyterhub_quota_pods": 8}

Variables = Mapping[str, Any]
Play = Callable[[Variables], subprocess.CompletedProcess[str]]


def namespaces(api: client.CoreV1Api) -> set[str]:
    return {item.metadata.name for item in api.list_namespace().items}


def pods(api: client.CoreV1Api, namespace: str) -> dict[str, client.V1Pod]:
    return {pod.metadata.name: pod for pod in api.list_namespaced_pod(namespace).items}


def clusters(namespace: str) -> list[str]:
    """Names of the Dask clusters in a namespace."""
    found = client.CustomObjectsApi().list_namespaced_custom_object(
        "kubernetes.dask.org", "v1", namespace, "daskclusters"
    )
    return [item["metadata"]["name"] for item in found["items"]]


def until(condition: Callable[[], Any], message: str | Callable[[], str], timeout_s: float = 90) -> Any:
    """The first value of `condition` that counts as true.

    Raises
    ------
    AssertionError
        There was none in time; `message` says what was waited for, or is asked for it then.
    """
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, message if isinstance(message, str) else message()
        time.sleep(0.5)
    return value


def nothing_is_left(api: client.CoreV1Api, user: str) -> None:
    """Wait until a user has no pod and no Dask cluster any more."""
    space = f"user-{user}"
    until(
        lambda: not pods(api, space) and not clusters(space), lambda: f"{set(pods(api, space))}, {clusters(space)} stay"
    )


def another_hub(api: client.CoreV1Api) -> None:
    """Delete the hub's pod, and wait until the next one is ready."""
    (hub,) = api.list_namespaced_pod(HUB, label_selector="app=hub").items
    api.delete_namespaced_pod(hub.metadata.name, HUB)

    def ready() -> bool:
        return any(
            pod.metadata.uid != hub.metadata.uid and any(each.ready for each in pod.status.container_statuses or [])
            for pod in api.list_namespaced_pod(HUB, label_selector="app=hub").items
        )

    until(ready, "no hub came back")
