"""What `bench simulate` does: how long would it take on more workers, and can one believe it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from .errors import Exit
from .measure.environment import environment
from .report.simulation import (
    SIMULATED,
    CheckedPoint,
    SimulatedPoint,
    SimulateResult,
    checks_table,
    number_of_workers,
    points_table,
    words,
)
from .report.simulation_page import simulation_page
from .report.sweep import SweepPoint
from .report.write import run_folder, write_json, write_texts
from .simulation.cluster import simulator
from .simulation.feed import Feed, feed
from .simulation.prediction import Costs, Prediction, costs, error_of, holds, predict
from .simulation.source import Source, source_of, why_not
from .simulation.staging import StagingPlan
from .terminal import STAND_IN, Terminal

SIMULATE_FILE = "simulate.json"
DEFAULT_WORKERS = (1, 2, 4, 8, 16, 32)
# Wanted of points that did not feed the simulation.
ERROR_MAX = 0.2


@dataclass(frozen=True, kw_only=True)
class SimulateOptions:
    """Options of `bench simulate`."""

    result: Path
    workers: tuple[int, ...] = ()
    input_times: int = 1
    cores: float | None = None
    staging: StagingPlan | None = None
    repeats: int = 3
    site: str = "lab"
    out: Path | None = None
    as_json: bool = False


def simulate(options: SimulateOptions, terminal: Terminal) -> Exit:
    """Simulate, write, and say what came out; CANNOT_TELL where measured points contradict it.

    Raises
    ------
    BenchError
        What was measured cannot feed a simulation, or this machine cannot run it.
    """
    started = datetime.now(UTC)
    source = source_of(options.result, options.cores)
    fed = feed(source.run, source.cores)
    if options.as_json:
        # That alone is on standard output.
        terminal = Terminal(Console(stderr=True, highlight=False))
    terminal.mark = f"{SIMULATED}, {STAND_IN}" if source.run.input.stand_in else SIMULATED
    predictions: list[Prediction] = []
    with simulator() as simulated:
        with terminal.step(f"{fed.n_tasks} tasks on {number_of_workers(fed.slots)}, as measured"):
            found = costs(simulated, fed, options.repeats)
        for number in wanted(source, fed, options):
            with terminal.step(number_of_workers(number)):
                predictions.append(predict(simulated, fed, found, number, options.input_times, options.repeats))
    result = put_together(started, source, fed, found, predictions, options)
    folder = run_folder(options.out, options.site, "simulate")
    path = folder / SIMULATE_FILE
    write_json(path, result)
    write_texts(folder, {"simulate.html": simulation_page(result)})
    if options.as_json:
        print(result.model_dump_json(indent=1))
    else:
        show(result, terminal)
    terminal.say(f"result: {path}; page: {path.with_suffix('.html')}")
    return Exit.CANNOT_TELL if result.holds is False else Exit.OK


def wanted(source: Source, fed: Feed, options: SimulateOptions) -> list[int]:
    """Numbers of workers to simulate: those asked for, and with the same input those that were measured."""
    numbers = set(options.workers or DEFAULT_WORKERS)
    if options.input_times == 1:
        numbers |= {fed.slots, *(each.slots for each in source.points if not why_not(each, source))}
    return sorted(numbers)


def put_together(
    started: datetime,
    source: Source,
    fed: Feed,
    found: Costs,
    predictions: Sequence[Prediction],
    options: SimulateOptions,
) -> SimulateResult:
    """The result."""
    times, staging = options.input_times, options.staging
    phases = source.run.measurement.phases_s
    started_s = phases.get("connect", 0.0) + phases.get("warm-up", 0.0)
    checks = tuple(checked(each, source, fed, predictions, times) for each in source.points)
    verdict = holds([each.error for each in checks if each.error is not None and not each.why_not], ERROR_MAX)
    result = SimulateResult(
        started=started,
        source=str(source.path),
        workload=source.run.workload,
        title=source.run.title,
        engine=source.run.engine,
        site=source.run.site,
        stand_in=source.run.input.stand_in,
        input_times=times,
        fed_workers=fed.slots,
        fed_tasks=fed.n_tasks,
        task_s=fed.task_s,
        task_own_s=fed.own_s,
        serial_s=fed.serial_s * times,
        started_s=started_s,
        costs=found,
        staging=staging,
        points=tuple(point_of(each, fed.serial_s * times, started_s, staging) for each in predictions),
        checks=checks,
        error_max=ERROR_MAX,
        holds=verdict,
        environment=environment(),
        words=(),
    )
    made_of = words(result, fed.rule == "fixed", fed.merges, source.cores is not None)
    return result.model_copy(update={"words": made_of})


def point_of(each: Prediction, serial_s: float, started_s: float, staging: StagingPlan | None) -> SimulatedPoint:
    """A prediction as it is written down, with what comes before a first pass."""
    staging_s = None if staging is None else staging.seconds(each.workers)
    return SimulatedPoint(
        workers=each.workers,
        tasks=each.tasks,
        submit_s=each.submit_s,
        loop_s=each.loop_s,
        merge_s=each.merge_s,
        overall_s=each.overall_s,
        at_least_s=each.at_least_s,
        speed_up=serial_s / each.overall_s,
        nodes=None if staging is None else staging.nodes(each.workers),
        staging_s=staging_s,
        first_run_s=started_s + (staging_s or 0.0) + each.overall_s,
        transitions=each.transitions,
        scheduler_share=each.scheduler_share,
        sleepers_share=each.sleepers_share,
        limited_here=each.limited_here,
    )


def checked(
    point: SweepPoint, source: Source, fed: Feed, predictions: Sequence[Prediction], times: int
) -> CheckedPoint:
    """A measured point beside the simulated one."""
    simulated = next((each.overall_s for each in predictions if each.workers == point.slots), None)
    reason = "the simulated input is another" if times != 1 else why_not(point, source)
    if not reason and point.slots == fed.slots:
        reason = "it fed the simulation"
    measured = point.distributed.estimate
    usable = simulated is not None and times == 1
    error = error_of(simulated, measured.value) if usable and simulated is not None else None
    return CheckedPoint(
        workers=point.slots, measured_s=measured, simulated_s=simulated if usable else None, error=error, why_not=reason
    )


def show(result: SimulateResult, terminal: Terminal) -> None:
    """Show what was simulated, every line marked."""
    terminal.show(points_table(result))
    if result.checks:
        terminal.show(checks_table(result))
    for line in result.words:
        terminal.say(line)
