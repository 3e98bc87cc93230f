"""The result of `bench validate`: as JSON and as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field
from rich.table import Table

from ..facility.checks import NodeFinding, Verdict
from .model import Record

COLOURS = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.MISMATCH: "red", Verdict.UNKNOWN: "magenta"}


class NodeRecord(Record):
    """One node: declared, built, joined, measured."""

    name: str
    flavor: str | None
    declared_cores: int | None = Field(description="terraform.tfvars, cores of the flavor")
    built_cores: int | None = Field(description="Nova")
    built_status: str | None
    joined_cores: float | None = Field(description="Kubernetes, capacity")
    joined_status: str | None
    delivered_alone_cores: float | None = Field(description="processor seconds over wall seconds, node alone")
    delivered_together_cores: float | None = Field(description="the same while all nodes burn")
    verdict: Verdict
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    unknown: tuple[str, ...]

    @classmethod
    def of(cls, finding: NodeFinding) -> NodeRecord:
        """As it is written down."""
        return cls(**vars(finding), verdict=finding.verdict)


class ValidateResult(Record):
    """Result of `bench validate`."""

    kind: Literal["bench.validate/1"] = "bench.validate/1"
    started: datetime
    site: str
    facility: str
    allow_overcommit: bool
    nodes: tuple[NodeRecord, ...]
    unknown: tuple[str, ...] = Field(description="who could not be asked, and why")
    notes: tuple[str, ...]
    verdict: Verdict


def validation_table(result: ValidateResult) -> Table:
    """The four-way table of nodes and cores, with the sums."""
    table = Table(title=f"facility {result.facility}: nodes and cores", title_justify="left", show_footer=True)
    rows = result.nodes
    table.add_column("node", f"{len(rows)} nodes")
    table.add_column("declared", total([r.declared_cores for r in rows]), justify="right")
    table.add_column("built", total([r.built_cores for r in rows]), justify="right")
    table.add_column("joined", total([r.joined_cores for r in rows]), justify="right")
    table.add_column("measured alone", "", justify="right")
    table.add_column("measured, all at once", total([r.delivered_together_cores for r in rows], 2), justify="right")
    table.add_column("verdict", coloured(result.verdict))
    for row in rows:
        table.add_row(
            row.name,
            f"{cores(row.declared_cores)} ({row.flavor})" if row.declared_cores else "–",
            f"{cores(row.built_cores)} {row.built_status}" if row.built_cores is not None else "–",
            f"{cores(row.joined_cores)} {row.joined_status}" if row.joined_cores is not None else "–",
            cores(row.delivered_alone_cores, 2),
            cores(row.delivered_together_cores, 2),
            coloured(row.verdict),
        )
    return table


def total(numbers: Sequence[float | None], digits: int = 0) -> str:
    """Sum of what is known; a dash where nothing is."""
    known = [number for number in numbers if number is not None]
    return cores(math.fsum(known) if known else None, digits)


def cores(number: float | None, digits: int = 0) -> str:
    """Cores, or a dash."""
    if number is None:
        return "–"
    return f"{number:.{digits}f}" if digits else f"{number:g}"


def coloured(verdict: Verdict) -> str:
    """A verdict in its colour."""
    return f"[{COLOURS[verdict]}]{verdict}[/]"


def remarks(result: ValidateResult) -> list[str]:
    """All that is to be said about the nodes, the gravest first."""
    lines = [f"mismatch: {row.name}: {text}" for row in result.nodes for text in row.problems]
    lines += [f"could not tell: {text}" for text in result.unknown]
    lines += [f"could not tell: {row.name}: {text}" for row in result.nodes for text in row.unknown]
    lines += [f"warning (allow_overcommit): {row.name}: {text}" for row in result.nodes for text in row.warnings]
    return lines + [f"note: {text}" for text in result.notes]
