"""A Dask cluster of one's own, from a notebook of the facility.

    from bench.dask import cluster
    from distributed import Client

    c = cluster(n=4)
    client = Client(c)

The cluster is in the user's own namespace and goes with his notebook server, if nobody closes it before. What it is
made of (image, memory, priorities) the facility has written into the server's environment.

Where the facility has set up the grid, the workers have the user's proxy in a file of their own, and the authorities.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import secrets
from collections.abc import Awaitable, Generator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from . import grid, grid_worker
from .engines import daskcluster
from .engines.compat import accept_old_clusters, wait_for_names
from .errors import BenchError

SETTINGS_VARIABLE = "FACILITY_DASK"
POD_VARIABLE, POD_UID_VARIABLE = "FACILITY_POD", "FACILITY_POD_UID"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
# Workers are taken away for notebooks and for other users. A task whose worker went is blamed for it, and Dask gives up
# on one that was blamed more than three times, though nothing is wrong with it.
SCHEDULER_ENVIRONMENT = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "20"}
# kubelet brings the proxy here. The worker's own copy is in memory too: no key is left on a node's disk.
PROXY_FOLDER, WORKER_PROXY = "/run/grid-proxy", "/dev/shm/x509up"


class Settings(BaseModel):
    """What the facility says of its users' clusters.

    Attributes
    ----------
    worker_limit_mib : memory at which a worker is killed
    worker_requests : processor and memory that a node must have left for a worker
    priority_interactive, priority_batch : priority classes; workers of the second give way to all else
    priority_scheduler : priority class of schedulers, which give way to no worker; empty: that of interactive workers
    queue_interactive, queue_batch : queues that share the facility between its users, in which workers wait for their
        turn; empty where there are none
    idle_timeout_s : after which a cluster without work is removed
    datasets_claim, datasets_folder : the volume of the nodes' inputs, and where it is seen
    grid_claim, grid_folder : the volume with the authorities' certificates, and where it is seen; empty without grid
    proxy_secret : the Secret with the user's grid proxy; empty without grid
    """

    model_config = ConfigDict(frozen=True)

    image: str
    namespace: str
    worker_limit_mib: int
    worker_requests: dict[str, str]
    priority_interactive: str
    priority_batch: str
    idle_timeout_s: int
    priority_scheduler: str = ""
    queue_interactive: str = ""
    queue_batch: str = ""
    datasets_claim: str = ""
    datasets_folder: str = ""
    grid_claim: str = ""
    grid_folder: str = ""
    proxy_secret: str = ""


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
    claims = (
        ("datasets", settings.datasets_claim, settings.datasets_folder),
        ("grid", settings.grid_claim, settings.grid_folder),
    )
    volumes: list[dict[str, Any]] = [
        {"name": name, "persistentVolumeClaim": {"claimName": claim, "readOnly": True}}
        for name, claim, _ in claims
        if claim
    ]
    mounts = [{"name": name, "mountPath": folder, "readOnly": True} for name, claim, folder in claims if claim]
    environment: dict[str, str] = {}
    if settings.grid_claim:
        environment["X509_CERT_DIR"] = f"{settings.grid_folder}/certificates"
        environment["X509_VOMS_DIR"] = f"{settings.grid_folder}/vomsdir"
    if settings.proxy_secret:
        secret = {"secretName": settings.proxy_secret, "optional": True, "defaultMode": 0o440}
        volumes.append({"name": "grid-proxy", "secret": secret})
        mounts.append({"name": "grid-proxy", "mountPath": PROXY_FOLDER, "readOnly": True})
        environment[grid_worker.SOURCE_VARIABLE] = f"{PROXY_FOLDER}/{grid.SECRET_KEY}"
        environment[grid_worker.TARGET_VARIABLE] = WORKER_PROXY
    queue = settings.queue_batch if batch else settings.queue_interactive
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
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 1000,
                    "runAsGroup": 1000,
                    # what a Secret's files belong to: they are for the group to read
                    "fsGroup": 1000,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "nodeSelector": {"node-role.kubernetes.io/worker": ""},
                "tolerations": list(daskcluster.TOLERATIONS),
                "terminationGracePeriodSeconds": 10,
            },
            scheduler_placement={"priorityClassName": settings.priority_scheduler or settings.priority_interactive},
            scheduler_environment=SCHEDULER_ENVIRONMENT,
            worker_placement={"priorityClassName": settings.priority_batch if batch else settings.priority_interactive},
            worker_labels={QUEUE_LABEL: queue} if queue else {},
            volumes=volumes,
            mounts=mounts,
            security={"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            idle_timeout_s=settings.idle_timeout_s,
            worker_environment=environment,
            preload=[grid_worker.__name__] if settings.proxy_secret else [],
        )
    )


@dataclass(frozen=True)
class Adapting:
    """That a cluster adapts to its work; may be awaited until it does."""

    minimum: int | None
    maximum: int | None
    begun: Awaitable[None]

    def __await__(self) -> Generator[Any, None, None]:
        return self.begun.__await__()


def adapting_at_once(base: Any) -> Any:
    """`base`, a KubeCluster, as dask-labextension takes clusters: `adapt` gives the limits, and nobody awaits it."""

    def adapt(self: Any, minimum: int | None = None, maximum: int | None = None) -> Adapting:
        return Adapting(minimum, maximum, asyncio.ensure_future(base.adapt(self, minimum, maximum)))

    return type(base.__name__, (base,), {"adapt": adapt})


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
    if facility.proxy_secret:
        grid.keeper(facility.namespace, facility.proxy_secret).look()
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
    kind = adapting_at_once(operator.KubeCluster) if asynchronous else operator.KubeCluster
    try:
        return kind(custom_cluster_spec=spec, namespace=facility.namespace, quiet=True, asynchronous=asynchronous)
    except Exception as error:  # of the operator's client, of kr8s, of httpx: they share no base
        raise BenchError(
            f"the Dask cluster {spec['metadata']['name']} did not start",
            str(error) or type(error).__name__,
            "See that your quota is not used up (close clusters that you no longer need), then try again.",
        ) from error
