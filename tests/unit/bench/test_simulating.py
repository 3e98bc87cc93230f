"""bench simulate: fed by what was measured, checked against what was measured, and never taken for it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from toy_naps import NAP_S, TASKS, Naps
from typer.testing import CliRunner

from bench import simulating
from bench.cli import app
from bench.commands import RunOptions
from bench.errors import BenchError, Exit
from bench.report.model import RunResult
from bench.report.read import read_result
from bench.report.simulation import SimulateResult
from bench.report.sweep import SweepResult
from bench.report.write import write_json
from bench.simulating import SIMULATE_FILE, SimulateOptions, simulate
from bench.simulation import source as sources
from bench.simulation.feed import feed
from bench.simulation.prediction import Costs, Prediction
from bench.simulation.source import cores_of, source_of
from bench.sweeping import measure_sweep
from bench.terminal import Terminal
from bench.workloads import WORKLOADS


@pytest.fixture(scope="module", autouse=True)
def naps_are_known() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(WORKLOADS, "naps", Naps())
        yield


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, naps_are_known: None) -> Path:
    """A sweep of sleeping tasks on one and two real Dask workers of this machine."""
    folder = tmp_path_factory.mktemp("naps")
    options = RunOptions(
        workload="naps", inputs=(), engine="dask-local", repeats=1, replicas=1, workers=None, entries_per_cluster=None,
        cuts=None, site="lab", out=folder,
    )  # fmt: skip
    sweep = measure_sweep("workers", options, (1, 2), Terminal(), folder, 2.0)
    # Who sleeps has little of a processor, which is else a sign of others on the machine.
    for point in sweep.points:
        path = folder / point.folder / "run.json"
        write_json(path, read_result(path, RunResult).model_copy(update={"timing": "valid"}))
    rewrite(folder, *(point.model_copy(update={"timing": "valid"}) for point in sweep.points))
    return folder


def rewrite(folder: Path, *points: object, **changed: object) -> None:
    """Put other points into a sweep's result."""
    path = folder / "sweep.json"
    sweep = read_result(path, SweepResult)
    env = sweep.environment
    # Two cores, wherever these tests run.
    here = env.__class__(**{**vars(env), "cores": 2})
    write_json(path, sweep.model_copy(update={"points": points, "environment": here, **changed}))


@pytest.fixture(scope="module")
def run(swept: Path) -> RunResult:
    """The run on one worker."""
    return read_result(swept / "workers-1" / "run.json", RunResult)


@pytest.fixture
def copied(swept: Path, tmp_path: Path) -> Path:
    """The sweep in a folder that a test may change."""
    for path in swept.rglob("*.json"):
        target = tmp_path / "sweep" / path.relative_to(swept)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text())
    return tmp_path / "sweep"


