"""What `bench selftest --speed` does: ratios of times taken in turns in one run, each beside what is wanted of it.

Nothing here fails for being slow: how quick a machine is says nothing about the software. Results that differ do fail.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from rich.table import Table

from .datasets.default import default_inputs
from .datasets.generate import events_for, generate
from .datasets.locate import data_cache
from .datasets.remote import FilePath
from .engines.dask import Dask, local_cluster
from .engines.infn import InfnDask
from .engines.local import Serial
from .engines.model import Engine, Job, Pass
from .errors import BenchError, Exit
from .measure.equality import Physics, compare
from .measure.statistics import Estimate, ratio_of_medians
from .terminal import STAND_IN, Terminal
from .workloads import CmsTprimeSkim, Stop4Body
from .workloads.model import NOMINAL, Outcome
from .workloads.nano_objects import objects
from .workloads.nanoaod import read
from .workloads.stop4body_systematics import DOWN, UP, VARIATIONS, WEIGHTS
from .workloads.toptagger_speed import measured

WORKERS = 2
ROUNDS = 3
# The notebook's five trees; its variations of the weight are commented out.
FIVE_TREES = Stop4Body(variations=VARIATIONS[:4], weights=())
NOMINAL_ONLY = Stop4Body(variations=())
# Scaled until the nominal tree alone keeps one core busy for so long.
NOMINAL_SERIAL_S = 20.0
SCORED_EVENTS = 200
GIGABYTES = 1.8
MEMORY_PASSES = 20


@dataclass(frozen=True)
class Speed:
    """A figure: what was found of what was wanted, and from which times."""

    what: str
    found: str
    wanted: str
    met: bool
    times: str


def speed(terminal: Terminal) -> Exit:
    """Measure everything and show a table; INVALID where results differ, whatever the times."""
    terminal.mark = STAND_IN
    files = tuple(source.path for source in default_inputs(Stop4Body().name, terminal))
    table = Table(title="bench selftest --speed: ratios within one run", title_justify="left")
    for column in ("what", "found", "wanted", "met", "times"):
        table.add_column(column, overflow="fold")
    terminal.say(f"load of the machine before: {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores")
    try:
        with terminal.step(f"{WORKERS} Dask workers"), Dask("dask-local", local_cluster(WORKERS), WORKERS) as dask:
            for each in (*modes(dask, files, terminal), *weights(dask, files, terminal), *trees(dask, files, terminal)):
                add(table, each)
        for each in (*scoring(terminal), *memory(terminal)):
            add(table, each)
    except Unequal as error:
        terminal.say(f"INVALID: {error}")
        return Exit.INVALID
    terminal.show(table)
    return Exit.OK


def add(table: Table, row: Speed) -> None:
    """A figure as a row."""
    table.add_row(row.what, row.found, row.wanted, "[green]yes[/]" if row.met else "[red]no[/]", row.times)


class Unequal(Exception):
    """Two ways to the same numbers gave different ones."""


def equal(reference: Outcome, found: Outcome, what: str) -> None:
    """See that two results are the same physics.

    Raises
    ------
    Unequal
        They are not.
    """
    compared = compare(reference, found, "the first result")
    if compared.verdict is not Physics.EQUAL:
        raise Unequal(f"{what}: {compared.differences[0]}")


def in_turns(engines: Sequence[Engine], job: Job, rounds: int) -> list[list[Pass]]:
    """Passes of each engine, in turns, after each has compiled; all with the results of the first."""
    for each in engines:
        each.warm_up(job)
    found: list[list[Pass]] = [[] for _ in engines]
    for _ in range(rounds):
        for engine, passes in zip(engines, found, strict=True):
            passes.append(engine.run(job))
            equal(found[0][0].outcome, passes[-1].outcome, f"{job.workload.name} on {engine.name}")
    return found


def overall(passes: Sequence[Pass]) -> list[float]:
    """Overall times in seconds."""
    return [each.overall_s for each in passes]


def row(what: str, slow: Sequence[float], quick: Sequence[float], wanted: float, names: tuple[str, str]) -> Speed:
    """A ratio of times as a figure."""
    ratio = ratio_of_medians(slow, quick)
    times = f"{names[0]} {median(slow):.2f} s, {names[1]} {median(quick):.2f} s"
    return Speed(what, f"{ratio} ×", f"≥ {wanted:g} ×" if wanted > 1 else "> 1 ×", reached(ratio, wanted), times)


def reached(ratio: Estimate, wanted: float) -> bool:
    """Whether a ratio is what is wanted; of 1 it has to be above."""
    return ratio.value >= wanted and ratio.value > 1


def modes(dask: Dask, files: Sequence[FilePath], terminal: Terminal) -> Iterator[Speed]:
    """The notebooks' way to use Dask against the engine's own, on the same two workers."""
    job = Job.over(FIVE_TREES, files)
    infn = InfnDask(dask.name, lambda _stack: dask.client, WORKERS)
    with terminal.step(f"modes infn and tuned, 5 trees, 2 regions, {job.entries:,} entries each"), infn:
        _, slow, quick = in_turns((Serial(), infn, dask), job, ROUNDS)
    yield row("mode tuned against infn, 5 trees, 2 regions", overall(slow), overall(quick), 20, ("infn", "tuned"))


def weights(dask: Dask, files: Sequence[FilePath], terminal: Terminal) -> Iterator[Speed]:
    """All variations of the weight in one pass by Vary, against a pass for each of them."""
    together = Job.over(NOMINAL_ONLY, files)
    names = [f"{name}__{side}" for name in WEIGHTS for side in (UP, DOWN)]
    apart = [replace(together, workload=replace(NOMINAL_ONLY, weights=(), factor=name)) for name in ("1.0", *names)]
    for engine in (Serial(), dask):
        with terminal.step(f"{len(names)} variations of the weight, {engine.name}"):
            once = [each for (each,) in [in_turns((engine,), job, 1) for job in apart]]
            (all_at_once,) = in_turns((engine,), together, ROUNDS)
        for name, (single,) in zip((NOMINAL, *names), once, strict=True):
            same_yields(all_at_once[0].outcome, single.outcome, name)
        yield row(
            f"variations of the weight by Vary, {engine.name}", [sum(each[0].overall_s for each in once)],
            overall(all_at_once), 5, (f"{len(apart)} passes", "one"),
        )  # fmt: skip


def same_yields(varied: Outcome, single: Outcome, variation: str) -> None:
    """See that a pass for one variation gives what Vary gives for it.

    Raises
    ------
    Unequal
        It does not.
    """
    named = variation.replace("__", ":")
    histograms = [(each.name, varied.histogram(each.name.replace(NOMINAL, named))) for each in single.histograms]
    of_it = replace(varied, histograms=tuple(replace(each, name=name) for name, each in histograms))
    equal(of_it, single, f"{named} in a pass of its own")


def trees(dask: Dask, files: Sequence[FilePath], terminal: Terminal) -> Iterator[Speed]:
    """More and more variations of the kinematics, on one core and on two workers."""
    job = Job.over(NOMINAL_ONLY, files)
    Serial().warm_up(job)
    replicas = max(1, round(NOMINAL_SERIAL_S / Serial().run(job).overall_s))
    for number, wanted in ((1, 1.0), (len(VARIATIONS), 1.6)):
        job = replace(Job.over(Stop4Body(variations=VARIATIONS[:number]), files), replicas=replicas)
        words = f"{number + 1} trees, {job.entries:,} entries each"
        with terminal.step(f"{words}, serial and dask-local"):
            alone, shared = in_turns((Serial(), dask), job, 1)
        yield row(words, overall(alone), overall(shared), wanted, ("serial", f"{WORKERS} workers"))


def scoring(terminal: Terminal) -> Iterator[Speed]:
    """Scores of top candidates in batches, against a call for each event."""
    with tempfile.TemporaryDirectory(prefix="bench-speed-") as folder, terminal.step(f"{SCORED_EVENTS} events scored"):
        (path,) = generate(CmsTprimeSkim().name, Path(folder), SCORED_EVENTS)
        found = measured(objects(read(str(path), "Events", 0, SCORED_EVENTS)))
    if found.largest_difference > 1e-6:
        raise Unequal(f"scores in batches and one by one differ by {found.largest_difference:g}")
    yield Speed(
        "scores in batches against a call for each event", f"{found.ratio:.3g} ×", "≥ 30 ×", found.ratio >= 30,
        f"{found.candidates:,} candidates: {found.by_event_s:.2f} s, {found.batched_s:.3f} s",
    )  # fmt: skip
    yield Speed(
        "candidates made and scored by one core", f"{found.candidates_per_s:,.0f} /s", "≥ 10,000 /s",
        found.candidates_per_s >= 1e4, f"{found.batched_s:.3f} s of processor time",
    )  # fmt: skip


def memory(terminal: Terminal) -> Iterator[Speed]:
    """What a worker holds while it reads a large input, again and again."""
    cache = data_cache()
    cache.mkdir(parents=True, exist_ok=True)
    workload = Stop4Body()
    with tempfile.TemporaryDirectory(prefix=".speed-", dir=cache) as folder:
        with terminal.step(f"{GIGABYTES:g} GB of generated events"):
            files = generate(workload.name, Path(folder), events_for(workload.name, GIGABYTES))
        size = sum(each.stat().st_size for each in files)
        job = Job.over(workload, files)
        words = f"{MEMORY_PASSES} passes over {size / 1e9:.2f} GB"
        with Dask("dask-local", local_cluster(WORKERS), WORKERS) as dask, terminal.step(words):
            (passes,) = in_turns((dask,), job, MEMORY_PASSES)
    peaks = [peak_bytes(each) for each in passes]
    growth = max(peaks[-3:]) / max(peaks[:3]) - 1
    gib = max(peaks) / 2**30
    times = f"{words}, {median(overall(passes)):.1f} s each"
    yield Speed("memory of a worker, at most", f"{gib:.2f} GiB", "≤ 1.5 GiB", gib <= 1.5, times)
    yield Speed("its growth, first three passes to last three", f"{growth:.1%}", "≤ 5 %", growth <= 0.05, times)


def peak_bytes(one: Pass) -> int:
    """The most that a worker of a pass held.

    Raises
    ------
    BenchError
        The workers were not seen.
    """
    held = [size for each in one.samples for size in each.memory_bytes]
    if not held:
        raise BenchError(
            "memory of the workers", "no sample of them was taken", "See that psutil may read /proc here.", Exit.INVALID
        )
    return max(held)
