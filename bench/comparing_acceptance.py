"""What `bench compare` does with two results of `bench accept`: what changed in the facility, and in its figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from .errors import BenchError, Exit
from .facility.rows import Verdict
from .measure.statistics import Estimate
from .report.acceptance import AcceptResult, Analysis
from .report.read import read_result
from .report.validation import NodeRecord
from .report.write import ACCEPT_FILE
from .terminal import Terminal


@dataclass(frozen=True)
class Figure:
    """A figure of both results, and whether it became worse by more than the threshold, and not by chance."""

    name: str
    earlier: str
    later: str
    regression: bool


def is_acceptance(folder: Path) -> bool:
    """Whether a folder is one of `bench accept`."""
    return (folder / ACCEPT_FILE).is_file()


def compare_acceptances(earlier: Path, later: Path, threshold: float, terminal: Terminal) -> Exit:
    """Show what changed between two results of a site; FAILED where a figure is a regression.

    Raises
    ------
    BenchError
        A result cannot be read, must not be used, or is of another facility.
    """
    a, b = (read_result(path / ACCEPT_FILE, AcceptResult) for path in (earlier, later))
    if a.facility != b.facility:
        raise BenchError(
            f"{earlier} and {later}", f"they are of two facilities, {a.facility} and {b.facility}",
            "Compare results of the same facility.", Exit.CANNOT_TELL,
        )  # fmt: skip
    for result, path in ((a, earlier), (b, later)):
        if result.validation.disturbed:
            why = f"the facility changed meanwhile: {'; '.join(result.validation.disturbed)}"
            raise BenchError(str(path), why, "Look at the site again.", Exit.INVALID)
    facility = Table(title=f"facility {b.facility}: {later} against {earlier}", title_justify="left")
    for column in ("what", "earlier", "later"):
        facility.add_column(column, overflow="fold")
    changed = changes(a, b)
    for name, before, after in changed:
        facility.add_row(name, before, after)
    if changed:
        terminal.show(facility)
    else:
        terminal.say("Nothing of the facility has changed that was written down: versions, image, nodes, verdicts.")
    found = figures(a, b, threshold)
    table = Table(title="figures of both", title_justify="left")
    for column in ("figure", "earlier", "later", ""):
        table.add_column(column, justify="right" if column in ("earlier", "later") else "left")
    for each in found:
        table.add_row(
            each.name, each.earlier, each.later, f"REGRESSION beyond {threshold:.0%}" if each.regression else ""
        )
    terminal.show(table)
    return Exit.FAILED if any(each.regression for each in found) else Exit.OK


def changes(a: AcceptResult, b: AcceptResult) -> list[tuple[str, str, str]]:
    """What is written down of the facility and differs: its name, before, after."""
    before, after = written_down(a), written_down(b)
    names = list(dict.fromkeys((*before, *after)))
    both = [(name, before.get(name, "none"), after.get(name, "none")) for name in names]
    return [each for each in both if each[1] != each[2]]


def written_down(result: AcceptResult) -> dict[str, str]:
    """Versions, image, nodes, and checks that were not ok."""
    found = {f"version of {name}": version for name, version in result.versions.items()}
    found["analysis image"] = result.image or "none"
    for node in result.validation.nodes:
        found[f"node {node.name}"] = described(node)
    for row in result.validation.rows:
        found[f"{row.subject}: {row.check}"] = "ok" if row.verdict is Verdict.OK else f"{row.verdict}: {row.observed}"
    return found


def described(node: NodeRecord) -> str:
    """A node as it was ordered, built and joined."""
    return f"{node.flavor}, {node.built_cores} cores, {node.built_status}, {node.joined_status}"


def figures(a: AcceptResult, b: AcceptResult, threshold: float) -> list[Figure]:
    """Figures that both have. What was measured once is a regression by its size alone."""
    found: list[Figure] = []
    before = {each.name: each.delivered_together_cores for each in a.validation.nodes}
    for node in b.validation.nodes:
        was, now = before.get(node.name), node.delivered_together_cores
        if was and now is not None:
            worse = now < was * (1 - threshold)
            found.append(Figure(f"cores of {node.name}, all nodes at once", f"{was:.2f}", f"{now:.2f}", worse))
    analyses = {key(each): each for each in a.analyses if each.valid}
    for each in b.analyses:
        if each.valid and (earlier := analyses.get(key(each))):
            name = f"{each.workload} on {each.workers} workers: speed-up"
            worse = slower(earlier.speed_up, each.speed_up, threshold)
            found.append(Figure(name, str(earlier.speed_up), str(each.speed_up), worse))
    return found


def key(analysis: Analysis) -> tuple[str, int]:
    return analysis.workload, analysis.workers


def slower(earlier: Estimate | None, later: Estimate | None, threshold: float) -> bool:
    """Whether a speed-up is lower by more than the threshold, and the intervals (95 %) do not meet."""
    if earlier is None or later is None or min(earlier.n, later.n) < 3:
        return False
    return later.value < earlier.value * (1 - threshold) and later.high < earlier.low
