"""What `bench compare` and `bench history` do: two runs of the same thing, or all that a folder holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from .errors import BenchError, Exit
from .measure.statistics import Estimate, ratio_of_medians
from .report.model import Passes, RunResult
from .report.read import read_result
from .report.write import RUN_FILE
from .terminal import Terminal


@dataclass(frozen=True)
class Change:
    """Ratio of an engine's times, later over earlier: above one is slower."""

    engine: str
    before_s: float
    after_s: float
    ratio: Estimate

    @property
    def significant(self) -> bool:
        """Whether the interval of the ratio leaves out one; of fewer than three passes nobody can tell."""
        return self.ratio.n > 2 and not self.ratio.low <= 1 <= self.ratio.high

    def regression(self, threshold: float) -> bool:
        """Whether it became slower by more than the threshold, a share, and not by chance."""
        return self.significant and self.ratio.value > 1 + threshold


def compare_runs(earlier: Path, later: Path, threshold: float, terminal: Terminal) -> Exit:
    """Show what changed between two runs; FAILED where one of the times is a regression.

    Raises
    ------
    BenchError
        A result cannot be read, must not be used, or is of something else.
    """
    a, b = (run_of(path) for path in (earlier, later))
    check_comparable(a, b, earlier, later)
    found = changes(a, b)
    table = Table(title=f"{b.workload}: {later} against {earlier}", title_justify="left")
    for column in ("engine", "earlier [s]", "later [s]", "later / earlier", "95 %", ""):
        table.add_column(column, justify="left" if column in ("engine", "") else "right")
    for each in found:
        table.add_row(
            each.engine,
            f"{each.before_s:.3f}",
            f"{each.after_s:.3f}",
            f"{each.ratio.value:.3f}",
            f"{each.ratio.low:.3f} to {each.ratio.high:.3f}" if each.ratio.n > 2 else "too few passes",
            verdict(each, threshold),
        )
    terminal.show(table)
    return Exit.FAILED if any(each.regression(threshold) for each in found) else Exit.OK


def verdict(change: Change, threshold: float) -> str:
    """A change in a word or two."""
    if not change.significant:
        return "~ not significant"
    if change.regression(threshold):
        return f"REGRESSION beyond {threshold:.0%}"
    return "slower" if change.ratio.value > 1 else "faster"


def changes(a: RunResult, b: RunResult) -> list[Change]:
    """Times of the engines that both runs have."""
    before, after = engines_of(a), engines_of(b)
    return [
        Change(
            name,
            before[name].overall_s,
            after[name].overall_s,
            ratio_of_medians(
                [each.overall_s for each in after[name].passes], [each.overall_s for each in before[name].passes]
            ),
        )
        for name in before
        if name in after
    ]


def engines_of(result: RunResult) -> dict[str, Passes]:
    """Passes by engine and number of slots."""
    return {f"{each.engine}, {each.slots} slots": each for each in result.measurement.all_passes}


def check_comparable(a: RunResult, b: RunResult, earlier: Path, later: Path) -> None:
    """See that two results are of the same thing, and that both may be used.

    Raises
    ------
    BenchError
        They are not; status 2, or 3 where one is invalid or their physics differs.
    """
    for result, path in ((a, earlier), (b, later)):
        if not result.valid:
            raise BenchError(
                str(path), f"it must not be used: physics {result.physics}, timing {result.timing}", "Run it again.",
                Exit.INVALID,
            )  # fmt: skip
    here = [(r.workload, r.mode, r.measurement.entries, [f.sha256 for f in r.input.files]) for r in (a, b)]
    for what, one, other in zip(("workload", "mode", "entries", "input"), *here, strict=True):
        if one != other:
            raise BenchError(
                f"{earlier} and {later}",
                f"they are runs of something else each: {what} {one} and {other}",
                "Compare runs of the same workload on the same input (--replicas fixes the number of entries).",
                Exit.CANNOT_TELL,
            )
    if a.yields.cutflow != b.yields.cutflow:
        raise BenchError(
            f"{earlier} and {later}", "the same input gave other yields", "See both cut flows with bench show.",
            Exit.INVALID,
        )  # fmt: skip


def history(folder: Path, terminal: Terminal) -> None:
    """List the runs below a folder, oldest first.

    Raises
    ------
    BenchError
        There is none, or one cannot be read.
    """
    paths = sorted(folder.rglob(RUN_FILE))
    if not paths:
        raise BenchError(str(folder), f"there is no {RUN_FILE} below it", "Name a folder of runs.", Exit.CANNOT_TELL)
    results = [(path.parent, read_result(path, RunResult)) for path in paths]
    results.sort(key=lambda each: each[1].started)
    table = Table(title=f"runs in {folder}", title_justify="left")
    for column in (
        "begun (UTC)",
        "workload",
        "engine",
        "slots",
        "serial [s]",
        "distributed [s]",
        "speed-up",
        "verdict",
    ):
        table.add_column(column)
    for _, result in results:
        measured = result.measurement
        many = measured.distributed
        table.add_row(
            f"{result.started:%Y-%m-%d %H:%M}",
            result.workload,
            result.engine,
            str(many.slots if many else 1),
            f"{measured.serial.overall_s:.2f}",
            f"{many.overall_s:.2f}" if many else "",
            f"{result.speed_up:.2f}" if result.speed_up else "",
            "valid" if result.valid else "INVALID",
        )
    terminal.show(table)
    notable(results, terminal)


def notable(results: Sequence[tuple[Path, RunResult]], terminal: Terminal) -> None:
    """Say which run differs significantly from the last valid one of the same thing before it."""
    last: dict[tuple[str, str, str, int], tuple[Path, RunResult]] = {}
    for path, result in results:
        if not result.valid:
            continue
        key = (result.workload, result.engine, result.mode, result.measurement.entries)
        if key in last:
            before = last[key]
            for each in changes(before[1], result):
                if each.significant:
                    terminal.say(f"{path}: {each.engine} took {each.ratio} of the time of {before[0]}")
        last[key] = (path, result)


def run_of(path: Path) -> RunResult:
    """The run of a folder, or of a file."""
    return read_result(path / RUN_FILE if path.is_dir() else path, RunResult)
