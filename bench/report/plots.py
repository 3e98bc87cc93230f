"""Plots of a run as SVG for the page: they take the page's text colour, so that they are readable on dark and light."""

from __future__ import annotations

import importlib
import io
import re
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from ..measure.zfit import MassFit
from ..workloads import Histogram
from ..workloads.model import NOMINAL
from .model import RunResult

# Colours that can be told apart, also by the colour-blind (Okabe and Ito 2008), on dark and light.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
NOMINAL_COLOUR, VARIED_COLOUR = COLOURS[0], "#8a8a8a"
# What is drawn black follows the page.
INK = "#010203"
WIDE_IN, HIGH_IN = 7.0, 3.6


@cache
def pyplot() -> Any:
    """matplotlib without a display, in the style of the LHC experiments' plots."""
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("svg")
    mplhep: Any = importlib.import_module("mplhep")
    plt: Any = importlib.import_module("matplotlib.pyplot")
    plt.style.use(mplhep.style.ROOT)
    plt.rcParams.update(
        {
            "svg.fonttype": "none",
            # The same plot has the same identifiers.
            "svg.hashsalt": "bench",
            # Comes with matplotlib, so that the extent of a text is known wherever the plot is made.
            "font.family": "DejaVu Sans",
            "font.size": 11,
            "axes.labelsize": 12,
            "xtick.labelsize": 10,
            "ytick.labelsize": 10,
            "legend.fontsize": 10,
            **{name: INK for name in ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")},
        }
    )
    return plt


def svg(figure: Any) -> str:
    """A figure as an SVG element; the figure is closed."""
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None})
    pyplot().close(figure)
    text = out.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    # The size is the page's affair.
    for attribute in ("width", "height"):
        text = re.sub(rf'(<svg[^>]*?) {attribute}="[^"]*"', r"\1", text, count=1)
    return text


def canvas(width: float = WIDE_IN, height: float = HIGH_IN) -> tuple[Any, Any]:
    """An empty figure and its axes."""
    return pyplot().subplots(figsize=(width, height))


def histogram_plot(name: str, variations: Sequence[Histogram]) -> str:
    """A histogram with its statistical errors, and its variations behind it where it has some."""
    mplhep: Any = importlib.import_module("mplhep")
    figure, axes = canvas()
    nominal = next((each for each in variations if each.name.endswith(f"/{NOMINAL}")), variations[0])
    others = [each for each in variations if each is not nominal]
    for number, each in enumerate(others):
        label = f"{len(others)} variations" if number == 0 else None
        mplhep.histplot(each.contents[1:-1], each.edges, ax=axes, color=VARIED_COLOUR, lw=0.8, label=label, yerr=False)
    errors = [value**0.5 for value in nominal.sumw2[1:-1]]
    mplhep.histplot(
        nominal.contents[1:-1], nominal.edges, yerr=errors, ax=axes, color=NOMINAL_COLOUR, lw=1.6,
        label="nominal" if others else None,
    )  # fmt: skip
    width = nominal.edges[1] - nominal.edges[0]
    axes.set_xlabel(f"{nominal.title} [{nominal.unit}]" if nominal.unit else nominal.title)
    axes.set_ylabel(f"{'weights' if nominal.weighted else 'events'} / {width:.3g} {nominal.unit}".rstrip())
    axes.set_ylim(bottom=0)
    axes.set_title(name, loc="left", fontsize=11)
    if others:
        axes.legend()
    return svg(figure)


def yields_plot(region: str, variations: Sequence[Histogram]) -> str:
    """Yields of a region: the nominal one with its statistical band, and a point for each variation."""
    nominal = next(each for each in variations if each.name.endswith(f"/{NOMINAL}"))
    events, error = nominal.contents[1], nominal.sumw2[1] ** 0.5
    others = [each for each in variations if each is not nominal]
    figure, axes = canvas(WIDE_IN, max(HIGH_IN, 0.16 * len(others) + 1))
    axes.axvspan(events - error, events + error, color=NOMINAL_COLOUR, alpha=0.2, lw=0, label="nominal, statistical")
    axes.axvline(events, color=NOMINAL_COLOUR)
    for place, each in enumerate(others):
        up = each.name.endswith("up")
        axes.plot(each.contents[1], place, marker="^" if up else "v", color=COLOURS[1] if up else COLOURS[2], ms=4)
    axes.set_yticks(range(len(others)), [each.name.rpartition("/")[2] for each in others], fontsize=6)
    axes.invert_yaxis()
    axes.set_xlabel(f"yield in {region} [events]")
    axes.legend(loc="upper left", bbox_to_anchor=(0, 1.1), fontsize=9)
    return svg(figure)


