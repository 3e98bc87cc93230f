"""Sweeps: what is run for which value, what the points say, and that all of it is written."""

from __future__ import annotations

import csv
import io
import os
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import pytest
from toy_tasks import Toy

from bench.cli import SweepName
from bench.commands import RunOptions, known_workload
from bench.datasets.standin import make_stand_in
from bench.engines.cold import cold_pass_s
from bench.engines.model import Job
from bench.errors import BenchError, Exit
from bench.measure.equality import Physics
from bench.measure.scaling import AMDAHL, Scaling, fit
from bench.measure.statistics import Estimate
from bench.report.model import RunResult
from bench.report.read import read_result
from bench.report.sweep import HEADINGS, SweepKind, SweepPoint, SweepResult, sweep_csv
from bench.report.sweep_page import sweep_page
from bench.sweeping import Step, crossovers, fitted, planned, reading, sweep, with_replicas
from bench.terminal import Terminal
from bench.workloads import Stop4Body
from bench.workloads.root import load


def options(workload: str, engine: str = "threads", inputs: tuple[Path, ...] = (), out: Path | None = None):
    return RunOptions(
        workload=workload, inputs=tuple(map(str, inputs)), engine=engine, repeats=3, replicas=1, workers=None,
        entries_per_cluster=250, cuts=None, site="lab", out=out,
    )  # fmt: skip


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[SweepResult, Path]:
    path = make_stand_in(tmp_path_factory.mktemp("sweep"), "fcc-zee", 1000)
    out = tmp_path_factory.mktemp("swept")
    status = sweep("weak", options("fcc-zee", inputs=(path,), out=out), (1, 2), Terminal())
    result = read_result(out / "sweep.json", SweepResult)
    assert status is (Exit.OK if result.valid else Exit.INVALID)
    return result, out


def test_every_point_is_a_run_with_its_result(swept: tuple[SweepResult, Path]):
    result, out = swept
    assert [(each.value, each.slots, each.entries) for each in result.points] == [(1, 1, 1000), (2, 2, 2000)]
    for each in result.points:
        assert each.physics is Physics.EQUAL
        run = read_result(out / each.folder / "run.json", RunResult)
        assert run.measurement.entries == each.entries
        assert [p.overall_s for p in run.measurement.serial.passes] == [p.overall_s for p in each.serial.passes]


def test_two_numbers_of_workers_test_no_law(swept: tuple[SweepResult, Path]):
    (gustafson,) = swept[0].fits
    assert not gustafson.quoted
    assert any(line.startswith("Gustafson: not quoted") for line in swept[0].words)


def test_csv_has_a_row_for_each_pass(swept: tuple[SweepResult, Path]):
    rows = list(csv.DictReader(io.StringIO(sweep_csv(swept[0]))))
    assert len(rows) == 2 * 2 * 3
    assert {row["engine"] for row in rows} == {"serial", "threads"}


def test_page_shows_times_and_speed_ups(swept: tuple[SweepResult, Path]):
    result, out = swept
    assert (out / "sweep.html").read_text() == sweep_page(result)
    usable = [scaled(each, 1.5) for each in result.points]
    page = sweep_page(result.model_copy(update={"points": tuple(usable)}))
    assert page.count("<svg") == 2
    assert "#010203" not in page
    assert "INVALID" not in page
    spoilt = usable[0].model_copy(update={"timing": "disturbed (others)"})
    assert "INVALID" in sweep_page(result.model_copy(update={"points": (spoilt,)}))


def test_page_draws_the_laws_that_may_be_quoted(swept: tuple[SweepResult, Path]):
    result, _ = swept
    points = tuple(
        scaled(result.points[0], AMDAHL.speed_up(n, 0.9, 0.2), n).model_copy(update={"slots": n}) for n in (1, 2, 4, 8)
    )
    around = (1.0, 1.01, 0.99, 1.005, 0.995)
    times = {n: tuple(10 * each / AMDAHL.speed_up(n, 0.9, 0.2) for each in around) for n in (1, 2, 4, 8)}
    amdahl = fit(AMDAHL, [Scaling(n, tuple(10 * each for each in around), of_n) for n, of_n in times.items()])
    assert amdahl.quoted
    page = sweep_page(result.model_copy(update={"sweep": "workers", "points": points, "fits": (amdahl,), "words": ()}))
    assert page.count("<svg") == 2
    assert AMDAHL.name in page
    untold = (replace(amdahl, why_not="too few points"),)
    plain = sweep_page(result.model_copy(update={"sweep": "workers", "points": points, "fits": untold, "words": ()}))
    assert AMDAHL.name not in plain


def test_page_of_variations_shows_serial_against_distributed(swept: tuple[SweepResult, Path]):
    result, _ = swept
    points = tuple(scaled(result.points[0], 1.2, n, 3.0) for n in (0, 1, 5))
    page = sweep_page(result.model_copy(update={"sweep": "variations", "points": points, "fits": (), "words": ()}))
    assert page.count("<svg") == 1
    for engine in ("serial", points[0].distributed.engine):
        assert f"{engine}, compiled in the pass" in page
    assert "variations" in page


