"""The result of `bench compare-modes`: as JSON and as a table."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field
from rich.table import Table

from ..measure.equality import Comparison, Physics
from ..measure.statistics import Estimate
from .model import Passes, Record, RunResult
from .tables import describe


class ModesResult(Record):
    """Result of `bench compare-modes`: a run in each mode, on the same workers and the same input, in turns."""

    kind: Literal["bench.modes/1"] = "bench.modes/1"
    started: datetime
    tuned: RunResult
    infn: RunResult
    between: Comparison = Field(description="what infn found, against what tuned found")
    ratio: Estimate | None = Field(
        description="overall time of infn over that of tuned, with its bootstrap interval, 95 %; none where the yields "
        "are not all equal, or times are disturbed"
    )

    @property
    def equal(self) -> bool:
        """Whether all yields are: each mode's with the input's and the serial passes', and with each other."""
        verdicts = (self.tuned.physics, self.infn.physics, self.between.verdict)
        return all(each is Physics.EQUAL for each in verdicts)

    @property
    def why_no_ratio(self) -> str:
        """Why the times must not be divided; "" where they may."""
        if not self.equal:
            return "the yields are not all equal"
        runs = {"tuned": self.tuned, "infn": self.infn}
        return "; ".join(f"{name}: {each.timing}" for name, each in runs.items() if each.timing != "valid")


def modes_table(result: ModesResult) -> Table:
    """Times, numbers of tasks and verdicts, a row for each mode."""
    tuned, infn = result.tuned, result.infn
    table = Table(title=f"{tuned.title}: modes on {tuned.engine}", title_justify="left")
    for column in ("mode", "overall time", "tasks in a pass", "physics", "timing"):
        table.add_column(column)
    serial, entries = tuned.measurement.serial, tuned.measurement.entries
    table.add_row("serial, one thread", describe(serial, entries), "", "", "")
    for each in (tuned, infn):
        passes = each.measurement.distributed
        if passes:
            colour = "green" if each.physics is Physics.EQUAL else "red"
            verdict = f"[{colour}]{each.physics}[/]"
            table.add_row(each.mode, describe(passes, entries), f"{tasks(passes):,}", verdict, each.timing)
    return table


def tasks(passes: Passes) -> int:
    """Tasks of the last pass, of all its loops."""
    return sum(worker.tasks for worker in passes.passes[-1].workers)
