"""A simulation as one HTML page: what was measured and what was not are drawn apart."""

from __future__ import annotations

from typing import Any

from .page import TEMPLATES
from .plots import COLOURS, INK, canvas, svg
from .simulation import SimulateResult, judged, note


def simulation_page(result: SimulateResult) -> str:
    """The page of a simulation: it needs nothing else and no network."""
    return TEMPLATES.get_template("simulation.html.j2").render(
        result=result, plot=times_over_workers(result), judged=judged, note=note
    )


def times_over_workers(result: SimulateResult) -> str:
    """Overall time over the number of workers: simulated, measured, and what the serial pass would ideally become."""
    figure, axes = canvas()
    x = [each.workers for each in result.points]
    axes.plot(x, [result.serial_s / n for n in x], ":", color=INK, lw=0.8, label="serial pass, shared evenly")
    axes.fill_between(
        x, [each.at_least_s for each in result.points], [each.overall_s for each in result.points],
        color=COLOURS[1], alpha=0.2, lw=0,
    )  # fmt: skip
    axes.plot(x, [each.overall_s for each in result.points], "o--", color=COLOURS[1], mfc="none", ms=4, lw=1,
              label="simulated; band: down to what it takes at least")  # fmt: skip
    measured(axes, result)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("workers")
    axes.set_ylabel("overall time [s]")
    axes.legend()
    return svg(figure)


def measured(axes: Any, result: SimulateResult) -> None:
    """Points that were measured; of another input there are none."""
    if result.input_times != 1 or not result.checks:
        return
    values = [each.measured_s for each in result.checks]
    bars = [[each.value - each.low for each in values], [each.high - each.value for each in values]]
    axes.errorbar(
        [each.workers for each in result.checks], [each.value for each in values], yerr=bars, fmt="D",
        color=COLOURS[0], ms=5, capsize=3, label="measured",
    )  # fmt: skip
