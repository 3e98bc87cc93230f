"""Ratios of times: how they are put together, and that ways that are compared give the same results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench import speed
from bench.datasets.generate import generate
from bench.datasets.locate import Source
from bench.engines.local import Serial
from bench.engines.model import Job, Pass, Samples
from bench.errors import BenchError, Exit
from bench.measure.statistics import ratio_of_medians
from bench.terminal import Terminal
from bench.workloads import Outcome


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return generate("atlas-stop4body", tmp_path_factory.mktemp("wt"), 2000)


@pytest.mark.parametrize("name", ["PRW_DATASF__1up", "EL_EFF_ID_TOTAL_1NPCOR_PLUS_UNCOR__1down"])
def test_a_pass_for_one_variation_gives_what_vary_gives(files: list[Path], name: str):
    together = Job.over(speed.NOMINAL_ONLY, files)
    alone = Job.over(replace(speed.NOMINAL_ONLY, weights=(), factor=name), files)
    varied, single = (Serial().run(job).outcome for job in (together, alone))
    assert varied.cutflow == single.cutflow
    assert [each.name for each in single.histograms] == ["SRA/nominal", "SRB/nominal"]
    speed.same_yields(varied, single, name)
    with pytest.raises(speed.Unequal, match="PRW_DATASF:1down"):
        speed.same_yields(varied, single, "PRW_DATASF__1down")


def test_engines_that_differ_are_told(files: list[Path]):
    job = Job.over(speed.NOMINAL_ONLY, files)

    class Wrong(Serial):
        name = "wrong"

        def run(self, job: Job) -> Pass:
            right = super().run(job)
            return replace(right, outcome=replace(right.outcome, entries=1))

    with pytest.raises(speed.Unequal, match="atlas-stop4body on wrong: entries"):
        speed.in_turns((Serial(), Wrong()), job, 1)


def test_a_ratio_is_of_medians():
    found = speed.row("this", [4.0, 4.0, 40.0], [2.0, 2.0, 1.0], 2, ("slow", "quick"))
    assert (found.met, found.times) == (True, "slow 4.00 s, quick 2.00 s")
    assert found.found.startswith("2 [")
    assert not speed.row("this", [3.0], [2.0], 1.6, ("slow", "quick")).met


def test_a_ratio_of_one_is_not_above_one():
    assert not speed.reached(ratio_of_medians([1.0], [1.0]), 1)


def test_the_peak_is_that_of_any_worker():
    one = Samples("a", (0.2, 0.4), (1.0, 1.0), (5, 9), (0, 0), (0, 0), (False, False))
    job = Pass(Outcome(0, (), {}, ()), overall_s=1, loop_s=1, samples=(one, replace(one, memory_bytes=(7, 7))))
    assert speed.peak_bytes(job) == 9
    with pytest.raises(BenchError, match="no sample"):
        speed.peak_bytes(replace(job, samples=()))


@pytest.mark.long
@pytest.mark.timeout(600)
def test_all_ratios_are_shown(files: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    sources = tuple(Source(each, "", "generated", stand_in=True) for each in files)
    monkeypatch.setattr(speed, "default_inputs", lambda *_: sources)
    for name, value in {
        "ROUNDS": 1, "NOMINAL_SERIAL_S": 0.01, "SCORED_EVENTS": 20, "GIGABYTES": 0.01, "MEMORY_PASSES": 6,
    }.items():  # fmt: skip
        monkeypatch.setattr(speed, name, value)
    assert speed.speed(Terminal()) is Exit.OK
    told = capsys.readouterr().out
    rows = [line for line in told.splitlines() if " yes " in line or " no " in line]
    assert len(rows) == 9
