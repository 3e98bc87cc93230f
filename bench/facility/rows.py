"""What a check says: expected, observed, a verdict and the likely cause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .answers import Answers
from .cloud import Flavor, Server
from .kube import KubeNode
from .measured import Measured

NO_THRESHOLD = "reported, not judged"


class Verdict(StrEnum):
    """Verdict of a check, on a node or on the whole facility."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"


GRAVEST = (Verdict.FAILED, Verdict.UNKNOWN, Verdict.WARNING)


def gravest(verdicts: Iterable[Verdict]) -> Verdict:
    """A failure is one even where not everything could be seen."""
    found = set(verdicts)
    return next((each for each in GRAVEST if each in found), Verdict.OK)


@dataclass(frozen=True)
class Row:
    """One thing that was looked at: on a node, between two, or (no node) of the facility."""

    nodes: tuple[str, ...]
    check: str
    expected: str
    observed: str
    verdict: Verdict = Verdict.OK
    cause: str = ""
    value: float | None = None
    unit: str = ""


@dataclass(frozen=True)
class Declared:
    """A node that was ordered; `size` is None where the cloud was not asked or does not know the flavor."""

    flavor: str
    size: Flavor | None
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Observed:
    """All that could be found out. None: the source could not be asked, and `unknown` says why."""

    declared: Mapping[str, Declared]
    servers: Mapping[str, Server] | None
    nodes: Mapping[str, KubeNode] | None
    flavors_known: bool = True
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    image: str | None = None
    allow_overcommit: bool = False
    measured: Measured = field(default_factory=Measured)
    unknown: tuple[str, ...] = ()

    def names(self) -> list[str]:
        """Every node that anybody knows of."""
        return list(dict.fromkeys((*self.declared, *(self.servers or ()), *(self.nodes or ()))))

    def joined(self) -> Iterator[tuple[str, Declared, KubeNode]]:
        """Nodes that were ordered and have joined."""
        for name, declared in self.declared.items():
            if self.nodes and name in self.nodes:
                yield name, declared, self.nodes[name]


def least(
    nodes: tuple[str, ...], check: str, value: float, unit: str, limit: float, cause: str, digits: int = 0
) -> Row:
    """A row for a value that should not be lower than a threshold; 0 is none."""
    return judged(nodes, check, value, unit, limit, value >= limit, "≥", cause, digits)


def most(nodes: tuple[str, ...], check: str, value: float, unit: str, limit: float, cause: str, digits: int = 1) -> Row:
    """A row for a value that should not be higher than a threshold; 0 is none."""
    return judged(nodes, check, value, unit, limit, value <= limit, "≤", cause, digits)


def judged(
    nodes: tuple[str, ...], check: str, value: float, unit: str, limit: float, good: bool, sign: str, cause: str,
    digits: int,
) -> Row:  # fmt: skip
    """A row for a value and its threshold."""
    good = good or not limit
    return Row(
        nodes,
        check,
        f"{sign} {limit:g} {unit}" if limit else NO_THRESHOLD,
        f"{value:.{digits}f} {unit}",
        Verdict.OK if good else Verdict.FAILED,
        "" if good else cause,
        value,
        unit,
    )


def unmeasured(answers: Answers[str, object], check: str) -> Iterator[Row]:
    """A row for each node on which something could not be measured."""
    for name, why in answers.failures.items():
        yield Row((name,) if name else (), check, "a measurement", "none", Verdict.UNKNOWN, why)
