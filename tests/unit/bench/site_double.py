"""A double of a site: all who know something about three nodes on which everything is as it should be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.errors import BenchError
from bench.facility.answers import Answers
from bench.facility.burn import Delivered
from bench.facility.clock import Clock
from bench.facility.cloud import Flavor, Server
from bench.facility.declared import Order, OrderedNode
from bench.facility.disk import Disk
from bench.facility.guest import Guest
from bench.facility.kube import KubeNode
from bench.facility.measured import Measured, Plan
from bench.facility.memory import Touched
from bench.facility.network import Link, rounds
from bench.facility.services import Services
from bench.facility.site import Facility, InstalledNode
from bench.facility.thresholds import Thresholds
from bench.terminal import Terminal
from bench.validate import Observers

IMAGE = "mirror:5000/facility/analysis@sha256:0"
CONTROLS, WORKS = frozenset({"controlplane", "etcd", "worker"}), frozenset({"worker"})
ORDER = Order(
    facility="lab",
    cloud="lab",
    nodes={
        "cp0": OrderedNode(flavor="c2.r4", groups=CONTROLS),
        "w0": OrderedNode(flavor="c2.r6", groups=WORKS),
        "w1": OrderedNode(flavor="c2.r6", groups=WORKS),
    },
    sha256="0" * 64,
)
NAMES = tuple(ORDER.by_name())
MIB = {"lab-cp0": 4096, "lab-w0": 6144, "lab-w1": 6144}


def joined(name: str) -> KubeNode:
    roles = {"worker"} if name != "lab-cp0" else {"control-plane", "etcd", "worker"}
    memory = int(0.95 * (MIB.get(name, 4096) << 20))
    return KubeNode(
        name=name,
        ready=True,
        reason="",
        schedulable=True,
        capacity_cores=2,
        allocatable_cores=2,
        allocatable_memory_bytes=memory - (100 << 20),
        capacity_memory_bytes=memory,
        roles=frozenset(roles),
        kubelet="v1.26.3",
        runtime="containerd://1.6.20~ds1",
        boot_id=f"boot-{name}",
        images={IMAGE: 1_400_000_000},
    )


def delivered(cores: float) -> Delivered:
    return Delivered(cores, 2, 3.0, 3.0 * cores)


def each(value: Callable[[str], Any]) -> Answers[str, Any]:
    return Answers({name: value(name) for name in NAMES})


def sound() -> Measured:
    """What is measured on nodes on which everything is as it should be."""
    mbit_s = {"up_bytes": 250_000_000, "up_s": 1.0, "down_bytes": 125_000_000, "down_s": 1.0}
    return Measured(
        started=each(lambda _: 2.0),
        guests=each(lambda name: Guest(cores=2, memory_bytes=int(0.95 * (MIB[name] << 20)), available_bytes=1 << 30)),
        clocks=each(lambda _: Clock(0.002, 0.004)),
        alone=each(lambda _: delivered(1.95)),
        together=each(lambda _: delivered(1.9)),
        touched=each(lambda _: Touched(wanted_mib=256, touched_mib=256, wall_s=0.5)),
        disks=each(
            lambda _: Disk(written_bytes=128 << 20, write_s=1.0, read_bytes=128 << 20, read_s=0.5, sync_s=0.002)
        ),
        links=Answers({pair: Link(round_trip_s=0.0003, **mbit_s) for round in rounds(NAMES) for pair in round}),
        services=each(lambda _: Services(dns_s=0.001, service_s=0.0005)),
        starts=each(lambda _: (1.0, 1.2, 1.1, 1.0, 2.0)),
        dask_s=Answers({"": 9.0}),
    )


@dataclass
class Site:
    """A site of three nodes on which everything is as it should be, until a test changes it."""

    flavors: Any = field(default_factory=lambda: {"c2.r4": Flavor(2, 4096), "c2.r6": Flavor(2, 6144)})
    servers: Any = field(
        default_factory=lambda: [
            Server(name, "ACTIVE", 2, ORDER.by_name()[name].flavor, memory_mib) for name, memory_mib in MIB.items()
        ]
    )
    nodes: Any = field(default_factory=lambda: [joined(name) for name in NAMES])
    nodes_later: Any = None
    measured: Any = field(default_factory=sound)
    allow_overcommit: bool = False
    thresholds: Thresholds = field(default_factory=Thresholds)
    versions: dict[str, str] = field(default_factory=lambda: {"kubernetes": "1.26.3", "containerd": "1.6.20"})
    order: Order = ORDER
    order_later: Order | None = None
    plans: list[Plan] = field(default_factory=list)

    def observers(self) -> Observers:
        orders = iter([self.order, self.order_later or self.order])
        nodes = iter([self.nodes, self.nodes if self.nodes_later is None else self.nodes_later])
        return Observers(
            order=lambda: next(orders),
            cloud=lambda _order: _Cloud(self),
            facility=lambda: Facility(
                site="lab",
                facility="lab",
                tfvars_sha256="0" * 64,
                written="2026-11-23T00:00:00Z",
                nodes={name: InstalledNode(groups=frozenset({"worker"})) for name in self.order.by_name()},
                versions=self.versions,
                analysis_image=IMAGE,
                kubeconfig="kubeconfig",
                allow_overcommit=self.allow_overcommit,
                thresholds=self.thresholds,
            ),
            cluster=lambda _facility: _Cluster(next(nodes)),
            prober=lambda _facility: _Prober(self),
        )


def told(answer: Any) -> Any:
    if isinstance(answer, BenchError):
        raise answer
    return answer


@dataclass
class _Cloud:
    site: Site

    def flavors(self) -> dict[str, Flavor]:
        return told(self.site.flavors)

    def servers(self, facility: str) -> list[Server]:
        assert facility == "lab"
        return told(self.site.servers)


@dataclass
class _Cluster:
    answer: Any

    def nodes(self) -> list[KubeNode]:
        return told(self.answer)


@dataclass
class _Prober:
    site: Site

    def measure(self, plan: Plan, terminal: Terminal) -> Measured:
        self.site.plans.append(plan)
        found = told(self.site.measured)
        return Measured(**{
            name: None if answers is None else Answers(
                {key: value for key, value in answers.values.items() if not key or is_in(key, plan)}, answers.failures
            )
            for name, answers in vars(found).items()
        })  # fmt: skip


def is_in(key: str | tuple[str, str], plan: Plan) -> bool:
    return all(name in plan.cores for name in ((key,) if isinstance(key, str) else key))
