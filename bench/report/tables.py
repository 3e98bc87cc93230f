"""Results as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from ..measure.equality import MEANING, Physics
from ..measure.zfit import MassFit
from ..workloads.stop4body_yields import RegionYield
from .model import Passes, RunResult
from .parts import time_parts


def physics_table(result: RunResult, mass_histogram: str) -> Table:
    """Cut flow, mean and width, of the input as it is; without a name of a histogram the cut flow alone."""
    replicas = result.measurement.replicas
    table = Table(title=f"{result.title}: physics", title_justify="left")
    table.add_column("")
    table.add_column("input as it is", justify="right")
    table.add_column(f"read {replicas} times", justify="right")
    for once, many in zip(result.yields.cutflow, result.measurement.outcome.cutflow, strict=True):
        table.add_row(once.label, f"{once.events:,}", f"{many.events:,}")
    if not mass_histogram:
        return table
    once, many = result.yields.histogram(mass_histogram), result.measurement.outcome.histogram(mass_histogram)
    table.add_section()
    for words, attribute in (("mean", "mean"), ("standard deviation", "std_dev")):
        table.add_row(
            f"{once.title} from {once.edges[0]:g} to {once.edges[-1]:g} {once.unit}: {words}",
            f"{getattr(once, attribute):.4f}",
            f"{getattr(many, attribute):.4f}",
        )
    if result.fit:
        add_fit(table, result.fit)
    return table


def add_fit(table: Table, fit: MassFit) -> None:
    """Parameters of a fit with their errors, its quality, and what speaks against it."""
    table.add_section()
    words = f"fit of {fit.title}"
    for each in fit.parameters:
        error = "" if each.error is None or each.at_limit else f" ± {each.error:.2g}"
        table.add_row(f"{words}: {each.name}", f"{each.value:.5g}{error}{f' {each.unit}' if each.unit else ''}", "")
    if fit.chi2 is not None and fit.p_value is not None:
        table.add_row(f"{words}: χ²/ndf", f"{fit.chi2:.1f}/{fit.ndf} (p = {fit.p_value:.2g})", "")
    verdict = "converged, covariance accurate" if fit.converged else ""
    for line in filter(None, (verdict, *fit.remarks)):
        table.add_row(words, line, "")


def yields_table(regions: Sequence[RegionYield], provenance: str) -> Table:
    """Yield of each region with its uncertainties, and the variations that move it most."""
    table = Table(title=f"yields of the input as it is (cuts: {provenance})", title_justify="left")
    for column in ("region", "events", "yield", "statistical", "systematic", "largest variations"):
        table.add_column(column, justify="left" if column in ("region", "largest variations") else "right")
    for each in regions:
        moved = [(shift, shift.up - each.events, shift.down - each.events) for shift in each.shifts]
        moved.sort(key=lambda one: -max(abs(one[1]), abs(one[2])))
        words = ", ".join(
            f"{shift.name} {up:+.2g}/{down:+.2g}{' (mirrored)' * shift.mirrored}" for shift, up, down in moved[:3]
        )
        table.add_row(
            each.region,
            f"{each.raw:,}",
            f"{each.events:.4g}",
            f"± {each.statistical:.2g}",
            f"+{each.up:.2g} -{each.down:.2g}",
            words,
        )
    return table


def time_table(result: RunResult) -> Table:
    """Times, speed-up and verdicts."""
    measured = result.measurement
    table = Table(title=f"{result.title}: {result.engine}", title_justify="left", show_header=False)
    table.add_column("")
    table.add_column("")
    table.add_row("entries read", f"{measured.entries:,} ({measured.replicas} × {result.yields.entries:,})")
    table.add_row("mode", result.mode)
    table.add_row("serial", describe(measured.serial, measured.entries))
    if measured.distributed:
        table.add_row(f"distributed ({measured.distributed.engine})", describe(measured.distributed, measured.entries))
        table.add_row("", describe_tasks(measured.distributed))
        table.add_row("speed-up", describe_ratio(result))
        if result.limited_by:
            table.add_row("limited by", result.limited_by)
    for heading, words in time_parts(result).items():
        table.add_row(heading, words)
    table.add_section()
    for comparison in measured.comparisons:
        words = f"{comparison.numbers_compared} numbers, largest deviation {comparison.largest_deviation:g}"
        if comparison.largest_deviation_at:
            words += f" at {comparison.largest_deviation_at}"
        table.add_row(f"against {comparison.compared_with}", f"{comparison.verdict}: {words}")
    table.add_row("equal means", MEANING)
    colour = "green" if result.physics is Physics.EQUAL else "red"
    table.add_row("physics", f"[{colour}]{result.physics}[/]")
    table.add_row("timing", f"[{'green' if result.timing == 'valid' else 'red'}]{result.timing}[/]")
    return table


def describe_ratio(result: RunResult) -> str:
    """The speed-up with its interval, or why there is none."""
    if result.speed_up is None:
        return "none: the times are disturbed" if result.physics is Physics.EQUAL else "none: the results differ"
    interval = result.speed_up_interval
    words = f"{result.speed_up:.2f} ×"
    return f"{words} ({interval.low:.2f} to {interval.high:.2f}, 95 %)" if interval and interval.n > 2 else words


def describe(passes: Passes, entries: int) -> str:
    """Times of an engine in one line."""
    times = [each.overall_s for each in passes.passes]
    spread = f", {min(times):.2f} to {max(times):.2f} s in {len(times)} passes" if len(times) > 1 else ""
    return f"{passes.overall_s:.2f} s{spread}; {entries / passes.overall_s / 1000:.0f} kHz"


def describe_tasks(passes: Passes) -> str:
    """How the work was shared out in the last pass."""
    last = passes.passes[-1]
    shares = ", ".join(f"{share.tasks} tasks {share.compute_s:.2f} s" for share in last.workers)
    return f"{passes.slots} slots, {passes.n_partitions} tasks ({shares})" if shares else f"{passes.slots} slots"
