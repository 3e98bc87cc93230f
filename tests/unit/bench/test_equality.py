"""Equal means equal: one event too few, anywhere, and a run is invalid."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bench_inputs import WORKLOAD, job_of

from bench.datasets.repack import Repacked
from bench.engines.local import Serial
from bench.engines.model import Job, Pass, local_pass
from bench.errors import Exit
from bench.measure.equality import Physics, compare
from bench.report.model import RunResult
from bench.report.write import write_json
from bench.run import exit_status, run_here
from bench.terminal import Terminal
from bench.workloads import Histogram, Outcome
from bench.workloads.root import load, open_file


def without(entry: int, source: Path, target: Path) -> Path:
    """A copy of a file in which one entry is missing."""
    with open_file(str(source)) as file:
        out = load().TFile(str(target), "RECREATE")
        file.Get("events").CopyTree(f"bench_entry != {entry}").Write()
        out.Close()
    return target


class Doctored(Serial):
    """An engine that reads another file in place of one of the replicas."""

    name = "doctored"

    def __init__(self, other: Path) -> None:
        self.other = other

    def run(self, job: Job) -> Pass:
        files = (*job.paths * (job.replicas - 1), self.other)
        return local_pass(replace(job_of(*files), replicas=1))


# Of entry 0 both electrons are in the mass window; of entry 3 one reference was never set.
@pytest.mark.parametrize("entry", [0, 3])
def test_a_dropped_event_makes_the_run_invalid(
    entry: int, real_file: Path, repacked: Repacked, tmp_path: Path, terminal: Terminal
) -> None:
    engine = Doctored(without(entry, repacked.path, tmp_path / "short.root"))
    result = run_here(WORKLOAD, [real_file], engine, repeats=1, replicas=4, terminal=terminal)
    assert result.physics is Physics.UNEQUAL
    assert not result.valid
    assert exit_status(result) == Exit.INVALID == 3
    assert result.speed_up is None
    wrong = {each.what for comparison in result.measurement.comparisons for each in comparison.differences}
    assert {"entries", "events after all"} <= wrong
    assert ("events after mass" in wrong) == (entry == 0)


def test_the_same_run_with_all_events_is_equal(
    real_file: Path, repacked: Repacked, tmp_path: Path, terminal: Terminal
) -> None:
    result = run_here(WORKLOAD, [real_file], Doctored(repacked.path), repeats=1, replicas=4, terminal=terminal)
    assert result.physics is Physics.EQUAL
    assert {comparison.largest_deviation for comparison in result.measurement.comparisons} == {0}
    write_json(tmp_path / "run.json", result)
    assert RunResult.model_validate_json((tmp_path / "run.json").read_text()) == result
    assert json.loads((tmp_path / "run.json").read_text())["yields"]["cutflow"][-1]["events"] == 2783


def test_yields_that_are_not_the_recorded_ones_make_the_run_invalid(
    real_file: Path, monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    from bench.datasets.catalogue import CATALOGUE

    changed = replace(CATALOGUE["fcc-zee"], expected_cutflow={"mass": 2784})
    monkeypatch.setitem(CATALOGUE, "fcc-zee", changed)
    result = run_here(WORKLOAD, [], Serial(), repeats=1, replicas=1, terminal=terminal)
    assert result.physics is Physics.UNEQUAL


def outcome(**changes: Any) -> Outcome:
    histogram = Histogram(
        "h", "h", "", True, (0.0, 1.0, 2.0), (0.0, 10.0, 20.0, 0.0), (0.0, 5.0, 8.0, 0.0), 9, 1.1, 0.3
    )
    return Outcome(9, (), {"tally": 4}, (replace(histogram, **changes),))


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Physics.EQUAL),
        ({"contents": (0.0, 10.0 + 0.9e-9, 20.0, 0.0)}, Physics.EQUAL),
        ({"contents": (0.0, 10.0 + 1.1e-9, 20.0, 0.0)}, Physics.UNEQUAL),
        ({"sumw2": (0.0, 5.0, 8.0 + 1e-8, 0.0)}, Physics.UNEQUAL),
        ({"contents": (0.0, float("nan"), 20.0, 0.0)}, Physics.UNEQUAL),
        ({"entries": 10}, Physics.UNEQUAL),
        ({"edges": (0.0, 1.0, 3.0)}, Physics.UNEQUAL),
        ({"contents": (0.0, 10.0, 20.0)}, Physics.UNEQUAL),
    ],
)
def test_weighted_contents_may_differ_in_the_last_bits(changes: dict[str, Any], verdict: Physics) -> None:
    assert compare(outcome(), outcome(**changes), "the serial reference").verdict is verdict


def test_weights_that_cancel_may_leave_a_rest() -> None:
    """Of 10 and -10 the order of the sum decides what is left; √Σw² is what the tolerance is then taken of."""
    cancelled = outcome(contents=(0.0, 0.0, 20.0, 0.0), sumw2=(0.0, 200.0, 400.0, 0.0))
    rest, too_much = (
        outcome(contents=(0.0, left, 20.0, 0.0), sumw2=(0.0, 200.0, 400.0, 0.0)) for left in (1e-12, 1e-8)
    )
    assert compare(cancelled, rest, "serial").verdict is Physics.EQUAL
    assert compare(cancelled, too_much, "serial").verdict is Physics.UNEQUAL


def test_unweighted_contents_may_not_differ_at_all() -> None:
    exact = outcome(weighted=False)
    other = outcome(weighted=False, contents=(0.0, 10.0 + 1e-12, 20.0, 0.0))
    comparison = compare(exact, other, "the serial reference")
    assert comparison.verdict is Physics.UNEQUAL
    assert comparison.largest_deviation == pytest.approx(1e-12, rel=1e-2)
    assert comparison.largest_deviation_at == "h: content of bin 1"


def test_a_missing_histogram_is_a_difference() -> None:
    assert compare(outcome(), replace(outcome(), histograms=()), "x").verdict is Physics.UNEQUAL


def test_the_reference_may_stand_for_several_replicas() -> None:
    twice = Outcome(18, (), {"tally": 8}, (
        replace(outcome().histograms[0], entries=18, contents=(0.0, 20.0, 40.0, 0.0), sumw2=(0.0, 10.0, 16.0, 0.0)),
    ))  # fmt: skip
    assert compare(outcome(), twice, "2 ×", scale=2).verdict is Physics.EQUAL
    assert compare(outcome(), twice, "3 ×", scale=3).verdict is Physics.UNEQUAL
