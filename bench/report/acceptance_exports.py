"""What `bench accept` found in the formats of other tools: CSV, JUnit XML, OpenMetrics text."""

from __future__ import annotations

import csv
import io
from xml.etree import ElementTree

from ..facility.rows import Verdict
from .acceptance import AcceptResult
from .exports import Family, gauges
from .validation_exports import suite_of

COLUMNS = (
    "workload", "workers", "usable_cores", "serial_s", "distributed_s", "speed_up", "efficiency", "physics", "timing",
    "verdict",
)  # fmt: skip


def to_csv(result: AcceptResult) -> str:
    """A row for each analysis; times are medians in seconds."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for each in result.analyses:
        ratio = each.speed_up.value if each.speed_up else ""
        efficiency = "" if each.efficiency is None else each.efficiency
        rows.writerow(
            [each.workload, each.workers, each.usable_cores, each.serial.value, each.distributed.value, ratio,
             efficiency, each.physics, each.timing, each.verdict]
        )  # fmt: skip
    return out.getvalue()


def to_junit(result: AcceptResult) -> str:
    """A suite of the checks of the nodes, and one with a test case for each analysis."""
    suites = ElementTree.Element("testsuites", name=f"bench.accept.{result.site}")
    suites.append(suite_of(result.validation))
    name = f"bench.accept.{result.site}"
    suite = ElementTree.SubElement(suites, "testsuite", name=name, timestamp=result.started.isoformat())
    for each in result.analyses:
        case = ElementTree.SubElement(
            suite, "testcase", classname=name, name=f"{each.workload} on {each.workers} workers",
            time=f"{each.distributed.value:.6f}",
        )  # fmt: skip
        if each.verdict is Verdict.FAILED:
            ElementTree.SubElement(case, "failure", message=each.cause)
        elif each.verdict is Verdict.UNKNOWN:
            ElementTree.SubElement(case, "skipped", message=each.cause)
    for text in result.unknown:
        case = ElementTree.SubElement(suite, "testcase", classname=name, name=text.partition(":")[0])
        ElementTree.SubElement(case, "error", message=text)
    verdicts = [each.verdict for each in result.analyses]
    suite.set("tests", str(len(verdicts) + len(result.unknown)))
    suite.set("failures", str(verdicts.count(Verdict.FAILED)))
    suite.set("errors", str(len(result.unknown)))
    suite.set("skipped", str(verdicts.count(Verdict.UNKNOWN)))
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def to_openmetrics(result: AcceptResult) -> str:
    """Gauges for a metrics collector."""
    validation = result.validation
    known = [each for each in validation.nodes if each.delivered_together_cores is not None]
    usable = [each for each in result.analyses if each.efficiency is not None and each.speed_up]
    families: list[Family] = [
        ("bench_accept_ok", "", "1 if nothing is wrong, and all could be told.",
         [({}, result.verdict in (Verdict.OK, Verdict.WARNING) and not validation.disturbed)]),
        ("bench_accept_checks_failed", "", "Checks of nodes that failed.",
         [({}, sum(row.verdict is Verdict.FAILED for row in validation.rows))]),
        ("bench_accept_node_cores", "", "Cores that a node delivered while all nodes burned.",
         [({"node": each.name}, each.delivered_together_cores or 0) for each in known]),
        ("bench_accept_speed_up", "", "Serial over distributed time.",
         [(labels(each.workload, each.workers), each.speed_up.value) for each in usable if each.speed_up]),
        ("bench_accept_efficiency", "", "Speed-up for each core that the workers could have.",
         [(labels(each.workload, each.workers), each.efficiency or 0) for each in usable]),
        ("bench_accept_started_seconds", "seconds", "When it began, in Unix time.", [({}, result.started.timestamp())]),
    ]  # fmt: skip
    return gauges(families, {"site": result.site})


def labels(workload: str, workers: int) -> dict[str, str]:
    return {"workload": workload, "workers": str(workers)}
