"""A Dask cluster of one's own, from a notebook of the facility.

    from bench.dask import cluster
    from distributed import Client

    c = cluster(n=4)
    client = Client(c)

The cluster is in the user's own namespace and goes with his notebook server, if nobody closes it before. What it is
made of (image, memory, priorities) the facility has written into the server's environment.
"""

from __future__ import annotations

import importlib
import os
import secrets
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from .engines import daskcluster
from .engines.compat import accept_old_clusters, wait_for_names
from .errors import BenchError

SETTINGS_VARIABLE = "FACILITY_DASK"
POD_VARIABLE, POD_UID_VARIABLE = "FACILITY_POD", "FACILITY_POD_UID"


class Settings(BaseModel):
    """What the facility says of its users' clusters.

    Attributes
    ----------
    worker_limit_mib : memory at which a worker is killed
    worker_requests : processor and memory that a node must have left for a worker
    priority_interactive, priority_batch : priority classes; workers of the second give way to all else
    idle_timeout_s : after which a cluster without work is removed
    datasets_claim, datasets_folder : the volume of the nodes' inputs, and where it is seen
    """

    model_config = ConfigDict(frozen=True)

    image: str
    namespace: str
    worker_limit_mib: int
    worker_requests: dict[str, str]
    priority_interactive: str
    priority_batch: str
    idle_timeout_s: int
    datasets_claim: str = ""
    datasets_folder: str = ""


def settings() -> Settings:
    """The facility's settings, as the environment of this server has them.

    Raises
    ------
    BenchError
        This is no notebook server of a facility.
    """
    try:
        return Settings.model_validate_json(os.environ[SETTINGS_VARIABLE])
    except (KeyError, ValidationError) as error:
        raise BenchError(
            "no Dask cluster can be made here",
            f"{SETTINGS_VARIABLE} is not set as in a notebook of the facility ({type(error).__name__})",
            "Use a notebook of the facility's JupyterHub; elsewhere connect to a scheduler by its address.",
        ) from error


def manifest(n: int, settings: Settings, *, name: str, batch: bool, owner: tuple[str, str] | None) -> dict[str, Any]:
    """The DaskCluster: restricted as everything in a user's namespace, and owned by the notebook server's pod."""
    volumes: list[dict[str, Any]] = []
    mounts: list[dict[str, Any]] = []
    if settings.datasets_claim:
        volumes = [
            {"name": "datasets", "persistentVolumeClaim": {"claimName": settings.datasets_claim, "readOnly": True}}
        ]
        mounts = [{"name": "datasets", "mountPath": settings.datasets_folder, "readOnly": True}]
    return daskcluster.manifest(
        daskcluster.Order(
            name=name,
            image=settings.image,
            workers=n,
            worker_limit_mib=settings.worker_limit_mib,
            worker_requests=settings.worker_requests,
            owner=owner and {"apiVersion": "v1", "kind": "Pod", "name": owner[0], "uid": owner[1]},
            placement={
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "priorityClassName": settings.priority_interactive,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 1000,
                    "runAsGroup": 1000,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "nodeSelector": {"node-role.kubernetes.io/worker": ""},
                "tolerations": list(daskcluster.TOLERATIONS),
                "terminationGracePeriodSeconds": 10,
            },
            worker_placement={"priorityClassName": settings.priority_batch} if batch else {},
            volumes=volumes,
            mounts=mounts,
            security={"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            idle_timeout_s=settings.idle_timeout_s,
        )
    )


def cluster(n: int = 2, *, batch: bool = False, name: str | None = None, asynchronous: bool = False) -> Any:
    """Start a Dask cluster of `n` single-threaded workers.

    Parameters
    ----------
    n : workers to begin with; `scale` and `adapt` change their number later
    batch : whether the workers give way to interactive work of any user when the facility is full
    name : of the cluster; a new one by default
    asynchronous : for use in an event loop; the result is then awaited

    Returns
    -------
    dask_kubernetes.operator.KubeCluster

    Raises
    ------
    BenchError
        This is no notebook server of a facility, or the cluster did not start.
    """
    facility = settings()
    pod, uid = os.environ.get(POD_VARIABLE), os.environ.get(POD_UID_VARIABLE)
    spec = manifest(
        n,
        facility,
        name=name or f"dask-{secrets.token_hex(4)}",
        batch=batch,
        owner=(pod, uid) if pod and uid else None,
    )
    operator: Any = importlib.import_module("dask_kubernetes.operator")
    accept_old_clusters()
    wait_for_names()
    try:
        return operator.KubeCluster(
            custom_cluster_spec=spec, namespace=facility.namespace, quiet=True, asynchronous=asynchronous
        )
    except Exception as error:  # of the operator's client, of kr8s, of httpx: they share no base
        raise BenchError(
            f"the Dask cluster {spec['metadata']['name']} did not start",
            str(error) or type(error).__name__,
            "See that your quota is not used up (close clusters that you no longer need), then try again.",
        ) from error
