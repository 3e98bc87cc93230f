"""What `bench selftest` does: every workload, small, on every engine of this machine, compared with the serial one."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from rich.table import Table

from .datasets.generate import generate
from .engines.dask import Dask, local_cluster
from .engines.local import Serial, Threads
from .engines.model import Engine, Job
from .errors import Exit
from .measure.equality import Comparison, Physics, compare
from .terminal import STAND_IN, Terminal
from .workloads import WORKLOADS, CmsTprime, CmsTprimeSelect, CmsTprimeSkim, Outcome, Stop4Body, TaskWorkload, Workload
from .workloads.ml_scan import POINTS, MlScan
from .workloads.stop4body_systematics import VARIATIONS

WORKERS = 2
# Enough for every step of the selections to leave some, few enough for the whole to take a minute or two.
EVENTS = {"fcc-zee": 2000, "atlas-stop4body": 3000, "atlas-slimming": 400, "cms-tprime-skim": 1000}
# One variation of each side, of all kinds: 41 trees take no other way than these.
SMALL: dict[str, Workload | TaskWorkload] = {
    "atlas-stop4body": Stop4Body(variations=(VARIATIONS[0], *VARIATIONS[-2:])),
    "ml-scan": replace(MlScan(), points=POINTS[:2], events=300, folds=2),
}


def selftest(terminal: Terminal) -> Exit:
    """Run everything and show a table of equalities; INVALID where one of them fails."""
    terminal.mark = STAND_IN
    table = Table(title="bench selftest: results against the serial ones", title_justify="left")
    for column in ("workload", "engine", "numbers", "largest deviation", "physics", "seconds"):
        table.add_column(column, justify="left" if column in ("workload", "engine", "physics") else "right")
    failed = 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-selftest-")))
        with terminal.step(f"{WORKERS} Dask workers"):
            dask = stack.enter_context(Dask("dask-local", local_cluster(WORKERS), WORKERS))
        for job in jobs(folder, terminal):
            name = job.workload.name
            started = time.perf_counter()
            with terminal.step(f"{name}: serial"):
                reference = Serial().run(job).outcome
            table.add_row(name, "serial", "", "", "", f"{time.perf_counter() - started:.1f}")
            engines: list[tuple[str, Engine]] = [("threads", Threads(WORKERS)), ("dask-local", dask)]
            for words, engine in engines:
                started = time.perf_counter()
                with terminal.step(f"{name}: {words}"):
                    found = checked(engine, job, reference)
                failed += found.verdict is not Physics.EQUAL
                table.add_row(*row(name, words, found), f"{time.perf_counter() - started:.1f}")
    terminal.show(table)
    return Exit.INVALID if failed else Exit.OK


def checked(engine: Engine, job: Job, reference: Outcome) -> Comparison:
    """One pass on a running engine, compared."""
    return compare(reference, engine.run(job).outcome, "the serial result")


def row(workload: str, engine: str, found: Comparison) -> tuple[str, str, str, str, str]:
    """A comparison as cells."""
    colour = "green" if found.verdict is Physics.EQUAL else "red"
    verdict = f"[{colour}]{found.verdict}[/]"
    return workload, engine, f"{found.numbers_compared:,}", f"{found.largest_deviation:g}", verdict


def jobs(folder: Path, terminal: Terminal) -> Iterator[Job]:
    """A small job for every workload, on generated events.

    One that works on what another has written is made when that one has been run serially.
    """
    skimmed: tuple[Path, ...] = ()
    for name in WORKLOADS:
        workload = SMALL.get(name, WORKLOADS[name])
        if isinstance(workload, CmsTprime | CmsTprimeSelect):
            yield Job.over(workload, skimmed)
            continue
        paths: list[Path] = []
        if name in EVENTS:
            with terminal.step(f"{name}: {EVENTS[name]:,} generated events"):
                paths = generate(name, folder / name, EVENTS[name])
        job = Job.over(workload, paths)
        if isinstance(workload, CmsTprimeSkim):
            job = replace(job, output=folder / "skimmed")
        yield job
        if job.output:
            skimmed = tuple(sorted((job.output / "serial").glob("*.root")))
