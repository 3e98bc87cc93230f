"""What `bench accept` and `bench scale` do: is it what was ordered, and how do analyses scale on it?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from .commands import RunOptions, chosen_workload, execute, show_acceptance, write_run, write_validation
from .errors import BenchError, Exit
from .facility.rows import Verdict
from .facility.site import Facility, load_facility
from .report.acceptance import (
    SWEEP_FOLDER,
    AcceptResult,
    Analysis,
    analysis_of_point,
    analysis_of_run,
    verdict_on,
)
from .report.acceptance_exports import to_csv, to_junit, to_openmetrics
from .report.acceptance_page import accept_page
from .report.sweep import SweepResult
from .report.validation import ValidateResult
from .report.write import ACCEPT_FILE, run_folder, write_json, write_texts
from .sweeping import measure_sweep
from .terminal import Terminal
from .validate import observers, validate
from .workloads import WORKLOADS

ENGINE = "dask-kubernetes"
QUICK = ("fcc-zee",)
QUICK_REPEATS = 3
# Analyses that read what another one writes, and have no other input; it is written here, beside the facility.
FIRST_STEPS = {name: "cms-tprime-skim" for name in ("cms-tprime", "cms-tprime-select")}
# The one with as many trees as variations, which the seed could not distribute at all.
SWEPT = "atlas-stop4body"


@dataclass(frozen=True)
class Wanted:
    """What is to be run on the facility."""

    workloads: tuple[str, ...]
    swept: tuple[str, ...]
    workers: tuple[int, ...]
    repeats: int
    quick: bool


def accept(site: str, out: Path | None, quick: bool, repeats: int | None, terminal: Terminal) -> Exit:
    """Look at a site, run analyses on it, and say whether it is what was ordered and does what it should."""
    if quick:
        wanted = Wanted(QUICK, (), (), repeats or QUICK_REPEATS, quick=True)
    else:
        wanted = Wanted(tuple(WORKLOADS), (SWEPT,), (), repeats or 5, quick=False)
    return prove(site, run_folder(out, site, "accept"), wanted, terminal)


def scale(site: str, out: Path | None, workload: str, workers: Sequence[int], repeats: int, terminal: Terminal) -> Exit:
    """Run one analysis with more and more workers, on cores that were counted before.

    Raises
    ------
    BenchError
        There is no such workload, or a number of workers is none; status 2.
    """
    options = options_for(workload, site, repeats)
    chosen_workload(options)
    wanted = Wanted((), (workload,), tuple(workers), repeats, quick=True)
    return prove(site, run_folder(out, site, "scale"), wanted, terminal)


def prove(site: str, folder: Path, wanted: Wanted, terminal: Terminal) -> Exit:
    """The procedure of both commands."""
    started = datetime.now(UTC)
    validation = validate(site, observers(site), terminal, wanted.quick)
    write_validation(validation, subfolder(folder, "validate"))
    facility = load_facility(site)
    cores = delivered(validation, facility)
    floor = facility.thresholds.efficiency_share_min
    analyses: list[Analysis] = []
    sweeps: list[SweepResult] = []
    unknown: list[str] = []
    for name in wanted.workloads:

        def run(name: str = name) -> None:
            inputs = written(FIRST_STEPS[name], site, folder, terminal) if name in FIRST_STEPS else ()
            options = replace(options_for(name, site, wanted.repeats), inputs=inputs)
            result = execute(chosen_workload(options), options, terminal)
            write_run(result, subfolder(folder, name))
            analyses.append(analysis_of_run(result, name, cores, floor))

        attempt(name, run, unknown, terminal)
    for name in wanted.swept:

        def sweep(name: str = name) -> None:
            at = wanted.workers or numbers_of_workers(facility, cores)
            options = options_for(name, site, wanted.repeats)
            found = measure_sweep("workers", options, at, terminal, subfolder(folder, f"{SWEEP_FOLDER}{name}"), cores)
            sweeps.append(found)
            analyses.extend(analysis_of_point(found, point, cores, floor) for point in found.points)

        attempt(f"sweep of {name}", sweep, unknown, terminal)
    result = AcceptResult(
        started=started,
        site=site,
        facility=validation.facility,
        quick=wanted.quick,
        versions=facility.versions,
        image=facility.analysis_image,
        delivered_cores=cores,
        efficiency_share_min=floor,
        validation=validation,
        analyses=tuple(analyses),
        sweeps=tuple(sweeps),
        unknown=tuple(unknown),
        verdict=verdict_on(validation, analyses, unknown),
    )
    write_json(folder / ACCEPT_FILE, result)
    write_texts(
        folder,
        {
            "accept.csv": to_csv(result),
            "accept.xml": to_junit(result),
            "accept.prom": to_openmetrics(result),
            "accept.html": accept_page(result),
        },
    )
    show_acceptance(result, terminal)
    path = folder / ACCEPT_FILE
    terminal.say(f"result: {path}; page: {path.with_suffix('.html')}")
    return exit_status(result)


def exit_status(result: AcceptResult) -> Exit:
    """3 where the facility changed meanwhile, 1 where something is wrong, 3 where times are disturbed, 2: not known."""
    if result.validation.disturbed:
        return Exit.INVALID
    if result.verdict is Verdict.FAILED:
        return Exit.FAILED
    if result.invalid:
        return Exit.INVALID
    return Exit.CANNOT_TELL if result.verdict is Verdict.UNKNOWN else Exit.OK


def attempt(what: str, do: Callable[[], None], unknown: list[str], terminal: Terminal) -> None:
    """Do something that may give no result, which does not hide the others'."""
    terminal.console.rule(what, align="left")
    try:
        do()
    except BenchError as error:
        unknown.append(f"{what}: {error}")
        terminal.say(str(error))
    finally:
        # Generated events of one analysis mark neither the next one nor the verdict, in whose table they are marked.
        terminal.mark = ""


