"""A sweep as one HTML page, and its plots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..measure.scaling import AMDAHL, GUSTAFSON, USL, Fit
from ..measure.statistics import Estimate
from .page import TEMPLATES
from .plots import COLOURS, INK, canvas, svg
from .sweep import HEADINGS, SweepPoint, SweepResult

LAWS = {law.name: law for law in (AMDAHL, USL, GUSTAFSON)}


def sweep_page(result: SweepResult) -> str:
    """The page of a sweep: it needs nothing else and no network."""
    drawn = [times_over(result), *([speed_up_over(result)] if result.sweep != "variations" else [])]
    return TEMPLATES.get_template("sweep.html.j2").render(
        result=result, plots=[each for each in drawn if each], heading=HEADINGS[result.sweep]
    )


def points_with_bars(axes: Any, x: Sequence[float], values: Sequence[Estimate], colour: str, label: str) -> None:
    """Values with their intervals, joined by a line."""
    bars = [[each.value - each.low for each in values], [each.high - each.value for each in values]]
    middle = [each.value for each in values]
    axes.errorbar(x, middle, yerr=bars, fmt="o-", color=colour, label=label, capsize=3, ms=4, lw=1.2)


def label_values(axes: Any, result: SweepResult) -> None:
    """Say what was changed; there is no half a worker."""
    axes.set_xlabel(HEADINGS[result.sweep])
    if result.sweep != "branches":
        axes.xaxis.get_major_locator().set_params(integer=True)


def times_over(result: SweepResult) -> str:
    """Time of a pass over what was changed: serial and distributed, compiled before or in the pass."""
    figure, axes = canvas()
    for colour, which in zip(COLOURS, ("serial", "distributed"), strict=False):
        passes = [getattr(each, which) for each in result.points]
        name = passes[0].engine
        x = [each.value for each in result.points]
        points_with_bars(axes, x, [each.estimate for each in passes], colour, name)
        cold = [(each.value, each.cold_s[name]) for each in result.points if name in each.cold_s]
        if cold:
            axes.plot(
                [value for value, _ in cold], [time for _, time in cold], "s--", color=colour, mfc="none", ms=4, lw=0.8,
                label=f"{name}, compiled in the pass",
            )  # fmt: skip
    label_values(axes, result)
    axes.set_ylabel("overall time [s]")
    axes.set_ylim(bottom=0)
    axes.legend()
    return svg(figure)


def speed_up_over(result: SweepResult) -> str:
    """Speed-up over the number of workers, what would be ideal, and the laws that may be quoted; empty without any."""
    points = [each for each in result.points if each.speed_up_interval]
    if not points:
        return ""
    figure, axes = canvas()
    most = max(each.slots for each in points)
    axes.plot([0, most], [0, most], ":", color=INK, lw=0.8, label="one for each worker")
    points_with_bars(axes, [each.slots for each in points], intervals(points), COLOURS[1], "measured")
    for colour, each in zip(COLOURS[2:], (one for one in result.fits if one.quoted), strict=False):
        n = np.linspace(1, most, 100)
        axes.plot(n, curve(each, n), color=colour, lw=1, label=each.law)
    label_values(axes, result)
    axes.set_ylabel("serial time / distributed time")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left")
    return svg(figure)


def intervals(points: Sequence[SweepPoint]) -> list[Estimate]:
    """The speed-ups with their intervals."""
    return [each.speed_up_interval for each in points if each.speed_up_interval]


def curve(fit: Fit, n: Any) -> Any:
    """Speed-ups that a fit expects."""
    return LAWS[fit.law].speed_up(n, *(each.value for each in fit.parameters.values()))
