"""The result of `bench validate`, and what of it is shown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field
from rich.markup import escape
from rich.table import Table

from ..facility.checks import delivered
from ..facility.checks.links import BANDWIDTH, ROUND_TRIP
from ..facility.rows import Observed, Row, Verdict, gravest
from ..facility.thresholds import Thresholds
from .model import Record

COLOURS = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAILED: "red", Verdict.UNKNOWN: "magenta"}
# Columns of the table of what was measured on each node: the check, and what it is called there.
MEASURED = {
    "clock offset": "clock",
    "memory touched": "memory touched",
    "disk write": "disk write",
    "disk read": "disk read",
    "disk sync": "disk sync",
    "DNS": "DNS",
    "service": "service",
    "pod start, p50": "pod start p50",
    "pod start, p95": "p95",
}


class RowRecord(Record):
    """What one check says of a node, of a pair of nodes (from the first to the second), or of the facility."""

    nodes: tuple[str, ...]
    check: str
    expected: str
    observed: str
    verdict: Verdict
    cause: str = Field(description="likely cause, where the verdict is not ok")
    value: float | None = Field(description="what was observed as a number, in `unit`")
    unit: str

    @property
    def subject(self) -> str:
        """What the row is about."""
        return " → ".join(self.nodes) or "facility"


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
    verdict: Verdict = Field(description="the gravest of the rows about this node alone")


class ValidateResult(Record):
    """Result of `bench validate`."""

    kind: Literal["bench.validate/2"] = "bench.validate/2"
    started: datetime
    site: str
    facility: str
    quick: bool = Field(description="whether only the burn was measured")
    allow_overcommit: bool
    thresholds: Thresholds
    nodes: tuple[NodeRecord, ...]
    rows: tuple[RowRecord, ...]
    unknown: tuple[str, ...] = Field(description="who could not be asked, and why")
    disturbed: tuple[str, ...] = Field(description="what changed meanwhile: the result must not be used")
    notes: tuple[str, ...]
    verdict: Verdict

    def wrong(self) -> list[RowRecord]:
        """Rows that are not ok, the gravest first."""
        order = (Verdict.FAILED, Verdict.UNKNOWN, Verdict.WARNING)
        return [row for verdict in order for row in self.rows if row.verdict is verdict]


def row_record(row: Row) -> RowRecord:
    """As it is written down."""
    return RowRecord(**vars(row))


def verdict_of(rows: Iterable[Row], unknown: Sequence[str]) -> Verdict:
    """Verdict on the facility; one without nodes is none."""
    verdicts = [row.verdict for row in rows]
    if not verdicts:
        return Verdict.FAILED
    return gravest([*verdicts, *([Verdict.UNKNOWN] if unknown else [])])


def node_records(observed: Observed, rows: Sequence[Row]) -> tuple[NodeRecord, ...]:
    """Every node that anybody knows of."""
    return tuple(node_record(name, observed, rows) for name in observed.names())


def node_record(name: str, observed: Observed, rows: Sequence[Row]) -> NodeRecord:
    """One node in all four columns."""
    declared = observed.declared.get(name)
    server, node = (observed.servers or {}).get(name), (observed.nodes or {}).get(name)
    own = [row for row in rows if row.nodes == (name,)]
    values = {row.check: row.value for row in own}
    return NodeRecord(
        name=name,
        flavor=declared.flavor if declared else (server.flavor if server else None),
        declared_cores=declared.size.cores if declared and declared.size else None,
        built_cores=server.cores if server else None,
        built_status=server.status if server else None,
        joined_cores=node.capacity_cores if node else None,
        joined_status=node.state if node else None,
        delivered_alone_cores=values.get(delivered.ALONE),
        delivered_together_cores=values.get(delivered.TOGETHER),
        verdict=gravest(row.verdict for row in own),
    )


def validation_tables(result: ValidateResult) -> list[Table]:
    """A row for each node; what was measured on them and between them; a row for each check that is not ok."""
    tables = [nodes_table(result), measured_table(result), links_table(result), wrong_table(result)]
    return [table for table in tables if table.row_count]


def nodes_table(result: ValidateResult) -> Table:
    """The four-way table of nodes and cores, with the sums."""
    table = Table(title=f"facility {result.facility}: nodes and cores", title_justify="left", show_footer=True)
    rows = result.nodes
    table.add_column("node", f"{len(rows)} nodes")
    table.add_column("declared", total([r.declared_cores for r in rows]), justify="right")
    table.add_column("built", total([r.built_cores for r in rows]), justify="right")
    table.add_column("joined", total([r.joined_cores for r in rows]), justify="right")
    table.add_column("measured alone", "", justify="right")
    table.add_column("measured, all at once", total([r.delivered_together_cores for r in rows], 2), justify="right")
    table.add_column("checks", f"{sum(row.verdict is Verdict.OK for row in result.rows)} of {len(result.rows)} ok")
    table.add_column("verdict", coloured(result.verdict))
    for row in rows:
        own = [each.verdict for each in result.rows if each.nodes == (row.name,)]
        table.add_row(
            row.name,
            f"{cores(row.declared_cores)} ({row.flavor})" if row.declared_cores else "–",
            f"{cores(row.built_cores)} {row.built_status}" if row.built_cores is not None else "–",
            f"{cores(row.joined_cores)} {row.joined_status}" if row.joined_cores is not None else "–",
            cores(row.delivered_alone_cores, 2),
            cores(row.delivered_together_cores, 2),
            f"{own.count(Verdict.OK)} of {len(own)} ok",
            coloured(row.verdict),
        )
    return table


def measured_table(result: ValidateResult) -> Table:
    """A row for each node on which more than its cores was measured."""
    table = Table(title="measured on each node", title_justify="left")
    found = {(row.nodes[0], row.check): row for row in result.rows if len(row.nodes) == 1}
    checks = [check for check in MEASURED if any(check == each for _, each in found)]
    # of a quick look there is one column, which tells nothing by itself
    if len(checks) < 2:
        return table
    table.add_column("node")
    for check in checks:
        table.add_column(MEASURED[check], justify="right")
    for node in dict.fromkeys(name for name, check in found if check in checks):
        cells = [found.get((node, check)) for check in checks]
        table.add_row(node, *("–" if cell is None else cell.observed for cell in cells))
    return table


def links_table(result: ValidateResult) -> Table:
    """A row for each node as the sender, a column for each as the receiver."""
    rows = [row for row in result.rows if len(row.nodes) == 2]
    table = Table(title="pod to pod: Mbit/s from row to column, round trip in ms", title_justify="left")
    names = [node.name for node in result.nodes if any(node.name in row.nodes for row in rows)]
    if not names:
        return table
    table.add_column("from")
    for name in names:
        table.add_column(name, justify="right")
    for sender in names:
        table.add_row(sender, *(link_cell(sender, receiver, rows) for receiver in names))
    return table


def link_cell(sender: str, receiver: str, rows: Sequence[RowRecord]) -> str:
    """Bandwidth one way and the round trip; empty for a node and itself."""
    if sender == receiver:
        return ""
    ways = {row.check: row for row in rows if row.nodes == (sender, receiver)}
    back = {row.check: row for row in rows if row.nodes == (receiver, sender)}
    speed, trip = ways.get(BANDWIDTH), ways.get(ROUND_TRIP) or back.get(ROUND_TRIP)
    return " · ".join(
        "–" if row is None or row.value is None else f"{row.value:.{digits}f}"
        for row, digits in ((speed, 0), (trip, 2))
    )


def wrong_table(result: ValidateResult) -> Table:
    """A row for each check that is not ok."""
    table = Table(title="not as expected", title_justify="left")
    for column in ("what", "check", "expected", "observed", "verdict", "likely cause"):
        table.add_column(column, overflow="fold")
    for row in result.wrong():
        words = (row.subject, row.check, row.expected, row.observed)
        table.add_row(*map(escape, words), coloured(row.verdict), escape(row.cause))
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
    """What is to be said beside the tables."""
    lines = [f"INVALID: while it was looked at, {text}: this result must not be used" for text in result.disturbed]
    lines += [f"could not tell: {text}" for text in result.unknown]
    if result.allow_overcommit:
        lines.append("note: allow_overcommit is set, so cores that are not delivered are warnings")
    return lines + [f"note: {text}" for text in result.notes]
