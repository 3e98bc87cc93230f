"""A DaskCluster as an object of Kubernetes: a scheduler and single-threaded workers, whoever orders it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .dask import NODE_VARIABLE

SCHEDULER_PORTS = {"tcp-comm": 8786, "http-dashboard": 8787}
# What is left of a worker's limit for what Dask does not count.
HEADROOM_MIB = 100
# On nodes for analyses, whatever else they are; off a lost node within 20 s instead of Kubernetes' 300.
TOLERATIONS: tuple[dict[str, Any], ...] = (
    {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"},
    *(
        {"key": f"node.kubernetes.io/{state}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 20}
        for state in ("not-ready", "unreachable")
    ),
)


@dataclass(frozen=True)
class Order:
    """What a cluster is made of.

    Attributes
    ----------
    image : of scheduler and workers, that of whoever connects
    worker_limit_mib : memory at which a worker's container is killed; Dask's own limit lies below it
    worker_requests : processor and memory that a node must have left for a worker
    owner : the object with which the cluster goes, as an owner reference; None for nobody
    placement : where scheduler and workers run, and what else holds for their pods
    scheduler_placement, worker_placement : what holds for the pods of one of them beside that
    worker_labels : of the workers' pods, beside those that the operator gives them
    security : of every container
    scheduler_environment : variables of the scheduler's container
    worker_environment : variables of the workers' containers, beside those that every worker has
    preload : modules that a worker's process loads before it takes a task
    """

    name: str
    image: str
    workers: int
    worker_limit_mib: int
    worker_requests: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    owner: Mapping[str, str] | None = None
    placement: Mapping[str, Any] = field(default_factory=dict[str, Any])
    scheduler_placement: Mapping[str, Any] = field(default_factory=dict[str, Any])
    worker_placement: Mapping[str, Any] = field(default_factory=dict[str, Any])
    worker_labels: Mapping[str, str] = field(default_factory=dict[str, str])
    volumes: Sequence[Mapping[str, Any]] = ()
    mounts: Sequence[Mapping[str, Any]] = ()
    security: Mapping[str, Any] | None = None
    scheduler_environment: Mapping[str, str] = field(default_factory=dict[str, str])
    worker_environment: Mapping[str, str] = field(default_factory=dict[str, str])
    preload: Sequence[str] = ()
    idle_timeout_s: int = 600


def variables(environment: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in environment.items()]


def manifest(order: Order) -> dict[str, Any]:
    """The DaskCluster.

    The commands are spelled out because the operator's default names scripts that distributed no longer has. The owner
    takes the cluster along, even where nobody is left to close it.
    """
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"dask.org/cluster-name": order.name, "dask.org/component": "worker"}},
    }
    common: dict[str, Any] = {"image": order.image, "imagePullPolicy": "IfNotPresent"}
    if order.security:
        common["securityContext"] = order.security
    worker = common | {
        "name": "worker",
        "args": [
            "dask", "worker", "--nthreads", "1", "--memory-limit", f"{order.worker_limit_mib - HEADROOM_MIB}MiB",
            "--no-dashboard", "--name", "$(DASK_WORKER_NAME)", "--death-timeout", "120",
            *(argument for module in order.preload for argument in ("--preload", module)),
        ],
        "env": [
            {"name": NODE_VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "MALLOC_TRIM_THRESHOLD_", "value": "0"},
            *({"name": f"{library}_NUM_THREADS", "value": "1"} for library in ("OMP", "OPENBLAS", "MKL")),
            *variables(order.worker_environment),
        ],
        "resources": {
            "requests": dict(order.worker_requests),
            "limits": {"memory": f"{order.worker_limit_mib}Mi"},
        },
        "volumeMounts": list(order.mounts),
    }  # fmt: skip
    scheduler = common | {
        "name": "scheduler",
        "args": ["dask", "scheduler", "--host", "0.0.0.0"],
        "env": variables(order.scheduler_environment),
        "ports": [
            {"name": name, "containerPort": port, "protocol": "TCP"} for name, port in SCHEDULER_PORTS.items()
        ],
        "resources": {"requests": {"cpu": "50m", "memory": "200Mi"}, "limits": {"memory": "600Mi"}},
        "readinessProbe": {
            "httpGet": {"port": "http-dashboard", "path": "/health"}, "initialDelaySeconds": 1, "periodSeconds": 2,
        },
    }  # fmt: skip
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": {
            "name": order.name,
            "labels": dict(order.labels),
            "ownerReferences": [dict(order.owner)] if order.owner else [],
        },
        "spec": {
            "idleTimeout": order.idle_timeout_s,
            "worker": {
                "replicas": order.workers,
                "metadata": {"labels": dict(order.worker_labels)},
                "spec": {
                    **order.placement,
                    **order.worker_placement,
                    "topologySpreadConstraints": [spread],
                    "containers": [worker],
                    "volumes": list(order.volumes),
                },
            },
            "scheduler": {
                "spec": {**order.placement, **order.scheduler_placement, "containers": [scheduler]},
                "service": {
                    "type": "ClusterIP",
                    "selector": {"dask.org/cluster-name": order.name, "dask.org/component": "scheduler"},
                    "ports": [
                        {"name": name, "protocol": "TCP", "port": port, "targetPort": name}
                        for name, port in SCHEDULER_PORTS.items()
                    ],
                },
            },
        },
    }
