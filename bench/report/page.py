"""A run's result as one HTML page that needs nothing else: it opens from a file, without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jinja2

from ..measure.equality import MEANING
from ..workloads import Histogram, Outcome
from .model import RunResult
from .parts import phases_of, time_parts
from .plots import fit_plot, histogram_plot, occupancy_plot, stream_plot, times_plot, yields_plot
from .tables import describe_ratio

TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("bench.report"), autoescape=True, undefined=jinja2.StrictUndefined
)
# A page of more plots is read by nobody.
MAX_PLOTS = 40


def run_page(result: RunResult) -> str:
    """The page of a run."""
    return TEMPLATES.get_template("run.html.j2").render(
        result=result,
        ratio=describe_ratio(result),
        cutflow=list(zip(result.yields.cutflow, result.measurement.outcome.cutflow, strict=True)),
        physics_plots=[*fits(result), *(plot(name, each) for name, each in by_name(result.yields).items())][:MAX_PLOTS],
        time_plots=[each for each in (times_plot(result), stream_plot(result), occupancy_plot(result)) if each],
        phases=phases_of(result),
        parts=time_parts(result),
        meaning=MEANING,
    )


def fits(result: RunResult) -> list[str]:
    """The plot of the fit, where one was made."""
    fit, outcome = result.fit, result.measurement.outcome
    if fit is None or not fit.expected:
        return []
    # Smeared histograms are no part of the yields: they need columns that only a repacked input has.
    known = {each.name for each in result.yields.histograms} - {fit.histogram}
    return [fit_plot(fit, [each for each in outcome.histograms if each.name not in known], result.measurement.replicas)]


def plot(name: str, variations: Sequence[Histogram]) -> str:
    """A yield with its variations where there is one bin and something to compare it with, else a histogram."""
    if len(variations) > 1 and len(variations[0].edges) == 2:
        return yields_plot(name, variations)
    return histogram_plot(name, variations)


def by_name(outcome: Outcome) -> Mapping[str, list[Histogram]]:
    """Histograms with their variations, by the name that these have in common."""
    groups: dict[str, list[Histogram]] = {}
    for each in outcome.histograms:
        groups.setdefault(each.name.rpartition("/")[0] or each.name, []).append(each)
    return groups
