"""A run's result as a page and in the formats of other tools."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import jsonschema
import pytest
from rich.console import Console

from bench.datasets.standin import make_stand_in
from bench.engines.local import Serial
from bench.engines.model import Pass, Samples, TaskSpan, WorkerShare
from bench.measure.equality import MEANING, Physics
from bench.passes import as_passes
from bench.report.exports import to_csv, to_junit, to_openmetrics
from bench.report.model import RunResult
from bench.report.page import by_name, run_page
from bench.report.parts import time_parts
from bench.report.schemas import schema_path
from bench.report.tables import time_table
from bench.run import run_here
from bench.terminal import Terminal
from bench.workloads import WORKLOADS
from bench.workloads.model import Histogram


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    path = make_stand_in(tmp_path_factory.mktemp("page"), "fcc-zee", 500)
    return run_here(WORKLOADS["fcc-zee"], (path,), Serial(), 3, 1, Terminal())


@pytest.fixture(scope="module")
def distributed(result: RunResult) -> RunResult:
    """The same as if two workers had done it, the second one half as much as the first."""
    workers = (WorkerShare("w0", "here", 2, 1.0, 0.9), WorkerShare("w1", "here", 1, 0.5, 0.4))
    one = Pass(
        result.measurement.outcome, overall_s=1.25, submit_s=0.1, loop_s=1.0, merge_s=0.15, build_s=0.02,
        n_partitions=3, workers=workers, spans=(TaskSpan(0, 0.1, 0.6), TaskSpan(0, 0.6, 1.1), TaskSpan(1, 0.1, 0.6)),
        samples=(Samples("w0", (0.5, 1.0), (1.0, 0.9), (2**28, 2**29), (0, 0), (0, 0), (False, False)),),
    )  # fmt: skip
    measured = result.measurement.model_copy(
        update={
            "distributed": as_passes("dask-local", 2, [one, one, one]),
            "cold_s": {"serial": 0.7, "dask-local": 5.25},
            "phases_s": {"connect": 1.5, "warm-up serial": 0.5, "warm-up": 4.5},
        }
    )
    return result.model_copy(update={"engine": "dask-local", "measurement": measured, "timing": "valid"})


class Checked(HTMLParser):
    """Sees that tags are closed in order, and collects what a page would load."""

    VOID = frozenset(("meta", "br", "path", "use", "rect", "link"))

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [
            value or "" for name, value in attrs if name in ("src", "href") and not str(value).startswith("#")
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        return None

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_page_is_whole_and_loads_nothing(result: RunResult):
    page = run_page(result)
    checked = Checked()
    checked.feed(page)
    assert checked.open == []
    assert checked.loads == []
    assert not re.search(r"@import|url\((?!#)", page)
    assert page.count("<svg") == len(result.yields.histograms) + len(("fit", "times", "processes"))
    assert result.measurement.environment.cpu_model in page


def test_page_of_workers_shows_their_tasks_and_how_busy_they_were(result: RunResult, distributed: RunResult):
    page = run_page(distributed)
    assert page.count("<svg") == run_page(result).count("<svg") + len(("task stream",))
    assert "seconds after the trigger; share of the loop in which each worker computed" in page
    assert "seconds after the trigger, last pass on dask-local" in page


def test_phases_cold_passes_and_balance_are_told_apart(distributed: RunResult):
    told = time_parts(distributed)
    assert told["before the passes"].startswith("start of the workers 1.5 s")
    assert "JIT and a small pass, every worker 4.5 s" in told["before the passes"]
    assert told["cold pass, dask-local"].startswith("5.25 s")
    assert told["median pass, dask-local"] == (
        "graph 0.020 s, until the first task 0.100 s, event loop 1.000 s, merge 0.150 s, save 0.000 s"
    )
    assert told["workers"] == (
        "efficiency 60%; the busiest computed 1.33 times the mean (Gini 0.17); occupancy 100%, 50%"
    )
    page = run_page(distributed)
    shown = io.StringIO()
    Console(width=200, file=shown).print(time_table(distributed))
    for heading, words in told.items():
        assert heading in page
        assert words in page
        assert heading in shown.getvalue()
    assert MEANING in page
    assert "within 1e-10" in MEANING


def test_a_result_is_as_the_published_schema_says(result: RunResult, distributed: RunResult):
    schema = json.loads(schema_path("run").read_text())
    for each in (result, distributed):
        jsonschema.validate(json.loads(each.model_dump_json()), schema)
    broken = json.loads(result.model_dump_json())
    del broken["measurement"]["environment"]["cpu_model"]
    with pytest.raises(jsonschema.ValidationError, match="cpu_model"):
        jsonschema.validate(broken, schema)


def test_a_result_says_what_it_was_made_on_and_of(result: RunResult):
    found = json.loads(result.model_dump_json())
    environment = found["measurement"]["environment"]
    assert environment["cores"] >= 1
    assert environment["load_1min"] >= 0
    assert re.fullmatch(r"[0-9a-f]{40}\+?", environment["git_commit"])
    assert {"python", "root", "dask"} <= environment["versions"].keys()
    assert re.fullmatch(r"[0-9a-f]{64}", found["input"]["files"][0]["sha256"])
    page = run_page(result.model_copy(update={"image": "registry/analysis@sha256:0"}))
    for words in (environment["git_commit"], found["input"]["files"][0]["sha256"], "registry/analysis@sha256:0"):
        assert words in page


def test_page_follows_the_reader_from_light_to_dark(result: RunResult):
    page = run_page(result)
    assert "prefers-color-scheme: dark" in page
    assert "currentColor" in page
    assert "#010203" not in page


def test_page_says_what_must_not_be_used(result: RunResult):
    assert "INVALID" not in run_page(result.model_copy(update={"timing": "valid", "physics": Physics.EQUAL}))
    assert "INVALID" in run_page(result.model_copy(update={"timing": "disturbed (others)"}))


def test_words_of_a_result_are_no_markup(result: RunResult):
    page = run_page(result.model_copy(update={"title": "<script>alert(1)</script>"}))
    assert "<script>" not in page


def test_variations_of_a_yield_are_drawn_together(result: RunResult):
    one = Histogram("SR/nominal", "yield", "events", True, (0.5, 1.5), (0, 10, 0), (0, 10, 0), 10, 1.0, 0.0)
    moved = replace(one, name="SR/JES:up", contents=(0, 11, 0))
    yields = replace(result.yields, histograms=(one, moved))
    page = run_page(result.model_copy(update={"yields": yields, "fit": None}))
    assert "JES:up" in page
    assert page.count("<svg") == len(("yields", "times", "processes"))


def test_histograms_of_one_region_are_not_taken_for_variations(result: RunResult):
    one = Histogram("top/MT/nominal", "MT", "GeV", True, (0.0, 1.0, 2.0), (0, 5, 5, 0), (0, 5, 5, 0), 10, 1.0, 0.5)
    names = ("top/MT/nominal", "top/MT/jes:up", "top/mass/nominal", "top/mass/jes:up")
    yields = replace(result.yields, histograms=tuple(replace(one, name=name) for name in names))
    assert list(by_name(yields)) == ["top/MT", "top/mass"]


def test_csv_has_a_row_for_each_pass(result: RunResult):
    rows = list(csv.DictReader(io.StringIO(to_csv(result))))
    assert [row["engine"] for row in rows] == ["serial"] * 3
    assert [float(row["overall_s"]) for row in rows] == [each.overall_s for each in result.measurement.serial.passes]


def test_junit_fails_where_the_physics_differs(result: RunResult):
    good = ElementTree.fromstring(to_junit(result.model_copy(update={"timing": "valid"})))
    assert good.get("failures") == "0"
    broken = result.measurement.comparisons[0]
    comparisons = (replace(broken, verdict=Physics.UNEQUAL),)
    bad = result.model_copy(
        update={"timing": "valid", "measurement": result.measurement.model_copy(update={"comparisons": comparisons})}
    )
    tree = ElementTree.fromstring(to_junit(bad))
    assert tree.get("failures") == "1"
    assert tree.find("testcase/failure") is not None


def test_openmetrics_is_well_formed(result: RunResult, distributed: RunResult):
    assert "bench_run_efficiency{" in to_openmetrics(distributed)
    lines = to_openmetrics(result).splitlines()
    assert lines[-1] == "# EOF"
    for line in (*lines[:-1], *to_openmetrics(distributed).splitlines()[:-1]):
        assert re.fullmatch(r'# (TYPE|UNIT|HELP) \w+ .+|\w+\{(\w+="[^"]*",?)*\} [-+.e\d]+', line), line
    assert any(line.startswith("bench_run_overall_seconds{") for line in lines)
