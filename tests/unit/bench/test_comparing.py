"""Two runs of the same thing: what changed, and what must not be compared."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from bench.comparing import compare_runs, history
from bench.datasets.standin import make_stand_in
from bench.engines.local import Serial
from bench.errors import BenchError, Exit
from bench.report.model import RunResult
from bench.report.write import write_json
from bench.run import run_here
from bench.terminal import Terminal
from bench.workloads import WORKLOADS

TIMES = (1.00, 1.02, 0.98, 1.01, 0.99)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    path = make_stand_in(tmp_path_factory.mktemp("compare"), "fcc-zee", 500)
    return run_here(WORKLOADS["fcc-zee"], (path,), Serial(), 1, 1, Terminal())


def written(folder: Path, result: RunResult, times: tuple[float, ...] = TIMES, **changed: object) -> Path:
    """The result with other times, in a folder."""
    one = result.measurement.serial.passes[0]
    passes = tuple(one.model_copy(update={"overall_s": each}) for each in times)
    serial = result.measurement.serial.model_copy(update={"passes": passes})
    measurement = result.measurement.model_copy(update={"serial": serial})
    update = {"measurement": measurement, "timing": "valid", **changed}
    folder.mkdir()
    write_json(folder / "run.json", result.model_copy(update=update))
    return folder


def test_slower_beyond_the_threshold_is_a_regression(
    result: RunResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    a = written(tmp_path / "a", result)
    b = written(tmp_path / "b", result, tuple(1.3 * each for each in TIMES))
    assert compare_runs(a, b, 0.1, Terminal()) is Exit.FAILED
    assert "REGRESSION beyond 10%" in capsys.readouterr().out
    assert compare_runs(a, b, 0.5, Terminal()) is Exit.OK
    assert compare_runs(b, a, 0.1, Terminal()) is Exit.OK
    assert "faster" in capsys.readouterr().out


def test_what_may_be_chance_is_not_significant(result: RunResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    a = written(tmp_path / "a", result, (1.0, 1.4, 0.8, 1.2, 0.9))
    b = written(tmp_path / "b", result, (1.1, 1.5, 0.8, 1.3, 0.9))
    assert compare_runs(a, b, 0.0, Terminal()) is Exit.OK
    assert "not significant" in capsys.readouterr().out


def test_of_single_passes_nothing_is_said(result: RunResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    a, b = written(tmp_path / "a", result, (1.0,)), written(tmp_path / "b", result, (9.0,))
    assert compare_runs(a, b, 0.1, Terminal()) is Exit.OK
    assert "too few passes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({"workload": "another"}, Exit.CANNOT_TELL, "workload fcc-zee and another"),
        ({"timing": "disturbed (others)"}, Exit.INVALID, "must not be used"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    result: RunResult, tmp_path: Path, changed: dict[str, object], status: Exit, words: str
):
    a, b = written(tmp_path / "a", result), written(tmp_path / "b", result, **changed)
    with pytest.raises(BenchError, match=words) as raised:
        compare_runs(a, b, 0.1, Terminal())
    assert raised.value.status is status


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"kind": "bench.run/0"}', "it is bench.run/0, and this version of bench reads bench.run/1"),
        ("[1]", "it is no result"),
        ("{", "cannot be read"),
    ],
)
def test_result_of_another_version_is_told(result: RunResult, tmp_path: Path, text: str, words: str):
    a = written(tmp_path / "a", result)
    (tmp_path / "old.json").write_text(text)
    with pytest.raises(BenchError) as raised:
        compare_runs(a, tmp_path / "old.json", 0.1, Terminal())
    assert "old.json" in raised.value.what
    assert words in raised.value.why
    assert raised.value.status is Exit.CANNOT_TELL


def test_a_missing_field_is_named(result: RunResult, tmp_path: Path):
    a = written(tmp_path / "a", result)
    record = json.loads((a / "run.json").read_text())
    del record["measurement"]["entries"]
    (a / "run.json").write_text(json.dumps(record))
    with pytest.raises(BenchError, match=r"measurement\.entries"):
        history(tmp_path, Terminal())


def test_history_is_in_order_and_tells_changes(result: RunResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    later = result.started + timedelta(hours=1)
    written(tmp_path / "a", result, tuple(2 * each for each in TIMES), started=later)
    written(tmp_path / "b", result)
    history(tmp_path, Terminal())
    out = capsys.readouterr().out
    assert out.count("fcc-zee") >= 2
    assert "a: serial, 1 slots took 2" in " ".join(out.split())


def test_history_of_nothing_is_an_error(tmp_path: Path):
    with pytest.raises(BenchError, match=r"no run\.json"):
        history(tmp_path, Terminal())