def options_for(workload: str, site: str, repeats: int) -> RunOptions:
    """A workload on the facility, as `bench run` does it by default."""
    return RunOptions(
        workload=workload,
        inputs=(),
        engine=ENGINE,
        repeats=repeats,
        replicas=None,
        workers=None,
        entries_per_cluster=250,
        cuts=None,
        site=site,
        out=None,
    )


def written(first_step: str, site: str, folder: Path, terminal: Terminal) -> tuple[str, ...]:
    """What an analysis writes for the next one, in one thread of this machine; it is written once."""
    output = folder / "inputs" / first_step
    if not output.is_dir():
        once = replace(options_for(first_step, site, 1), engine="serial", replicas=1, output=output)
        with terminal.step(f"what {first_step} writes"):
            execute(chosen_workload(once), once, terminal)
    return tuple(str(path) for path in sorted(output.rglob("*.root")))


def delivered(validation: ValidateResult, facility: Facility) -> float | None:
    """Cores of the nodes for analyses while all nodes burn; None where one of them is not known."""
    workers = set(facility.workers())
    found = [each.delivered_together_cores for each in validation.nodes if each.name in workers]
    known = [each for each in found if each is not None]
    return sum(known) if known and len(known) == len(found) else None


def numbers_of_workers(facility: Facility, cores: float | None) -> tuple[int, ...]:
    """1, 2, 4, … up to a worker for each core, and twice as many where nodes share theirs, to show the end of it."""
    ordered = sum(facility.nodes[name].vcpus or 1 for name in facility.workers())
    most = max(1, round(cores) if cores is not None else ordered)
    powers = [1 << exponent for exponent in range(most.bit_length()) if 1 << exponent < most]
    return (*powers, most, *([2 * most] if facility.allow_overcommit else []))


def numbers(text: str | None) -> tuple[int, ...]:
    """Numbers of workers as they are typed.

    Raises
    ------
    BenchError
        One is no whole number from 1; status 2.
    """
    try:
        found = tuple(int(each) for each in text.split(",")) if text else ()
    except ValueError:
        found = (0,)
    if any(each < 1 for each in found):
        raise BenchError(
            f"--workers {text}", "numbers of workers are whole numbers from 1", "Write them as 1,2,4.", Exit.CANNOT_TELL
        )
    return found


def subfolder(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir(exist_ok=True)
    return made
