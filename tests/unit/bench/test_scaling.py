"""Laws of scaling: the parameters that speed-ups were made with are found again, and what data cannot tell is said."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, islice

import pytest

from bench.measure.scaling import AMDAHL, GUSTAFSON, USL, Law, Scaling, fit

# Passes scatter by about a percent around what they would take.
SCATTER = (1.0, 1.01, 0.99, 1.005, 0.995)


def points(speed_up: Callable[[int], float], *numbers: int, scatter: tuple[float, ...] = SCATTER) -> list[Scaling]:
    """Speed-ups at some numbers of workers; each has its own share of good and bad luck."""
    luck = cycle((1.002, 0.999, 1.001, 0.998))
    return [
        Scaling(n, tuple(10 * each for each in scatter), tuple(10 * each * bad / speed_up(n) for each in scatter))
        for n, bad in zip(numbers, islice(luck, len(numbers)), strict=True)
    ]


@pytest.mark.parametrize(
    ("law", "true"),
    [
        (AMDAHL, (0.9, 0.2)),
        (USL, (0.95, 0.05, 0.01)),
        (GUSTAFSON, (0.95, 0.1)),
    ],
)
def test_parameters_are_found_again(law: Law, true: tuple[float, ...]):
    found = fit(law, points(lambda n: law.speed_up(n, *true), 1, 2, 4, 8, 16, 32))
    assert found.quoted, found.why_not
    for estimate, expected in zip(found.parameters.values(), true, strict=True):
        assert estimate.value == pytest.approx(expected, rel=0.1)
        assert estimate.low <= expected <= estimate.high
    assert found.residual < 0.01
    assert f"{law.name}, S(n)" in found.words()


def test_perfect_scaling_quotes_no_serial_share():
    found = fit(AMDAHL, points(float, 1, 2, 4, 8))
    assert not found.quoted
    assert "serial share s may be zero" in found.words()


def test_what_amdahl_explains_quotes_no_coherency():
    speed_ups = points(lambda n: AMDAHL.speed_up(n, 1.0, 0.1), 1, 2, 4, 8, 16)
    assert fit(AMDAHL, speed_ups).quoted
    assert "coherency κ may be zero" in fit(USL, speed_ups).why_not


@pytest.mark.parametrize(("law", "numbers"), [(AMDAHL, (1, 2)), (GUSTAFSON, (1, 2)), (USL, (1, 2, 4))])
def test_as_many_points_as_parameters_test_nothing(law: Law, numbers: tuple[int, ...]):
    found = fit(law, points(float, *numbers))
    assert not found.quoted
    assert "need more numbers of workers" in found.words()


def test_two_passes_have_no_interval():
    found = fit(AMDAHL, points(lambda n: AMDAHL.speed_up(n, 1, 0.2), 1, 2, 4, 8, scatter=(1.0, 1.01)))
    assert "fewer than 3 passes" in found.words()