def scaled(point: SweepPoint, speed_up: float, value: float | None = None, cold: float | None = None) -> SweepPoint:
    """The point as a valid one with another speed-up."""
    passes = point.serial.passes
    times = tuple(one.model_copy(update={"overall_s": one.overall_s / speed_up}) for one in passes)
    names = (point.serial.engine, point.distributed.engine)
    return point.model_copy(
        update={
            "value": point.value if value is None else value,
            "distributed": point.distributed.model_copy(update={"passes": times}),
            "speed_up": speed_up,
            "speed_up_interval": Estimate(speed_up, speed_up - 0.1, speed_up + 0.1, 3),
            "cold_s": dict(zip(names, (1.0, cold), strict=True)) if cold else {},
            "physics": Physics.EQUAL,
            "timing": "valid",
        }
    )


def test_crossover_is_where_quicker_begins_and_stays(swept: tuple[SweepResult, Path]):
    one = swept[0].points[0]
    points = [scaled(one, s, n, c) for n, s, c in ((0, 1.2, 3.0), (1, 1.05, 2.0), (5, 1.3, 1.5), (10, 1.6, 0.9))]
    warm, cold = crossovers(points)
    # At one variation the interval does not leave out one, so that it begins at five.
    assert warm.endswith("from 5 on")
    assert cold.endswith("from 10 on")
    (never,) = crossovers([scaled(one, 0.8, 3)])
    assert never.endswith("not even at 3")


def test_workers_without_a_core_are_left_out_of_fits(swept: tuple[SweepResult, Path]):
    one = swept[0].points[0]
    points = [scaled(one, n / (1 + 0.1 * (n - 1)), n).model_copy(update={"slots": n}) for n in (1, 2, 1000)]
    assert "need more numbers of workers than 1, 2" in fitted("workers", points, 2.0)[0].why_not
    assert "than 1, 2" not in fitted("workers", points, None)[0].why_not


def test_input_grows_with_the_workers_in_a_weak_sweep_alone(swept: tuple[SweepResult, Path]):
    first = swept[0].points[0].model_copy(update={"replicas": 7})
    step = Step(3, known_workload("fcc-zee"), options("fcc-zee"))
    assert with_replicas("weak", step, [first]).replicas == 21
    assert with_replicas("workers", step, [first]).replicas == 7


def test_variations_come_on_top_of_each_other():
    steps = planned("variations", known_workload("atlas-stop4body"), options("atlas-stop4body"), (2, 0))
    counts = [len(step.workload.variations) for step in steps if isinstance(step.workload, Stop4Body)]
    assert counts == [0, 2]
    assert all(step.options.cold for step in steps)


@pytest.mark.parametrize(
    ("kind", "workload", "engine", "at", "why"),
    [
        ("workers", "fcc-zee", "serial", (), "compares an engine with serial"),
        ("workers", "fcc-zee", "dask", (), "not ours to change"),
        ("variations", "atlas-stop4body", "dask", (), "not ours to change"),
        ("workers", "fcc-zee", "dask-local", (0.5,), "whole number"),
        ("variations", "fcc-zee", "dask-local", (), "only atlas-stop4body"),
        ("variations", "atlas-stop4body", "dask-local", (41,), "there are 40 variations"),
        ("variations", "atlas-stop4body", "dask-kubernetes", (), "all variations only"),
    ],
)
def test_what_cannot_be_swept_is_told(kind: SweepKind, workload: str, engine: str, at: tuple[float, ...], why: str):
    with pytest.raises(BenchError, match=why) as told:
        planned(kind, known_workload(workload), options(workload, engine), at)
    assert told.value.status is Exit.CANNOT_TELL


@pytest.mark.parametrize(
    ("workload", "engine", "why"),
    [("ml-scan", "dask-local", "has no input"), ("fcc-zee", "threads", "reads no input alone")],
)
def test_what_cannot_be_read_alone_is_told(workload: str, engine: str, why: str):
    with pytest.raises(BenchError, match=why) as told:
        sweep("io", options(workload, engine), (), Terminal())
    assert told.value.status is Exit.CANNOT_TELL


def test_reading_takes_the_input_of_the_workload(stand_in: Path):
    reads, changed = reading("io", known_workload("fcc-zee"), options("fcc-zee", "dask-local", (stand_in,)), Terminal())
    assert (reads.tree, reads.share, changed.inputs) == ("events", 1.0, (str(stand_in),))
    shares = [step.workload for step in planned("branches", reads, changed, (0.5, 1.0))]
    assert shares == [reads, replace(reads, share=0.5)]
    with pytest.raises(BenchError, match="share of the branches"):
        planned("branches", reads, changed, (1.5,))


def test_every_kind_on_the_command_line_has_a_heading():
    assert {each.value for each in SweepName} <= HEADINGS.keys()


def test_a_cold_pass_is_made_in_a_process_of_its_own(tmp_path: Path):
    path = tmp_path / "x.root"
    load().RDataFrame(10).Define("x", "1.0 * rdfentry_").Snapshot("events", str(path))
    assert cold_pass_s(Job.over(Toy(), (path,))) > 0
    # This one ends any process but the one that is named.
    with pytest.raises(BrokenProcessPool):
        cold_pass_s(Job.over(Toy(client=os.getpid(), dies_at=0), (path,)))
