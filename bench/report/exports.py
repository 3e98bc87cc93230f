"""A run's result in the formats of other tools: CSV, JUnit XML, OpenMetrics text."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from ..measure.equality import Physics
from .model import RunResult

# Name, unit, what it is, and samples: their own labels, and the value.
Family = tuple[str, str, str, list[tuple[dict[str, str], float]]]
COLUMNS = (
    "workload",
    "mode",
    "engine",
    "slots",
    "pass",
    "entries",
    "overall_s",
    "submit_s",
    "loop_s",
    "merge_s",
    "cpu_s",
    "build_s",
    "save_s",
    "entries_per_s",
    "physics",
    "timing",
)


def to_csv(result: RunResult) -> str:
    """A row for each timed pass; times in seconds, rates in entries per second."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for passes in result.measurement.all_passes:
        for number, each in enumerate(passes.passes, 1):
            rows.writerow(
                [result.workload, result.mode, passes.engine, passes.slots, number, result.measurement.entries,
                 each.overall_s, each.submit_s, each.loop_s, each.merge_s, each.cpu_s, each.build_s, each.save_s,
                 result.measurement.entries / each.overall_s, result.physics, result.timing]
            )  # fmt: skip
    return out.getvalue()


def to_junit(result: RunResult) -> str:
    """A test case for each comparison and one for the timing, as JUnit's XML."""
    suite = ElementTree.Element("testsuite", name=f"bench.{result.workload}", timestamp=result.started.isoformat())
    failures = 0
    for comparison in result.measurement.comparisons:
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"bench.{result.workload}", name=f"equal to {comparison.compared_with}"
        )
        if comparison.verdict is not Physics.EQUAL:
            failures += 1
            told = "\n".join(str(each) for each in comparison.differences[:20])
            failure = ElementTree.SubElement(case, "failure", message=f"physics: {comparison.verdict}")
            failure.text = told
    time_s = result.measurement.distributed or result.measurement.serial
    case = ElementTree.SubElement(
        suite, "testcase", classname=f"bench.{result.workload}", name="timing", time=f"{time_s.overall_s:.6f}"
    )
    if result.timing != "valid":
        failures += 1
        ElementTree.SubElement(case, "failure", message=result.timing)
    suite.set("tests", str(len(result.measurement.comparisons) + 1))
    suite.set("failures", str(failures))
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def to_openmetrics(result: RunResult) -> str:
    """Gauges for a metrics collector (OpenMetrics 1.0 text)."""
    families: list[Family] = [
        ("bench_run_overall_seconds", "seconds", "Median time from the trigger of the execution to its end.",
         [({"engine": each.engine}, each.overall_s) for each in result.measurement.all_passes]),
        ("bench_run_slots", "", "Tasks that can run at the same time.",
         [({"engine": each.engine}, each.slots) for each in result.measurement.all_passes]),
        ("bench_run_entries", "", "Entries read in a pass.", [({}, result.measurement.entries)]),
        ("bench_run_physics_equal", "", "1 if all results are equal.", [({}, result.physics is Physics.EQUAL)]),
        ("bench_run_timing_valid", "", "1 if nothing disturbed the times.", [({}, result.timing == "valid")]),
        ("bench_run_started_seconds", "seconds", "When the run began, in Unix time.",
         [({}, result.started.timestamp())]),
    ]  # fmt: skip
    balances = [(each, each.middle.balance) for each in result.measurement.all_passes]
    known = [({"engine": each.engine}, shares) for each, shares in balances if shares]
    if known:
        families += [
            ("bench_run_efficiency", "", "Computing time of all workers over the median pass's time, for each worker.",
             [(labels, shares.efficiency) for labels, shares in known]),
            ("bench_run_imbalance", "", "Computing time of the busiest worker over the mean.",
             [(labels, shares.max_over_mean) for labels, shares in known]),
        ]  # fmt: skip
    if result.speed_up is not None:
        families.append(("bench_run_speed_up", "", "Serial over distributed time.", [({}, result.speed_up)]))
    common = {"workload": result.workload, "mode": result.mode.partition(":")[0], "site": result.site or ""}
    return gauges(families, common)


def gauges(families: Sequence[Family], common: Mapping[str, str]) -> str:
    """Families of gauges as text, with labels that all of their samples have."""
    lines: list[str] = []
    for name, unit, text, samples in families:
        lines.append(f"# TYPE {name} gauge")
        if unit:
            lines.append(f"# UNIT {name} {unit}")
        lines.append(f"# HELP {name} {text}")
        for labels, value in samples:
            written = ",".join(f'{key}="{_escaped(each)}"' for key, each in {**common, **labels}.items())
            lines.append(f"{name}{{{written}}} {float(value):.9g}")
    return "\n".join([*lines, "# EOF"]) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
