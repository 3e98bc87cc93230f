"""`bench validate`: ask all who know something about the nodes, and compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from .errors import BenchError, Exit
from .facility.burn import Burner, Delivered, PodBurner
from .facility.checks import Declared, Observed, Verdict, compare_nodes, overall
from .facility.cloud import Cloud, OpenStack, Server, clouds_file
from .facility.declared import Order, order_path, read_order
from .facility.kube import Kube, KubeNode
from .facility.site import Facility, facility_path, kubeconfig_path, load_facility
from .report.validation import NodeRecord, ValidateResult
from .terminal import Terminal

Answer = TypeVar("Answer")


class Cluster(Protocol):
    """Who knows the nodes that have joined."""

    def nodes(self) -> list[KubeNode]: ...


@dataclass(frozen=True)
class Observers:
    """How to reach those who know; each may raise a BenchError, which is told and does not hide the others' answers."""

    order: Callable[[], Order]
    cloud: Callable[[Order], Cloud]
    facility: Callable[[], Facility]
    cluster: Callable[[Facility], Cluster]
    burner: Callable[[Facility], Burner]


def observers(site: str) -> Observers:
    """The real ones of a site."""

    def burner(facility: Facility) -> Burner:
        if not facility.analysis_image:
            raise BenchError(
                str(facility_path(site)), "it names no analysis image to burn in", "Run the playbook site.yml."
            )
        return PodBurner(Kube(kubeconfig_path(facility)), facility.analysis_image)

    return Observers(
        order=lambda: read_order(order_path(site)),
        cloud=lambda order: OpenStack(order.cloud, clouds_file(site)),
        facility=lambda: load_facility(site),
        cluster=lambda facility: Kube(kubeconfig_path(facility)),
        burner=burner,
    )


def validate(site: str, sources: Observers, terminal: Terminal) -> ValidateResult:
    """Look at a site.

    Raises
    ------
    BenchError
        Not even what was ordered can be read.
    """
    started = datetime.now(UTC)
    order = sources.order()
    unknown: list[str] = []

    def ask(what: str, question: Callable[[], Answer]) -> Answer | None:
        try:
            with terminal.step(what):
                return question()
        except BenchError as error:
            unknown.append(str(error))
            terminal.say(str(error))
            return None

    cloud = ask(f"reaching cloud {order.cloud!r}", lambda: sources.cloud(order))
    flavors = ask("asking for flavors", cloud.flavors) if cloud else None
    found = ask("asking Nova for servers", lambda: cloud.servers(order.facility)) if cloud else None
    servers = None if found is None else {server.name: server for server in found}
    facility = ask("reading facility.json", sources.facility)
    nodes: dict[str, KubeNode] | None = None
    if facility is not None:
        joined = ask("asking Kubernetes for nodes", lambda: sources.cluster(facility).nodes())
        nodes = None if joined is None else {node.name: node for node in joined}
    declared = {name: Declared(node.flavor, (flavors or {}).get(node.flavor)) for name, node in order.by_name().items()}
    alone, together = measure_cores(declared, servers, nodes, facility, sources, ask)
    observed = Observed(declared, servers, nodes, alone, together, flavors is not None, tuple(unknown))
    findings = compare_nodes(observed, facility.allow_overcommit if facility else False)
    notes: list[str] = []
    if facility is not None and facility.tfvars_sha256 != order.sha256:
        notes.append("terraform.tfvars was changed after the playbook site.yml ran")
    return ValidateResult(
        started=started,
        site=site,
        facility=order.facility,
        allow_overcommit=facility.allow_overcommit if facility else False,
        nodes=tuple(NodeRecord.of(finding) for finding in findings),
        unknown=tuple(unknown),
        notes=tuple(notes),
        verdict=overall(findings, tuple(unknown)),
    )


class Asker(Protocol):
    """Asks a question and keeps the reason if there is no answer."""

    def __call__(self, what: str, question: Callable[[], Answer]) -> Answer | None: ...


def measure_cores(
    declared: dict[str, Declared],
    servers: dict[str, Server] | None,
    nodes: dict[str, KubeNode] | None,
    facility: Facility | None,
    sources: Observers,
    ask: Asker,
) -> tuple[dict[str, Delivered] | None, dict[str, Delivered] | None]:
    """Burn on every node that can take a pod, with as many processes as cores were ordered."""
    if nodes is None or facility is None:
        return None, None
    cores = {name: node.cores for name, node in declared.items() if node.cores and name in nodes and nodes[name].ready}
    if not cores:
        return None, None
    what = f"burning {sum(cores.values())} cores of {', '.join(cores)}, each node alone and all at once"
    measured = ask(what, lambda: sources.burner(facility).burn(cores))
    return measured if measured is not None else (None, None)


def exit_status(result: ValidateResult) -> Exit:
    """1 on any mismatch, 2 where it could not tell."""
    if result.verdict is Verdict.MISMATCH:
        return Exit.FAILED
    return Exit.CANNOT_TELL if result.verdict is Verdict.UNKNOWN else Exit.OK
