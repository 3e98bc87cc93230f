"""The result of `bench sweep`: as JSON, as CSV and as a table."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import Literal

from pydantic import Field
from rich.table import Table

from ..measure.environment import Environment
from ..measure.equality import Physics
from ..measure.scaling import Fit
from ..measure.statistics import Estimate
from .model import Passes, Record, RunResult

SweepKind = Literal["workers", "weak", "variations", "branches", "io"]
COLUMNS = (
    "sweep",
    "workload",
    "value",
    "engine",
    "slots",
    "entries",
    "pass",
    "overall_s",
    "cold_s",
    "read_bytes",
    "physics",
    "timing",
)


class SweepPoint(Record):
    """One run of a sweep; what it found is in a folder of its own."""

    value: float = Field(description="number of workers, of variations, or share of the branches")
    slots: int
    replicas: int
    entries: int
    serial: Passes
    distributed: Passes
    cold_s: dict[str, float] = Field(description="one pass in processes that had compiled nothing, by engine")
    read_bytes: int | None = Field(description="what a pass read, uncompressed; where the workload counts it")
    speed_up: float | None = Field(description="serial over distributed overall time; none where the run is invalid")
    speed_up_interval: Estimate | None
    limited_by: str
    physics: Physics
    timing: str
    folder: str = Field(description="folder of the run, relative to the sweep's")

    @classmethod
    def of(cls, value: float, result: RunResult, folder: str, read_bytes: int | None = None) -> SweepPoint:
        """The times of a run that was distributed."""
        measured = result.measurement
        if measured.distributed is None:
            raise ValueError("a sweep is of distributed runs")
        return cls(
            value=value,
            slots=measured.distributed.slots,
            replicas=measured.replicas,
            entries=measured.entries,
            # Spans and samples are kept with the run.
            serial=measured.serial.model_copy(update={"spans": (), "samples": ()}),
            distributed=measured.distributed.model_copy(update={"spans": (), "samples": ()}),
            cold_s=measured.cold_s,
            read_bytes=read_bytes,
            speed_up=result.speed_up,
            speed_up_interval=result.speed_up_interval,
            limited_by=result.limited_by,
            physics=result.physics,
            timing=result.timing,
            folder=folder,
        )

    @property
    def valid(self) -> bool:
        """Whether the times may be used."""
        return self.physics is Physics.EQUAL and self.timing == "valid"


class SweepResult(Record):
    """Result of `bench sweep`."""

    kind: Literal["bench.sweep/1"] = "bench.sweep/1"
    started: datetime
    sweep: SweepKind
    workload: str
    title: str
    engine: str
    mode: str
    site: str | None
    stand_in: bool = Field(description="generated events: no real physics")
    environment: Environment
    points: tuple[SweepPoint, ...]
    fits: tuple[Fit, ...]
    words: tuple[str, ...] = Field(description="what the points say")

    @property
    def valid(self) -> bool:
        """Whether all points may be used."""
        return all(each.valid for each in self.points)


HEADINGS: dict[SweepKind, str] = {
    "workers": "workers",
    "weak": "workers (input grows with them)",
    "variations": "variations",
    "branches": "share of branches",
    "io": "workers",
}


def sweep_table(result: SweepResult) -> Table:
    """A row for each point."""
    cold = any(each.cold_s for each in result.points)
    reads = any(each.read_bytes for each in result.points)
    table = Table(title=f"{result.title}: sweep of {result.sweep} on {result.engine}", title_justify="left")
    rate = [f"{which} [MB/s]" for which in ("serial", "distr.")] if reads else []
    colds = ["serial, cold", "distr., cold"] if cold else []
    for column in (HEADINGS[result.sweep], "entries", "serial [s]", "distributed [s]", "speed-up", *rate, *colds):
        table.add_column(column, justify="right", no_wrap=column.endswith("[s]") or column == "speed-up")
    table.add_column("verdict")
    for each in result.points:
        both = (each.serial, each.distributed)
        rates = [f"{(each.read_bytes or 0) / passes.overall_s / 1e6:.0f}" for passes in both] if reads else []
        firsts = [f"{each.cold_s[p.engine]:.2f}" if p.engine in each.cold_s else "" for p in both] if cold else []
        interval = each.speed_up_interval
        words = str(interval) if interval else "none"
        table.add_row(
            f"{each.value:g}", f"{each.entries:,}", *(str(p.estimate) for p in both), words, *rates, *firsts,
            "valid" if each.valid else f"INVALID: physics {each.physics}, timing {each.timing}",
        )  # fmt: skip
    return table


def sweep_csv(result: SweepResult) -> str:
    """A row for each timed pass; times in seconds."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for each in result.points:
        for passes in (each.serial, each.distributed):
            for number, one in enumerate(passes.passes, 1):
                rows.writerow(
                    [result.sweep, result.workload, each.value, passes.engine, passes.slots, each.entries, number,
                     one.overall_s, each.cold_s.get(passes.engine, ""), each.read_bytes or "", each.physics,
                     each.timing]
                )  # fmt: skip
    return out.getvalue()
