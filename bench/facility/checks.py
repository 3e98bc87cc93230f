"""Declared, built, joined, measured: where they part, and the likely cause in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .burn import Delivered
from .cloud import Server
from .kube import KubeNode

# A node needs some of its cores for itself (kubelet, runtime, an API server); 1.8 of 2 is what an idle one delivers.
MIN_DELIVERED_SHARE = 0.9


class Verdict(StrEnum):
    """Verdict on a node or on the whole facility."""

    OK = "ok"
    WARNING = "warning"
    MISMATCH = "mismatch"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Declared:
    """A node that was ordered; `cores` is None where the cloud was not asked or does not know the flavor."""

    flavor: str
    cores: int | None


@dataclass(frozen=True)
class Observed:
    """All that could be found out. None: the source could not be asked, and `unknown` says why."""

    declared: Mapping[str, Declared]
    servers: Mapping[str, Server] | None
    nodes: Mapping[str, KubeNode] | None
    alone: Mapping[str, Delivered] | None
    together: Mapping[str, Delivered] | None
    flavors_known: bool = True
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodeFinding:
    """One node in all four columns, and what is wrong with it."""

    name: str
    flavor: str | None
    declared_cores: int | None
    built_cores: int | None
    built_status: str | None
    joined_cores: float | None
    joined_status: str | None
    delivered_alone_cores: float | None
    delivered_together_cores: float | None
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """The gravest of what was found."""
        if self.problems:
            return Verdict.MISMATCH
        if self.unknown:
            return Verdict.UNKNOWN
        return Verdict.WARNING if self.warnings else Verdict.OK


@dataclass
class _Notes:
    problems: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])
    unknown: list[str] = field(default_factory=list[str])


def compare_nodes(observed: Observed, allow_overcommit: bool) -> list[NodeFinding]:
    """Every node that anybody knows of, with what is wrong with it."""
    names = dict.fromkeys((*observed.declared, *(observed.servers or ()), *(observed.nodes or ())))
    return [find(name, observed, allow_overcommit) for name in names]


def find(name: str, observed: Observed, allow_overcommit: bool) -> NodeFinding:
    """One node."""
    notes = _Notes()
    declared = observed.declared.get(name)
    server = (observed.servers or {}).get(name)
    node = (observed.nodes or {}).get(name)
    alone, together = (observed.alone or {}).get(name), (observed.together or {}).get(name)
    if declared is None:
        notes.problems.append(undeclared(server, node))
    else:
        check_declared(declared, observed, notes)
        check_built(declared, server, node, observed, notes)
        check_joined(declared, server, node, observed, notes)
        if node is not None and node.ready:
            check_delivered(declared, alone, together, allow_overcommit, notes)
    return NodeFinding(
        name=name,
        flavor=declared.flavor if declared else (server.flavor if server else None),
        declared_cores=declared.cores if declared else None,
        built_cores=server.cores if server else None,
        built_status=server.status if server else None,
        joined_cores=node.capacity_cores if node else None,
        joined_status=joined_status(node) if node else None,
        delivered_alone_cores=alone.cores if alone else None,
        delivered_together_cores=together.cores if together else None,
        problems=tuple(notes.problems),
        warnings=tuple(notes.warnings),
        unknown=tuple(notes.unknown),
    )


def joined_status(node: KubeNode) -> str:
    """How Kubernetes lists the node."""
    return ("Ready" if node.ready else "NotReady") + ("" if node.schedulable else ", cordoned")


def undeclared(server: Server | None, node: KubeNode | None) -> str:
    """Why there is one node too many."""
    if server is not None and node is not None:
        return "one node too many: built and joined, but not in terraform.tfvars (removed there and not applied?)"
    if server is not None:
        return "one node too many: built, but not in terraform.tfvars (removed there and not applied?)"
    return "one node too many: joined, but neither ordered nor built (its server is gone: kubectl delete node)"


def check_declared(declared: Declared, observed: Observed, notes: _Notes) -> None:
    """Whether what was ordered can be ordered."""
    if declared.cores is None and observed.flavors_known:
        notes.problems.append(f"ordered with flavor {declared.flavor}, which the cloud does not have")


def check_built(
    declared: Declared, server: Server | None, node: KubeNode | None, observed: Observed, notes: _Notes
) -> None:
    """Declared against built."""
    if observed.servers is None:
        notes.unknown.append("not known whether it was built")
    elif server is None:
        listed = ", while Kubernetes still lists it" if node is not None else ""
        notes.problems.append(
            f"ordered, not built: Nova has no such server (deleted, or terraform was not applied){listed}"
        )
    else:
        if server.status != "ACTIVE":
            notes.problems.append(f"built, but Nova reports it {server.status}")
        if declared.cores is not None and server.cores != declared.cores:
            notes.problems.append(
                f"built with {server.cores} cores (flavor {server.flavor}), "
                f"ordered with {declared.cores} (flavor {declared.flavor}): terraform was not applied after a change"
            )


def check_joined(
    declared: Declared, server: Server | None, node: KubeNode | None, observed: Observed, notes: _Notes
) -> None:
    """Built against joined."""
    if observed.nodes is None:
        notes.unknown.append("not known whether it joined")
        return
    if node is None:
        if server is not None:
            notes.problems.append(
                "built, not joined: Kubernetes has no such node (deleted there, or site.yml has not run or has failed)"
            )
        return
    if not node.ready:
        notes.problems.append(f"joined, but NotReady: {node.reason} (is its kubelet running?)")
    if not node.schedulable:
        notes.problems.append("joined, but cordoned: no pod is placed on it (kubectl uncordon)")
    if declared.cores is not None and node.capacity_cores != declared.cores:
        more = "more" if node.capacity_cores > declared.cores else "fewer"
        notes.problems.append(
            f"joined with {node.capacity_cores:g} cores, {more} than the {declared.cores} ordered "
            "(its kubelet was not restarted after a resize, or the hypervisor shows other cores)"
        )


def check_delivered(
    declared: Declared,
    alone: Delivered | None,
    together: Delivered | None,
    allow_overcommit: bool,
    notes: _Notes,
) -> None:
    """Declared against measured."""
    if declared.cores is None:
        return
    for found, circumstance in ((alone, "burning alone"), (together, "while all nodes burn")):
        if found is None:
            notes.unknown.append(f"not measured {circumstance}")
            continue
        share = found.cores / declared.cores
        if share < MIN_DELIVERED_SHARE:
            text = (
                f"delivers {found.cores:.2f} of {declared.cores} cores {circumstance} (ratio {share:.2f}): "
                "the hypervisor gives its cores to others too, or limits this server"
            )
            (notes.warnings if allow_overcommit else notes.problems).append(text)


def overall(findings: list[NodeFinding], unknown: tuple[str, ...]) -> Verdict:
    """Verdict on the facility: a mismatch is one even where not everything could be seen."""
    verdicts = {finding.verdict for finding in findings}
    if Verdict.MISMATCH in verdicts or not findings:
        return Verdict.MISMATCH
    if Verdict.UNKNOWN in verdicts or unknown:
        return Verdict.UNKNOWN
    return Verdict.WARNING if Verdict.WARNING in verdicts else Verdict.OK
