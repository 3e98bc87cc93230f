"""What `bench compare-modes` does: the notebooks' way to use Dask against the engine's own, on the same workers."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from .commands import RunOptions, chosen_workload, make_engine
from .engines.dask import Dask
from .engines.infn import DESCRIPTION, N_PARTITIONS, InfnDask
from .engines.local import Serial
from .engines.model import Pass
from .errors import BenchError, Exit
from .measure.environment import environment
from .measure.equality import Physics, compare
from .measure.phases import Phases
from .measure.statistics import ratio_of_medians
from .passes import MIN_CLUSTERS_PER_SLOT, measurement_of, sized
from .report.model import RunResult
from .report.modes import ModesResult, modes_table
from .report.write import run_folder, write_json
from .run import TUNED, Prepared, judge, prepare
from .terminal import STAND_IN, Terminal
from .workloads import TaskWorkload, Workload

MODES_FILE = "modes.json"
# Engines whose workers both modes can use one after the other.
ENGINES = ("dask-local", "dask")


def compare_modes(options: RunOptions, terminal: Terminal) -> Exit:
    """Run both modes, write what was found, and say it; INVALID where no ratio may be given.

    Raises
    ------
    BenchError
        The workload is no graph, the engine has no Dask workers, or a run fails.
    """
    workload = chosen_workload(options)
    refuse_without_modes(workload, options.engine)
    phases = Phases()
    prepared = prepare(workload, options.inputs, terminal, phases, options.entries_per_cluster, options.staging)
    engine = make_engine(options)
    assert isinstance(engine, Dask)
    result = measured(prepared, engine, options.repeats, options.replicas, terminal, phases)
    path = run_folder(options.out, options.site, "modes") / MODES_FILE
    write_json(path, result)
    show_modes(result, terminal)
    terminal.say(f"result: {path}")
    return Exit.INVALID if result.ratio is None else Exit.OK


def refuse_without_modes(workload: Workload | TaskWorkload, engine: str) -> None:
    """See that there are two modes to compare.

    Raises
    ------
    BenchError
        There are not; status 2.
    """
    if isinstance(workload, TaskWorkload):
        raise BenchError(
            f"bench compare-modes {workload.name}",
            "mode infn is a way to run a graph, and this workload is a list of tasks",
            "Name a workload that is a graph: fcc-zee, atlas-stop4body or cms-tprime.",
            Exit.CANNOT_TELL,
        )
    if engine not in ENGINES:
        raise BenchError(
            f"bench compare-modes --engine {engine}",
            "both modes have to use the same Dask workers, driven from here",
            f"Choose --engine {' or '.join(ENGINES)}; elsewhere, run each mode with bench run.",
            Exit.CANNOT_TELL,
        )


def measured(
    prepared: Prepared, tuned: Dask, repeats: int, replicas: int | None, terminal: Terminal, phases: Phases
) -> ModesResult:
    """Run serially and in both modes in turns, on the very same input and workers.

    Parameters
    ----------
    tuned : Dask
        The engine, not yet entered; mode infn borrows its client.
    replicas : int or None
        How many times the input is read; None: so that a serial pass takes 2 s, and no task of either mode is empty.
    """
    started, surroundings, serial, job = datetime.now(UTC), environment(), Serial(), prepared.job
    serial_passes: list[Pass] = []
    tuned_passes: list[Pass] = []
    infn_passes: list[Pass] = []
    with phases.phase("connect"):
        terminal.say(f"engine {tuned.name}: starting")
        tuned.__enter__()
    try:
        infn = InfnDask(tuned.name, lambda _stack: tuned.client, tuned.slots)
        infn.__enter__()
        with phases.phase("warm-up serial"), terminal.step("compiling for the serial reference"):
            serial.warm_up(job)
        with terminal.step("serial, first pass"):
            enough = max(tuned.slots, math.ceil(N_PARTITIONS / MIN_CLUSTERS_PER_SLOT))
            job, first = sized(job, enough, replicas, phases)
            serial_passes.append(first)
        with phases.phase("warm-up"), terminal.step(f"compiling on {tuned.slots} slots, both modes"):
            tuned.warm_up(job)
            # Every loop is a graph of its own, which the first pass would compile.
            infn.run(job)
        with terminal.step(f"serial, tuned and infn in turns, {job.entries:,} entries, {repeats} passes"):
            for number in range(repeats):
                if number:
                    with phases.phase("serial"):
                        serial_passes.append(serial.run(job))
                with phases.phase("tuned"):
                    tuned_passes.append(tuned.run(job))
                with phases.phase("infn"):
                    infn_passes.append(infn.run(job))
        versions = dict(tuned.versions())
    finally:
        with phases.phase("disconnect"):
            tuned.__exit__(None, None, None)

    def judged(passes: list[Pass], mode: str) -> RunResult:
        measurement = measurement_of(job, tuned, serial_passes, passes, versions, surroundings, phases)
        return judge(prepared, measurement, started, phases, tuned.name, mode)

    return compared(judged(tuned_passes, TUNED), judged(infn_passes, DESCRIPTION), started)


def compared(tuned: RunResult, infn: RunResult, started: datetime) -> ModesResult:
    """Put two runs together; the ratio is given only if all yields are equal and no times disturbed."""
    between = compare(tuned.measurement.outcome, infn.measurement.outcome, "mode tuned")
    found = ModesResult(started=started, tuned=tuned, infn=infn, between=between, ratio=None)
    many = [each.measurement.distributed for each in (infn, tuned)]
    if found.why_no_ratio or many[0] is None or many[1] is None:
        return found
    times = [[one.overall_s for one in each.passes] for each in many if each]
    return found.model_copy(update={"ratio": ratio_of_medians(*times)})


def show_modes(result: ModesResult, terminal: Terminal) -> None:
    """Show times and verdicts; the ratio, or why there is none."""
    tuned = result.tuned
    terminal.mark = STAND_IN if tuned.input.stand_in else terminal.mark
    terminal.show(modes_table(result))
    runs = (("tuned", tuned), ("infn", result.infn))
    found = [(name, each) for name, run in runs for each in run.measurement.comparisons]
    for name, each in [*found, ("infn", result.between)]:
        words = f"{name}, against {each.compared_with}: {each.verdict}, {each.numbers_compared:,} numbers"
        terminal.say(f"{words}, largest deviation {each.largest_deviation:g}")
        if each.verdict is not Physics.EQUAL:
            for difference in each.differences[:10]:
                terminal.say(f"  {difference}")
    if result.ratio is None:
        terminal.say(f"INVALID: no ratio is given, for {result.why_no_ratio}")
    else:
        confidence = " (95 %)" if result.ratio.n > 2 else ""
        terminal.say(f"tuned is {result.ratio} × as fast as infn{confidence}")
