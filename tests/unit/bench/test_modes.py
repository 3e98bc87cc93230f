"""Both modes on the same input, and that no ratio is given where their yields differ."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench import modes
from bench.commands import RunOptions
from bench.engines.dask import Dask
from bench.engines.infn import N_PARTITIONS, InfnDask
from bench.engines.model import Job, Pass
from bench.errors import BenchError, Exit
from bench.report.modes import ModesResult
from bench.terminal import Terminal


def options(folder: Path, *inputs: Path, workload: str = "fcc-zee", engine: str = "dask-local") -> RunOptions:
    return RunOptions(
        workload=workload, inputs=tuple(map(str, inputs)), engine=engine, repeats=1, replicas=5, workers=2,
        entries_per_cluster=250, cuts=None, site="lab", out=folder,
    )  # fmt: skip


@pytest.fixture
def on_two_workers(two_workers: Dask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modes, "make_engine", lambda _options: two_workers)
    # Processes that share two cores with other tests may get less than half of one; this is not what is tested here.
    monkeypatch.setattr("bench.passes.MIN_CPU_SHARE", 0.0)


@pytest.mark.usefixtures("on_two_workers")
def test_a_ratio_of_equal_results(stand_in: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert modes.compare_modes(options(tmp_path, stand_in), Terminal()) is Exit.OK
    result = ModesResult.model_validate_json((tmp_path / "modes.json").read_text())
    tuned, infn = result.tuned.measurement.distributed, result.infn.measurement.distributed
    assert tuned is not None
    assert infn is not None
    assert result.equal
    assert result.ratio is not None
    assert result.ratio.value == pytest.approx(infn.overall_s / tuned.overall_s)
    assert (tuned.n_partitions, infn.n_partitions) == (6, N_PARTITIONS)
    assert "tuned is " in capsys.readouterr().out


class OneLess(InfnDask):
    """Mode infn that loses an event of a histogram, and takes no longer than it has to."""

    def run(self, job: Job) -> Pass:
        found = Dask.run(self, job)
        mass, *others = found.outcome.histograms
        changed = replace(mass, contents=(mass.contents[0] + 1, *mass.contents[1:]))
        return replace(found, outcome=replace(found.outcome, histograms=(changed, *others)))


class Disturbed(InfnDask):
    """Mode infn that lost a worker."""

    def run(self, job: Job) -> Pass:
        return replace(Dask.run(self, job), disturbances=("workers lost: w1",))


@pytest.mark.usefixtures("on_two_workers")
@pytest.mark.parametrize(
    ("infn", "words"), [(OneLess, "the yields are not all equal"), (Disturbed, "infn: disturbed (workers lost: w1)")]
)
def test_no_ratio_of_what_must_not_be_compared(
    infn: type[InfnDask],
    words: str,
    stand_in: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(modes, "InfnDask", infn)
    assert modes.compare_modes(options(tmp_path, stand_in), Terminal()) is Exit.INVALID
    out = capsys.readouterr().out
    assert f"INVALID: no ratio is given, for {words}" in out.replace("[stand-in] ", "")
    assert "×" not in out.split("INVALID")[1]
    assert "as fast as" not in out
    assert json.loads((tmp_path / "modes.json").read_text())["ratio"] is None


@pytest.mark.parametrize(
    ("workload", "engine", "words"),
    [
        ("ml-scan", "dask-local", "this workload is a list of tasks"),
        ("fcc-zee", "threads", "the same Dask workers"),
        ("fcc-zee", "dask-kubernetes", "the same Dask workers"),
        ("fcc-zeee", "dask-local", "there is no such workload"),
    ],
)
def test_what_has_no_two_modes_is_refused(workload: str, engine: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=words) as raised:
        modes.compare_modes(options(tmp_path, workload=workload, engine=engine), Terminal())
    assert raised.value.status is Exit.CANNOT_TELL
    assert list(tmp_path.iterdir()) == []
