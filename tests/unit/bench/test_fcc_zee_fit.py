"""The fit of m(ee): right on a known shape, the same every time, and frank where it fails."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from bench_inputs import job_of
from rich.console import Console

from bench.datasets.repack import Repacked
from bench.engines.local import Serial, Threads
from bench.engines.model import local_pass
from bench.measure.zfit import TAIL_ALPHA, TAIL_N, Z_WIDTH_GEV, MassFit, fit_histogram, fit_mass
from bench.report.model import RunResult
from bench.report.tables import physics_table
from bench.run import run_here
from bench.terminal import Terminal
from bench.workloads import FccZee, Histogram, Outcome

LOW, HIGH, N_BINS = 84.0, 98.0, 50
WIDTH = (HIGH - LOW) / N_BINS


def histogram(contents: Sequence[float]) -> Histogram:
    edges = tuple(LOW + WIDTH * i for i in range(N_BINS + 1))
    cells = (0.0, *contents, 0.0)
    return Histogram("m_ee", "m(ee)", "GeV", False, edges, cells, cells, round(sum(contents)), 91.0, 2.0)


def crystal_ball(x: float, sigma: float) -> float:
    t = x / sigma
    if t > -TAIL_ALPHA:
        return math.exp(-t * t / 2)
    scale = (TAIL_N / TAIL_ALPHA) ** TAIL_N * math.exp(-(TAIL_ALPHA**2) / 2)
    return scale / (TAIL_N / TAIL_ALPHA - TAIL_ALPHA - t) ** TAIL_N


def expected(mass: float, sigma: float, signal: float, background: float, slope: float) -> Histogram:
    """The model's expectation, convolved by a sum: no fluctuation, so that a fit has to find what went in."""
    step = 0.05
    shifts = [step * i for i in range(-600, 601)]
    # What lies outside of the range is not refilled by it: the convolution is over the whole line.
    weights = [crystal_ball(shift, sigma) for shift in shifts]
    centres = [LOW + WIDTH * (i + 0.5) for i in range(N_BINS)]
    shape = [
        sum(w / ((x - shift - mass) ** 2 + Z_WIDTH_GEV**2 / 4) for w, shift in zip(weights, shifts, strict=True))
        for x in centres
    ]
    straight = [1 + slope * (x - (LOW + HIGH) / 2) / ((HIGH - LOW) / 2) for x in centres]
    return histogram(
        [
            signal * peak / sum(shape) + background * flat / sum(straight)
            for peak, flat in zip(shape, straight, strict=True)
        ]
    )


@pytest.fixture(scope="module")
def outcome(repacked: Repacked) -> Outcome:
    return local_pass(job_of(repacked.path)).outcome


@pytest.fixture(scope="module")
def fit(outcome: Outcome) -> MassFit:
    return fit_mass(outcome)


def test_the_fit_finds_what_went_in() -> None:
    found = fit_histogram(expected(91.0, 1.8, 40_000, 10_000, 0.3))
    assert found.converged, found
    assert found.ndf == 45
    assert found.remarks == ()
    for name, value in (("mass", 91.0), ("sigma", 1.8), ("signal", 40_000), ("background", 10_000), ("slope", 0.3)):
        parameter = found.parameter(name)
        assert parameter.error is not None
        assert abs(parameter.value - value) < parameter.error, parameter
    # Nothing fluctuates: what is left is how both convolve.
    assert found.chi2 is not None
    assert found.chi2 < 5


def test_the_expected_events_are_those_of_the_model() -> None:
    went_in = expected(91.0, 1.8, 40_000, 10_000, 0.3)
    found = fit_histogram(went_in)
    assert list(found.expected) == pytest.approx(went_in.contents[1:-1], rel=0.02)
    assert sum(found.expected) == pytest.approx(50_000, rel=1e-3)