def fit_plot(fit: MassFit, histograms: Sequence[Histogram], replicas: int) -> str:
    """The fitted histogram and the model; other histograms of the same edges, further smearings, stand behind them."""
    mplhep: Any = importlib.import_module("mplhep")
    figure, axes = canvas()
    (fitted,) = (each for each in histograms if each.name == fit.histogram)
    others = [each for each in histograms if each is not fitted]
    for number, each in enumerate(others):
        contents = [value / replicas for value in each.contents[1:-1]]
        label = "smeared with other random numbers" if number == 0 else None
        mplhep.histplot(contents, each.edges, ax=axes, color=VARIED_COLOUR, lw=0.8, label=label, yerr=False)
    contents = [value / replicas for value in fitted.contents[1:-1]]
    mplhep.histplot(
        contents, fitted.edges, yerr=[value**0.5 for value in contents], ax=axes, color=NOMINAL_COLOUR,
        histtype="errorbar", ms=5, label=fit.title,
    )  # fmt: skip
    middles = [(low + high) / 2 for low, high in pairwise(fitted.edges)]
    axes.plot(middles, fit.expected, color=COLOURS[1], lw=1.6, label="Breit-Wigner ⊗ Crystal Ball + Chebychev")
    axes.set_xlabel(f"{fit.title} [{fitted.unit}]")
    axes.set_ylabel(f"events / {fitted.edges[1] - fitted.edges[0]:.3g} {fitted.unit}")
    # Room for the legend above the peak.
    axes.set_ylim(0, 1.5 * max(*contents, *fit.expected))
    axes.legend(loc="upper left")
    return svg(figure)


def times_plot(result: RunResult) -> str:
    """Every pass of each engine, with the median and its interval."""
    figure, axes = canvas(height=2.2)
    for place, passes in enumerate(result.measurement.all_passes):
        times = [each.overall_s for each in passes.passes]
        middle = passes.estimate
        axes.plot(times, [place] * len(times), "o", color=COLOURS[place], alpha=0.6, ms=6)
        axes.errorbar(
            middle.value, place + 0.2, xerr=[[middle.value - middle.low], [middle.high - middle.value]],
            fmt="D", color=COLOURS[place], capsize=4, ms=5,
        )  # fmt: skip
    names = [f"{each.engine} ({each.slots})" for each in result.measurement.all_passes]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.2)
    axes.set_xlim(left=0)
    axes.set_xlabel("overall time of a pass [s]; diamond: median, 95 %")
    return svg(figure)


def occupancy_plot(result: RunResult) -> str:
    """Share of a processor that each process had, and its memory, in the last pass; empty where nobody looked."""
    passes = result.measurement.distributed or result.measurement.serial
    if not passes.samples:
        return ""
    figure, (upper, lower) = pyplot().subplots(2, 1, sharex=True, figsize=(WIDE_IN, HIGH_IN))
    few = len(passes.samples) <= len(COLOURS)
    for number, each in enumerate(passes.samples):
        colour = COLOURS[number] if few else VARIED_COLOUR
        upper.plot(each.at_s, each.cpu, color=colour, lw=1.2, label=each.name if few else None)
        lower.plot(each.at_s, [value / 2**20 for value in each.memory_bytes], color=colour, lw=1.2)
    upper.set_ylabel("processors")
    lower.set_ylabel("memory [MiB]")
    for axes in (upper, lower):
        axes.set_ylim(0, 1.15 * max(axes.get_ylim()[1], 1))
    lower.set_xlim(0, passes.passes[-1].overall_s)
    lower.set_xlabel(f"seconds after the trigger, last pass on {passes.engine}")
    if few and len(passes.samples) > 1:
        upper.legend(ncols=3, fontsize=8, loc="lower center")
    return svg(figure)


def stream_plot(result: RunResult) -> str:
    """When each worker computed, in the last distributed pass; empty where nothing is known of tasks."""
    passes = result.measurement.distributed
    if passes is None or not passes.spans:
        return ""
    last = passes.passes[-1]
    figure, axes = canvas(height=1.2 + 0.35 * len(last.workers))
    for worker in range(len(last.workers)):
        mine = [(each.start_s, each.stop_s - each.start_s) for each in passes.spans if each.worker == worker]
        axes.broken_barh(mine, (worker - 0.4, 0.8), facecolor=COLOURS[0], edgecolor="white", lw=0.4)
    labels = [f"{each.name}: {each.compute_s / last.loop_s:.0%}" if last.loop_s else each.name for each in last.workers]
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlim(0, last.overall_s)
    axes.set_xlabel("seconds after the trigger; share of the loop in which each worker computed")
    return svg(figure)
