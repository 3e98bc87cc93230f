"""The result of `bench accept` and `bench scale`, and what of it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field
from rich.markup import escape
from rich.table import Table

from ..facility.rows import Verdict, gravest
from ..measure.equality import Physics
from ..measure.statistics import Estimate
from ..terminal import STAND_IN
from .model import Record, RunResult
from .sweep import SweepPoint, SweepResult
from .validation import ValidateResult, coloured

# How folders of sweeps begin, below the one of the result.
SWEEP_FOLDER = "sweep-"


class Analysis(Record):
    """An analysis on the facility: one run, or one number of workers of a sweep."""

    workload: str
    title: str
    folder: str = Field(description="folder of the run, relative to this result's")
    stand_in: bool = Field(description="generated events: no real physics")
    workers: int
    serial: Estimate = Field(description="median of the overall times, s")
    distributed: Estimate = Field(description="the same, on the workers")
    speed_up: Estimate | None = Field(description="serial over distributed overall time; none where the run is invalid")
    limited_by: str
    physics: Physics
    timing: str
    usable_cores: float = Field(default=0.0, description="of what was delivered, at most one for each worker")
    efficiency: float | None = Field(default=None, description="speed-up over usable cores")
    verdict: Verdict = Verdict.UNKNOWN
    cause: str = Field(default="", description="why the verdict is not ok")

    @property
    def valid(self) -> bool:
        """Whether the times may be used."""
        return self.physics is Physics.EQUAL and self.timing == "valid"

    @property
    def oversubscribed(self) -> bool:
        """Whether there were more workers than cores."""
        return self.usable_cores < self.workers

    @property
    def crowded(self) -> bool:
        """Whether workers were to be in each other's way: where scaling ends is shown, and the times decide nothing.

        What is short of a core by less than half of one is not meant: some of each node's cores are always busy.
        """
        return self.workers > max(1, round(self.usable_cores))


class AcceptResult(Record):
    """Result of `bench accept` and `bench scale`."""

    kind: Literal["bench.accept/1"] = "bench.accept/1"
    started: datetime
    site: str
    facility: str
    quick: bool
    versions: dict[str, str] = Field(description="of what site.yml installed")
    image: str | None
    delivered_cores: float | None = Field(description="of all nodes for analyses while all of them burn")
    efficiency_share_min: float
    validation: ValidateResult
    analyses: tuple[Analysis, ...]
    sweeps: tuple[SweepResult, ...] = ()
    unknown: tuple[str, ...] = Field(description="analyses that gave no result, and why")
    verdict: Verdict

    @property
    def invalid(self) -> list[Analysis]:
        """Analyses whose times must not be used, though they were to be."""
        return [
            each for each in self.analyses if not each.valid and not (each.crowded and each.physics is Physics.EQUAL)
        ]

    def of_sweeps(self) -> list[Analysis]:
        """The analyses that are points of a sweep."""
        return [each for each in self.analyses if each.folder.startswith(SWEEP_FOLDER)]


def analysis_of_run(result: RunResult, folder: str, delivered_cores: float | None, floor: float) -> Analysis:
    """What a run says of the facility; arguments as for `judged`."""
    distributed = result.measurement.distributed
    if distributed is None:
        raise ValueError(f"{result.workload} was not distributed")
    found = Analysis(
        workload=result.workload,
        title=result.title,
        folder=folder,
        stand_in=result.input.stand_in,
        workers=distributed.slots,
        serial=result.measurement.serial.estimate,
        distributed=distributed.estimate,
        speed_up=result.speed_up_interval,
        limited_by=result.limited_by,
        physics=result.physics,
        timing=result.timing,
    )
    return judged(found, delivered_cores, floor)


def analysis_of_point(sweep: SweepResult, point: SweepPoint, delivered_cores: float | None, floor: float) -> Analysis:
    """What one number of workers of a sweep says of the facility; arguments as for `judged`."""
    found = Analysis(
        workload=sweep.workload,
        title=sweep.title,
        folder=f"{SWEEP_FOLDER}{sweep.workload}/{point.folder}",
        stand_in=sweep.stand_in,
        workers=point.slots,
        serial=point.serial.estimate,
        distributed=point.distributed.estimate,
        speed_up=point.speed_up_interval,
        limited_by=point.limited_by,
        physics=point.physics,
        timing=point.timing,
    )
    return judged(found, delivered_cores, floor)


def judged(found: Analysis, delivered_cores: float | None, floor: float) -> Analysis:
    """An analysis with its efficiency and a verdict.

    Parameters
    ----------
    delivered_cores : of the facility; None: not known, and every worker is taken to have a core
    floor : least efficiency; 0 is none
    """
    usable = float(found.workers) if delivered_cores is None else min(float(found.workers), delivered_cores)
    efficiency = found.speed_up.value / usable if found.speed_up and usable > 0 else None
    found = found.model_copy(update={"usable_cores": usable, "efficiency": efficiency})
    verdict, cause = Verdict.OK, ""
    if found.physics is Physics.UNEQUAL:
        verdict, cause = Verdict.FAILED, "the distributed result is not the serial one"
    elif found.physics is Physics.EQUAL and found.crowded:
        cause = "more workers than cores, to show where scaling ends"
    elif efficiency is None:
        verdict, cause = Verdict.UNKNOWN, f"no speed-up: physics {found.physics}, timing {found.timing}"
    elif efficiency < floor:
        verdict, cause = Verdict.FAILED, f"limited by {found.limited_by or 'nothing that was measured'}"
    return found.model_copy(update={"verdict": verdict, "cause": cause})


def verdict_on(validation: ValidateResult, analyses: Sequence[Analysis], unknown: Sequence[str]) -> Verdict:
    """The gravest of what was found; what gave no result is not known."""
    found = [validation.verdict, *(each.verdict for each in analyses), *([Verdict.UNKNOWN] if unknown else [])]
    return gravest(found)


def analyses_table(result: AcceptResult) -> Table:
    """A row for each analysis."""
    floor = f"at least {result.efficiency_share_min:.0%}" if result.efficiency_share_min else "not judged"
    table = Table(title=f"analyses: efficiency is speed-up per core delivered, {floor}", title_justify="left")
    for column in ("analysis", "workers", "cores", "serial [s]", "distributed [s]", "speed-up", "efficiency"):
        table.add_column(column, justify="left" if column == "analysis" else "right")
    table.add_column("verdict")
    table.add_column("limited by, or why not", overflow="fold")
    for each in result.analyses:
        table.add_row(
            f"{each.workload} ({STAND_IN})" if each.stand_in else each.workload,
            str(each.workers),
            f"{each.usable_cores:.2f}",
            str(each.serial),
            str(each.distributed),
            str(each.speed_up or "none"),
            "none" if each.efficiency is None else f"{each.efficiency:.0%}",
            coloured(each.verdict),
            escape(each.cause or each.limited_by),
        )
    return table


def verdict_words(result: AcceptResult) -> list[str]:
    """The verdict, in sentences, beside what `remarks` says of the nodes."""
    validation = result.validation
    declared = sum(each.declared_cores or 0 for each in validation.nodes)
    lines: list[str] = []
    wrong = [row for row in validation.rows if row.verdict is Verdict.FAILED]
    if wrong:
        lines.append(
            f"Not as ordered: {len(wrong)} of {len(validation.rows)} checks failed, first "
            f"{wrong[0].subject}, {wrong[0].check}: {wrong[0].observed} instead of {wrong[0].expected}."
        )
    else:
        lines.append(f"As ordered: {len(validation.nodes)} nodes with {declared} cores, no check failed.")
    if result.delivered_cores is not None:
        lines.append(f"Nodes for analyses deliver {result.delivered_cores:.2f} cores while all of them burn.")
    for each in result.analyses:
        if each.verdict is Verdict.FAILED and each.efficiency is not None:
            lines.append(
                f"{each.workload} on {each.workers} workers makes use of {each.efficiency:.0%} of "
                f"{each.usable_cores:.2f} cores, below {result.efficiency_share_min:.0%}: {each.cause}."
            )
        elif each.verdict is not Verdict.OK:
            lines.append(f"{each.workload} on {each.workers} workers: {each.cause}.")
    crowded = [each for each in result.of_sweeps() if each.oversubscribed]
    if crowded and result.delivered_cores is not None:
        lines.append(
            f"Oversubscribed beyond {result.delivered_cores:.0f} workers: what "
            f"{', '.join(str(each.workers) for each in crowded)} show is left out of fits."
        )
    lines += [each.words() for sweep in result.sweeps for each in sweep.fits]
    return lines + [f"Could not tell: {text}" for text in result.unknown]
