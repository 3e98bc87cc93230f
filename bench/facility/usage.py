"""Who uses a facility, how much of it, and who waits: from Kubernetes and from Prometheus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..errors import BenchError
from .kube import KubeNode, PodUse
from .prometheus import Prometheus, Sample, by

USER_NAMESPACE = "user-"
CPU = 'sum by (node) (rate(container_cpu_usage_seconds_total{id="/"}[5m]))'
MEMORY = 'sum by (node) (container_memory_working_set_bytes{id="/"})'
LOAD = "sum by (node) (node_load1)"
USERS_CPU = 'sum by (namespace) (rate(container_cpu_usage_seconds_total{container!="",namespace!=""}[5m]))'
CERTIFICATES = "min by (node, certificate) (facility_certificate_days_left)"


class Cluster(Protocol):
    """What is asked of Kubernetes."""

    def nodes(self) -> list[KubeNode]: ...

    def pods_of_all(self) -> list[PodUse]: ...


@dataclass(frozen=True)
class NodeUse:
    """A node: cores and bytes that may be given out, are promised to pods, and are used (None: not known)."""

    name: str
    state: str
    cores: float
    promised_cores: float
    used_cores: float | None
    load: float | None
    memory_bytes: int
    used_memory_bytes: float | None
    pods: int


@dataclass(frozen=True)
class UserUse:
    """A user: what is promised to the pods in his namespace, and used by them."""

    name: str
    notebook: bool
    workers: int
    promised_cores: float
    used_cores: float | None
    waiting: int


@dataclass(frozen=True)
class Waiting:
    """A pod that no node has room for."""

    namespace: str
    name: str
    priority: str
    since_s: float
    why: str


@dataclass(frozen=True)
class Usage:
    """All of it. `unknown` says what could not be asked, and why."""

    nodes: tuple[NodeUse, ...]
    users: tuple[UserUse, ...]
    queue: tuple[Waiting, ...]
    certificates: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    unknown: tuple[str, ...] = ()


def usage(cluster: Cluster, prometheus: Prometheus) -> Usage:
    """Ask who uses a facility now."""
    pods = [pod for pod in cluster.pods_of_all() if pod.phase in ("Pending", "Running")]
    unknown: list[str] = []

    def asked(expression: str) -> list[Sample]:
        try:
            return prometheus.query(expression)
        except BenchError as error:
            unknown.append(str(error))
            return []

    cpu, memory, load = (by("node", asked(each)) for each in (CPU, MEMORY, LOAD))
    nodes = tuple(
        NodeUse(
            name=node.name,
            state=node.state,
            cores=node.allocatable_cores,
            promised_cores=sum(pod.cores for pod in pods if pod.node == node.name),
            used_cores=cpu.get(node.name),
            load=load.get(node.name),
            memory_bytes=node.allocatable_memory_bytes,
            used_memory_bytes=memory.get(node.name),
            pods=sum(pod.node == node.name for pod in pods),
        )
        for node in sorted(cluster.nodes(), key=lambda each: each.name)
    )
    certificates = {
        (each.labels.get("node", ""), each.labels.get("certificate", "")): each.value for each in asked(CERTIFICATES)
    }
    queue = sorted((waiting(pod) for pod in pods if not pod.node), key=lambda each: -each.since_s)
    return Usage(
        nodes,
        users_of(pods, by("namespace", asked(USERS_CPU))),
        tuple(queue),
        certificates,
        tuple(dict.fromkeys(unknown)),
    )


def waiting(pod: PodUse) -> Waiting:
    """A pod without a node."""
    return Waiting(pod.namespace, pod.name, pod.priority, pod.age_s, pod.message)


def users_of(pods: Sequence[PodUse], cpu: dict[str, float]) -> tuple[UserUse, ...]:
    """A row for each user who has a pod."""
    found = sorted({pod.namespace for pod in pods if pod.namespace.startswith(USER_NAMESPACE)})

    def user(namespace: str) -> UserUse:
        own = [pod for pod in pods if pod.namespace == namespace]
        return UserUse(
            name=namespace.removeprefix(USER_NAMESPACE),
            notebook=any(pod.labels.get("component") == "singleuser-server" for pod in own),
            workers=sum(pod.labels.get("dask.org/component") == "worker" and bool(pod.node) for pod in own),
            promised_cores=sum(pod.cores for pod in own if pod.node),
            used_cores=cpu.get(namespace),
            waiting=sum(not pod.node for pod in own),
        )

    return tuple(user(namespace) for namespace in found)
