"""`bench validate`: ask all who know something about the nodes, measure them, and compare with what was ordered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from .datasets.staging import NODE_FOLDER
from .engines.worker_start import measure_workers
from .errors import BenchError, Exit
from .facility.checks import check_all
from .facility.cloud import Cloud, OpenStack, Server, clouds_file
from .facility.declared import Order, order_path, read_order
from .facility.kube import Kube, KubeNode
from .facility.measured import Measured, Plan, PodProber, Prober
from .facility.rows import Declared, Observed, Verdict
from .facility.site import Facility, facility_path, kubeconfig_path, load_facility
from .facility.thresholds import Thresholds
from .report.validation import ValidateResult, node_records, row_record, verdict_of
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
    prober: Callable[[Facility], Prober]


def observers(site: str) -> Observers:
    """The real ones of a site."""

    def prober(facility: Facility) -> Prober:
        return PodProber(
            Kube(kubeconfig_path(facility)),
            lambda kube, asker, nodes, image: measure_workers(kube, asker, nodes, image, str(NODE_FOLDER)),
        )

    return Observers(
        order=lambda: read_order(order_path(site)),
        cloud=lambda order: OpenStack(order.cloud, clouds_file(site)),
        facility=lambda: load_facility(site),
        cluster=lambda facility: Kube(kubeconfig_path(facility)),
        prober=prober,
    )


class Asker(Protocol):
    """Asks a question and keeps the reason if there is no answer."""

    def __call__(self, what: str, question: Callable[[], Answer]) -> Answer | None: ...


def validate(site: str, sources: Observers, terminal: Terminal, quick: bool = False) -> ValidateResult:
    """Look at a site; `quick` leaves out what is measured beside the burn.

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
    servers: dict[str, Server] | None = None if found is None else {server.name: server for server in found}
    facility = ask("reading facility.json", sources.facility)
    nodes = ask_nodes(facility, sources, ask)
    declared = {
        name: Declared(node.flavor, (flavors or {}).get(node.flavor), node.groups)
        for name, node in order.by_name().items()
    }
    measured, disturbed = Measured(), tuple[str, ...]()
    if facility is not None and nodes is not None:
        measured = measure(declared, nodes, facility, sources, ask, terminal, quick)
        if measured != Measured():
            disturbed = changes(nodes, ask_nodes(facility, sources, ask), order, sources)
    observed = Observed(
        declared,
        servers,
        nodes,
        flavors is not None,
        facility.versions if facility else {},
        facility.analysis_image if facility else None,
        facility.allow_overcommit if facility else False,
        measured,
        tuple(unknown),
    )
    thresholds = facility.thresholds if facility else Thresholds()
    rows = check_all(observed, thresholds)
    notes: list[str] = []
    if facility is not None and facility.tfvars_sha256 != order.sha256:
        notes.append("terraform.tfvars was changed after the playbook site.yml ran")
    return ValidateResult(
        started=started,
        site=site,
        facility=order.facility,
        quick=quick,
        allow_overcommit=observed.allow_overcommit,
        thresholds=thresholds,
        nodes=node_records(observed, rows),
        rows=tuple(row_record(row) for row in rows),
        unknown=tuple(unknown),
        disturbed=disturbed,
        notes=tuple(notes),
        verdict=verdict_of(rows, tuple(unknown)),
    )


def ask_nodes(facility: Facility | None, sources: Observers, ask: Asker) -> dict[str, KubeNode] | None:
    """The nodes that Kubernetes has, by name."""
    if facility is None:
        return None
    joined = ask("asking Kubernetes for nodes", lambda: sources.cluster(facility).nodes())
    return None if joined is None else {node.name: node for node in joined}


def measure(
    declared: Mapping[str, Declared],
    nodes: Mapping[str, KubeNode],
    facility: Facility,
    sources: Observers,
    ask: Asker,
    terminal: Terminal,
    quick: bool,
) -> Measured:
    """Measure every node that can take a pod, with as many burning processes as cores were ordered."""
    cores = {
        name: node.size.cores
        for name, node in declared.items()
        if node.size is not None and name in nodes and nodes[name].ready
    }
    if not cores:
        return Measured()

    def question() -> Measured:
        if not facility.analysis_image:
            raise BenchError(
                str(facility_path(facility.site)),
                "it names no analysis image to measure in",
                "Run the playbook site.yml.",
            )
        workers = tuple(name for name in facility.workers() if name in cores and nodes[name].schedulable)
        plan = Plan(cores, workers, facility.analysis_image, quick)
        return sources.prober(facility).measure(plan, terminal)

    return ask(f"measuring {len(cores)} nodes", question) or Measured()


def changes(
    before: Mapping[str, KubeNode], after: Mapping[str, KubeNode] | None, order: Order, sources: Observers
) -> tuple[str, ...]:
    """What changed while it was measured, so that the numbers belong to no one state of the facility."""
    found: list[str] = []
    if sources.order().sha256 != order.sha256:
        found.append("terraform.tfvars was changed")
    for name in (before.keys() | after.keys()) if after is not None else ():
        earlier, later = before.get(name), (after or {}).get(name)
        if earlier is None or later is None:
            found.append(f"{name} {'joined' if earlier is None else 'was removed from Kubernetes'}")
        elif earlier.boot_id != later.boot_id:
            found.append(f"{name} was restarted")
        elif earlier.ready != later.ready:
            found.append(f"{name} became {'Ready' if later.ready else f'NotReady: {later.reason}'}")
        elif earlier.schedulable != later.schedulable:
            found.append(f"{name} was {'uncordoned' if later.schedulable else 'cordoned'}")
    return tuple(found)


def exit_status(result: ValidateResult) -> Exit:
    """3 where the facility changed while it was looked at, 1 where it is not as ordered, 2 where it cannot be told."""
    if result.disturbed:
        return Exit.INVALID
    if result.verdict is Verdict.FAILED:
        return Exit.FAILED
    return Exit.CANNOT_TELL if result.verdict is Verdict.UNKNOWN else Exit.OK
