"""The result of `bench simulate`: as JSON and as tables. Everything in it that was not measured says that."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field
from rich.table import Table

from ..measure.environment import Environment
from ..measure.statistics import Estimate
from ..simulation.prediction import Costs
from ..simulation.staging import StagingPlan
from .model import Record

# The mark of every line on the terminal.
SIMULATED = "simulated"


class SimulatedPoint(Record):
    """A pass on a number of workers as it is expected."""

    workers: int
    tasks: int
    submit_s: float = Field(description="trigger to the start of the first task")
    loop_s: float = Field(description="start of the first task to the end of the last")
    merge_s: float = Field(description="end of the last task to the end of the execution")
    overall_s: float = Field(description="trigger of the execution to its end")
    at_least_s: float = Field(description="busiest worker's tasks alone, or the scheduler's processor time")
    speed_up: float = Field(description="measured serial over simulated overall time")
    nodes: int | None = Field(description="that an input is staged to; none: no staging was asked for")
    staging_s: float | None = Field(description="until the input lies on all nodes, computed from bytes and rate")
    first_run_s: float = Field(description="measured start of workers and compiling, staging, and the pass")
    transitions: int = Field(description="of task states, made by Dask's scheduler")
    scheduler_share: float = Field(description="processor time of the scheduler over the simulated pass")
    sleepers_share: float = Field(description="processor time of all sleeping workers over the simulated pass")
    limited_here: bool = Field(description="this machine may have made it longer: an upper limit")


class CheckedPoint(Record):
    """A measured point beside the simulated one."""

    workers: int
    measured_s: Estimate
    simulated_s: float | None
    error: float | None = Field(description="simulated over measured time, minus one")
    why_not: str = Field(description="why it is not judged; empty: it is")


class SimulateResult(Record):
    """Result of `bench simulate`."""

    kind: Literal["bench.simulate/1"] = "bench.simulate/1"
    simulated: Literal[True] = Field(default=True, description="no time of a point was measured")
    started: datetime
    source: str = Field(description="the measured run that fed it")
    workload: str
    title: str
    engine: str
    site: str | None
    stand_in: bool = Field(description="generated events: no real physics")
    input_times: int = Field(description="how many times as long as the measured input")
    fed_workers: int
    fed_tasks: int
    task_s: float = Field(description="mean of a measured task")
    task_own_s: float = Field(description="of that beyond its share of the serial pass")
    serial_s: float = Field(description="measured serial pass, times input_times")
    started_s: float = Field(description="measured: start of the workers, and compiling in each")
    costs: Costs
    staging: StagingPlan | None
    points: tuple[SimulatedPoint, ...]
    checks: tuple[CheckedPoint, ...]
    error_max: float
    holds: bool | None = Field(description="no judged point is off by more than error_max; none: nothing to judge by")
    environment: Environment = Field(description="where it was simulated")
    words: tuple[str, ...]


def points_table(result: SimulateResult) -> Table:
    """A row for each number of workers."""
    table = Table(title=f"SIMULATED: {result.title} on {result.engine}", title_justify="left")
    staged = [] if result.staging is None else ["staging [s]"]
    for column in ("workers", "tasks", "before [s]", "loop [s]", "merge [s]", "overall [s]", "at least [s]", "speed-up",
                   "scheduler", *staged, "first run [s]"):  # fmt: skip
        table.add_column(column, justify="right")
    table.add_column("")
    for each in result.points:
        staging = [] if each.staging_s is None else [f"{each.staging_s:.1f}"]
        table.add_row(
            f"{each.workers:,}", f"{each.tasks:,}", f"{each.submit_s:.2f}", f"{each.loop_s:.2f}", f"{each.merge_s:.2f}",
            f"{each.overall_s:.2f}", f"{each.at_least_s:.2f}", f"{each.speed_up:.2f}", f"{each.scheduler_share:.0%}",
            *staging, f"{each.first_run_s:.1f}", note(result, each),
        )  # fmt: skip
    return table


def note(result: SimulateResult, point: SimulatedPoint) -> str:
    """What has to be known of a point."""
    fed = ["fed by this"] if point.workers == result.fed_workers and result.input_times == 1 else []
    return "; ".join([*fed, *(["upper limit" if point.limited_here else ""])]).strip("; ")


def checks_table(result: SimulateResult) -> Table:
    """A row for each measured point."""
    table = Table(title="simulated against measured", title_justify="left")
    for column in ("workers", "measured [s]", "simulated [s]", "error"):
        table.add_column(column, justify="right")
    table.add_column("verdict")
    for each in result.checks:
        simulated = "" if each.simulated_s is None else f"{each.simulated_s:.2f}"
        error = "" if each.error is None else f"{each.error:+.0%}"
        table.add_row(f"{each.workers}", str(each.measured_s), simulated, error, judged(result, each))
    return table


def judged(result: SimulateResult, point: CheckedPoint) -> str:
    """What a measured point says of the simulation."""
    if point.why_not or point.error is None:
        return f"not judged: {point.why_not}"
    if abs(point.error) <= result.error_max:
        return "holds"
    return f"off by more than {result.error_max:.0%}"


def number_of_workers(number: int) -> str:
    """In words."""
    return f"{number:,} worker{'s' * (number != 1)}"


def words(result: SimulateResult, as_many_tasks: bool, merges: bool, cores_known: bool) -> tuple[str, ...]:
    """What the simulation is made of, what it leaves out, and whether it holds.

    Parameters
    ----------
    as_many_tasks : whether any number of workers gets as many tasks
    merges : whether workers merge the results
    cores_known : whether it is known how many cores the measured workers had
    """
    cost = result.costs
    merging = f"{cost.reduce_s:.2g} s to merge two results" if merges else f"{cost.collect_s:.2g} s to collect a result"
    said = [
        f"fed by {result.source}: {result.fed_tasks} tasks of {result.task_s:.3g} s on"
        f" {number_of_workers(result.fed_workers)}, each {result.task_own_s:.2g} s beyond its share of a serial pass",
        f"beyond what Dask took here it needed {cost.fixed_s:.2g} s once, {cost.gap_s:.2g} s for each task, {merging}",
        "Dask's own scheduler ran here, over TCP, with Dask's state machine of a worker for each; the tasks slept."
        " Left out: sending results between workers, and what a larger graph costs to send",
        "before, merge: until the first task starts, after the last one. scheduler: its share of a processor."
        f" first run: with {result.started_s:.1f} s for starting workers and compiling, as measured"
        + (", and staging" if result.staging else ""),
    ]
    if as_many_tasks:
        said.append("any number of workers gets as many tasks: how this workload cuts its input was not found again")
    if any(each.limited_here for each in result.points):
        said.append("upper limit: all workers share a process here, which was busy for more than half of the pass")
    if not cores_known:
        said.append("how many cores the measured workers had is not known (--cores): taken as one each")
    return (*said, verdict(result))


def verdict(result: SimulateResult) -> str:
    """Whether measured points bear it out."""
    errors = [each.error for each in result.checks if each.error is not None and not each.why_not]
    if not errors:
        return (
            "not checked: there is no measured point with other workers and a core for each"
            " (bench sweep workers makes them)"
        )
    worst = max(errors, key=abs)
    points = f"{len(errors)} measured point{'s' * (len(errors) != 1)}"
    told = f"off by {worst:+.0%} at most on {points} that did not feed it; allowed {result.error_max:.0%}"
    return f"the prediction holds: {told}" if result.holds else f"the prediction DOES NOT HOLD: {told}"