def test_the_fit_of_the_real_file(fit: MassFit, outcome: Outcome) -> None:
    assert fit.histogram == "m_ee_smeared_1"
    assert fit.converged
    assert fit.events == sum(outcome.histogram(fit.histogram).contents[1:-1])
    mass, sigma = fit.parameter("mass"), fit.parameter("sigma")
    assert mass.value == pytest.approx(90.452, abs=0.005)
    assert mass.error == pytest.approx(0.068, abs=0.002)
    assert sigma.value == pytest.approx(2.009, abs=0.005)
    assert fit.chi2 == pytest.approx(66.0, abs=0.2)
    assert fit.ndf == 46
    assert fit.remarks == ("background is at its limit: no error",)


def test_other_random_numbers_move_the_fit_within_its_errors(outcome: Outcome, fit: MassFit) -> None:
    other = fit_histogram(outcome.histogram("m_ee_smeared_2")).parameter("mass")
    mass = fit.parameter("mass")
    assert mass.error is not None
    assert other.error is not None
    assert 0 < abs(other.value - mass.value) < 4 * math.hypot(mass.error, other.error)


def test_the_same_events_again_are_no_more_statistics(outcome: Outcome, fit: MassFit, repacked: Repacked) -> None:
    with Threads(2) as engine:
        thrice = engine.run(job_of(repacked.path, replicas=3)).outcome
    assert fit_mass(thrice, 3) == fit
    assert fit_mass(outcome) == fit


def test_another_process_finds_the_same(outcome: Outcome, fit: MassFit, repo: Path) -> None:
    script = (
        "import json, sys; from dataclasses import asdict; from pydantic import TypeAdapter;"
        "from bench.measure.zfit import fit_histogram; from bench.workloads import Histogram;"
        "given = TypeAdapter(Histogram).validate_json(sys.stdin.read());"
        "print(json.dumps(asdict(fit_histogram(given))))"
    )
    given = json.dumps(asdict(outcome.histogram(fit.histogram)))
    ran = subprocess.run(
        [sys.executable, "-c", script], input=given, cwd=repo, capture_output=True, text=True, check=True, timeout=120
    )
    # Nothing of RooFit's own words is among it.
    assert json.loads(ran.stdout) == json.loads(json.dumps(asdict(fit)))


def test_without_smearing_the_model_is_said_to_be_wrong(real_file: Path) -> None:
    found = fit_mass(local_pass(job_of(real_file)).outcome)
    assert found.histogram == "m_ee"
    assert "the model does not describe the data" in found.remarks
    assert "sigma is at its limit: no error" in found.remarks


def test_a_fit_that_does_not_converge_is_said_so() -> None:
    found = fit_histogram(histogram([1000.0, 0.0] * 25))
    assert not found.converged
    assert found.remarks[0] == f"NOT CONVERGED: status {found.status}, covariance quality {found.covariance_quality}"


@pytest.mark.parametrize("events", [0, 4])
def test_a_fit_of_too_few_events_is_not_done(events: int) -> None:
    found = fit_histogram(histogram([float(events), *[0.0] * 49]))
    assert found.remarks == (f"NOT DONE: {events} events are too few",)
    assert found.parameters == ()


def test_the_fit_is_part_of_the_result(repacked: Repacked, fit: MassFit, terminal: Terminal) -> None:
    result = run_here(FccZee(), [repacked.path], Serial(), 1, 2, terminal)
    assert result.physics == "equal"
    assert result.fit == fit
    again = RunResult.model_validate_json(result.model_dump_json())
    assert again == result
    shown = table(again)
    assert "90.452 ± 0.068 GeV" in shown
    assert "66.0/46 (p = 0.028)" in shown
    assert "converged, covariance accurate" in shown
    failed = table(again.model_copy(update={"fit": replace(fit, status=3, covariance_quality=2)}))
    assert "NOT CONVERGED: status 3, covariance quality 2" in failed
    assert "converged, covariance accurate" not in failed


def table(result: RunResult) -> str:
    written = io.StringIO()
    Console(width=200, file=written).print(physics_table(result, "m_ee"))
    return written.getvalue()
