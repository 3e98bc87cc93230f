"""What `bench validate` found as JUnit XML."""

from __future__ import annotations

from xml.etree import ElementTree

from ..facility.rows import Verdict
from .validation import ValidateResult


def to_junit(result: ValidateResult) -> str:
    """The suite alone."""
    suite = suite_of(result)
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def suite_of(result: ValidateResult) -> ElementTree.Element:
    """A test case for each row; what could not be told is skipped, a warning passes with its words."""
    name = f"bench.validate.{result.site}"
    suite = ElementTree.Element("testsuite", name=name, timestamp=result.started.isoformat())
    for row in result.rows:
        case = ElementTree.SubElement(suite, "testcase", classname=name, name=f"{row.subject}: {row.check}")
        told = f"expected {row.expected}, observed {row.observed}: {row.cause}"
        if row.verdict is Verdict.FAILED:
            ElementTree.SubElement(case, "failure", message=told)
        elif row.verdict is Verdict.UNKNOWN:
            ElementTree.SubElement(case, "skipped", message=told)
        elif row.verdict is Verdict.WARNING:
            ElementTree.SubElement(case, "system-out").text = f"warning: {told}"
    for kind, texts in (("could not be asked", result.unknown), ("disturbed", result.disturbed)):
        for text in texts:
            case = ElementTree.SubElement(suite, "testcase", classname=name, name=kind)
            ElementTree.SubElement(case, "error", message=text)
    verdicts = [row.verdict for row in result.rows]
    errors = len(result.unknown) + len(result.disturbed)
    suite.set("tests", str(len(verdicts) + errors))
    suite.set("failures", str(verdicts.count(Verdict.FAILED)))
    suite.set("errors", str(errors))
    suite.set("skipped", str(verdicts.count(Verdict.UNKNOWN)))
    return suite