@pytest.fixture
def as_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of a simulation: what the naps take by arithmetic."""

    @contextmanager
    def nothing() -> Iterator[None]:
        yield

    def predict(_simulator: object, fed: object, _found: Costs, workers: int, times: int, _repeats: int) -> Prediction:
        loop_s = times * -(-TASKS // workers) * NAP_S
        return Prediction(workers, TASKS, 0.01, loop_s, 0.01, loop_s, 99, 0.1, 0.6 if workers > 100 else 0.1)

    monkeypatch.setattr(simulating, "simulator", nothing)
    monkeypatch.setattr(simulating, "costs", lambda *_: Costs(0.0, 0.0, 0.0, 0.0))
    monkeypatch.setattr(simulating, "predict", predict)


def simulated(path: Path, terminal: Terminal, **options: Any) -> tuple[Exit, SimulateResult]:
    status = simulate(SimulateOptions(result=path, out=path / "out", **options), terminal)
    return status, read_result(path / "out" / SIMULATE_FILE, SimulateResult)


def test_fed_by_one_worker_it_tells_what_two_take(copied: Path, terminal: Terminal):
    status, result = simulated(copied, terminal, workers=(8,), repeats=1)
    assert [each.workers for each in result.points] == [1, 2, 8]
    one, two = result.checks
    assert (one.why_not, two.why_not) == ("it fed the simulation", "")
    assert two.error is not None
    assert abs(two.error) <= 0.2
    assert result.holds
    assert status is Exit.OK
    # One nap, and what Dask needs.
    assert NAP_S <= result.points[-1].overall_s < 1
    assert result.points[-1].transitions > 2 * TASKS


def test_a_point_that_was_measured_otherwise_denies_it(
    copied: Path, as_measured: None, said: io.StringIO, terminal: Terminal
):
    one, two = read_result(copied / "sweep.json", SweepResult).points
    passes = tuple(each.model_copy(update={"overall_s": 1.5 * each.overall_s}) for each in two.distributed.passes)
    rewrite(copied, one, two.model_copy(update={"distributed": two.distributed.model_copy(update={"passes": passes})}))
    status, result = simulated(copied, terminal)
    assert status is Exit.CANNOT_TELL
    assert result.holds is False
    assert "DOES NOT HOLD" in said.getvalue()
    assert "does not hold" in (copied / "out" / "simulate.html").read_text()


def test_a_point_whose_workers_shared_cores_is_not_judged(
    copied: Path, as_measured: None, said: io.StringIO, terminal: Terminal
):
    one, two = read_result(copied / "sweep.json", SweepResult).points
    rewrite(copied, one, two, two.model_copy(update={"slots": 5, "value": 5}))
    status, result = simulated(copied, terminal, workers=(5,))
    assert status is Exit.OK
    assert "5 workers shared 2 cores" in result.checks[2].why_not
    assert "not judged: 5 workers shared 2 cores" in said.getvalue()
    status, result = simulated(copied, terminal, workers=(5,), cores=8)
    assert status is Exit.CANNOT_TELL, "with a core for each it is judged, and two workers' time is not five's"


def test_a_point_of_another_input_is_not_judged(copied: Path, as_measured: None, terminal: Terminal):
    one, two = read_result(copied / "sweep.json", SweepResult).points
    rewrite(copied, one, two.model_copy(update={"replicas": 7}))
    _, result = simulated(copied, terminal)
    assert result.checks[1].why_not == "another input"
    assert result.holds is None


def test_nothing_simulated_is_taken_for_measured(
    copied: Path, as_measured: None, said: io.StringIO, terminal: Terminal
):
    simulated(copied, terminal)
    lines = said.getvalue().splitlines()
    assert lines
    assert all(line.startswith("[simulated]") for line in lines)
    assert json.loads((copied / "out" / SIMULATE_FILE).read_text())["simulated"] is True
    page = (copied / "out" / "simulate.html").read_text()
    assert "Simulated: no time of a point below was measured" in page
    assert page.count("<svg") == 1


def test_generated_events_are_marked_beside_it(copied: Path, as_measured: None, said: io.StringIO, terminal: Terminal):
    path = copied / "workers-1" / "run.json"
    found = read_result(path, RunResult)
    write_json(path, found.model_copy(update={"input": found.input.model_copy(update={"stand_in": True})}))
    simulated(copied, terminal)
    assert all(line.startswith("[simulated, stand-in]") for line in said.getvalue().splitlines())


def test_json_is_alone_on_standard_output(copied: Path, as_measured: None, capsys: pytest.CaptureFixture[str]):
    simulated(copied, Terminal(), as_json=True)
    assert SimulateResult.model_validate_json(capsys.readouterr().out).workload == "naps"


def test_where_this_machine_is_the_limit_that_is_said(
    copied: Path, as_measured: None, said: io.StringIO, terminal: Terminal
):
    _, result = simulated(copied, terminal, workers=(1000,))
    assert [each.limited_here for each in result.points] == [False, False, True]
    assert "upper limit: all workers share a process here" in said.getvalue()


def test_a_longer_input_is_compared_with_nothing(copied: Path, as_measured: None, terminal: Terminal):
    status, result = simulated(copied, terminal, workers=(2,), input_times=10)
    assert status is Exit.OK
    assert [each.workers for each in result.points] == [2]
    assert result.holds is None
    assert {each.why_not for each in result.checks} == {"the simulated input is another"}


def test_a_run_alone_is_not_checked(copied: Path, as_measured: None, said: io.StringIO, terminal: Terminal):
    status, result = simulated(copied / "workers-1", terminal)
    assert status is Exit.OK
    assert result.holds is None
    assert "not checked" in said.getvalue()


def refusal(run: RunResult, cores: float | None = None, **changed: Any) -> BenchError:
    with pytest.raises(BenchError) as told:
        feed(run.model_copy(update=changed), cores)
    assert "bench run" in told.value.next_step or told.value.next_step.startswith(
        ("Run it again", "Run it with", "Known")
    )
    return told.value


def test_runs_that_cannot_feed_it_say_which_run_can(run: RunResult):
    measured = run.measurement
    many = measured.distributed
    assert many is not None
    serial = refusal(run, measurement=measured.model_copy(update={"distributed": None}))
    assert "serial passes only" in serial.why
    assert "--engine dask-local --workers 1" in serial.next_step
    untold = measured.model_copy(update={"distributed": many.model_copy(update={"spans": ()})})
    assert "no times of single tasks" in refusal(run, measurement=untold).why
    assert "one graph handed over at once" in refusal(run, mode="infn: a loop for each result").why
    disturbed = refusal(run, timing="disturbed (others)")
    assert "INVALID" in disturbed.why
    assert disturbed.status is Exit.INVALID
    shared = measured.model_copy(update={"distributed": many.model_copy(update={"slots": 4})})
    assert "4 workers shared 2 cores" in refusal(run, 2.0, measurement=shared).why
    assert "no such workload" in refusal(run, workload="read-fcc-zee").why


def test_sweeps_that_cannot_feed_it_are_told(copied: Path):
    sweep = read_result(copied / "sweep.json", SweepResult)
    rewrite(copied, *sweep.points, sweep="weak")
    with pytest.raises(BenchError, match="differ in more than their workers"):
        source_of(copied, None)
    rewrite(
        copied, *(each.model_copy(update={"timing": "disturbed (others)"}) for each in sweep.points), sweep="workers"
    )
    with pytest.raises(BenchError, match="no point of it is valid") as told:
        source_of(copied, None)
    assert told.value.status is Exit.INVALID
    rewrite(copied, *sweep.points)
    (copied / "workers-1" / "run.json").unlink()
    with pytest.raises(BenchError, match="Keep the folders of a sweep together"):
        source_of(copied, None)


def test_other_files_are_told(tmp_path: Path):
    with pytest.raises(BenchError, match=r"neither sweep\.json nor run\.json"):
        source_of(tmp_path, None)
    with pytest.raises(BenchError, match=r"neither sweep\.json nor run\.json"):
        source_of(tmp_path / "absent.json", None)
    (tmp_path / "run.json").write_text('{"kind": "bench.accept/1"}')
    with pytest.raises(BenchError, match=r"it is bench\.accept/1"):
        source_of(tmp_path / "run.json", None)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(BenchError, match="cannot be read"):
        source_of(tmp_path, None)


def test_cores_are_those_that_were_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "sweep-naps" / "sweep.json"
    assert cores_of(path, "dask-local", 2, None) == 2
    assert cores_of(path, "dask-local", 2, 6.0) == 6
    # This machine's number says nothing of a site's.
    assert cores_of(path, "dask-kubernetes", 2, None) is None
    (tmp_path / "accept.json").touch()
    monkeypatch.setattr(sources, "read_result", lambda *_: SimpleNamespace(delivered_cores=3.9))
    assert cores_of(path, "dask-kubernetes", 2, None) == 3.9


def test_the_command_takes_numbers_and_rates(tmp_path: Path):
    def error(*arguments: str) -> BenchError:
        found = CliRunner().invoke(app, ["simulate", str(tmp_path), *arguments]).exception
        assert isinstance(found, BenchError)
        assert found.status is Exit.CANNOT_TELL
        return found

    assert "whole numbers" in error("--workers", "1,0").why
    assert "there is no rate" in error("--data-bytes", "1e9").why
    assert "neither sweep.json" in error("--data-bytes", "1e9", "--staging-rate", "100").why
    assert "share the server" in error("--data-bytes", "1e9", "--staging-rate", "100", "--staging", "pull").why
