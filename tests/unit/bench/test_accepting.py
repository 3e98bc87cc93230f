"""`bench accept` and `bench scale`: the verdict on a site from what its nodes and its analyses have shown."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from site_double import Site, delivered, each

from bench import accepting
from bench.accepting import accept, numbers, scale
from bench.commands import RunOptions
from bench.comparing_acceptance import compare_acceptances
from bench.datasets.standin import make_stand_in
from bench.engines.local import Threads
from bench.errors import BenchError, Exit
from bench.facility.thresholds import Thresholds
from bench.measure.equality import Physics
from bench.measure.statistics import Estimate
from bench.report.acceptance import AcceptResult, Analysis, judged, verdict_words
from bench.report.acceptance_page import accept_page
from bench.report.model import RunResult
from bench.report.read import read_result
from bench.report.schemas import schema_path
from bench.run import run_here
from bench.terminal import Terminal
from bench.workloads import WORKLOADS


def ratio(value: float) -> Estimate:
    return Estimate(value, value - 0.1, value + 0.1, 3)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """Twice as quick on two workers, and nothing disturbed it."""
    path = make_stand_in(tmp_path_factory.mktemp("accept"), "fcc-zee", 500)
    result = run_here(WORKLOADS["fcc-zee"], (path,), Threads(2), 3, 1, Terminal())
    return result.model_copy(update={"timing": "valid", "speed_up": 1.8, "speed_up_interval": ratio(1.8)})


Prove = Callable[..., tuple[Exit, AcceptResult]]


@pytest.fixture
def read() -> list[tuple[str, tuple[str, ...]]]:
    """What was run, and the inputs that were named."""
    return []


@pytest.fixture
def prove(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    terminal: Terminal,
    ran: RunResult,
    read: list[tuple[str, tuple[str, ...]]],
) -> Prove:
    """Accepts a double of a site, on which each analysis gives what it is told to, or what a sound one gives."""

    def on(site: Site, answers: dict[str, Any] | None = None, command: Any = None) -> tuple[Exit, AcceptResult]:
        def execute(workload: Any, options: RunOptions, _terminal: Terminal) -> RunResult:
            answer = (answers or {}).get(workload.name, ran)
            if isinstance(answer, BenchError):
                raise answer
            if options.output:
                options.output.mkdir(parents=True)
                (options.output / "part-00000.root").write_text(workload.name)
            read.append((workload.name, options.inputs))
            slots = options.workers or 2
            measured = answer.measurement
            passes = measured.distributed.model_copy(update={"slots": slots})
            measured = measured.model_copy(update={"distributed": passes})
            changed = {"workload": workload.name, "measurement": measured}
            if answer.speed_up is not None:
                changed |= {"speed_up": 0.9 * slots, "speed_up_interval": ratio(0.9 * slots)}
            return answer.model_copy(update=changed)

        monkeypatch.setattr(accepting, "execute", execute)
        monkeypatch.setattr("bench.sweeping.execute", execute)
        monkeypatch.setattr(accepting, "observers", lambda _name: site.observers())
        monkeypatch.setattr(accepting, "load_facility", lambda _name: site.observers().facility())
        run = command or (lambda: accept("lab", tmp_path, True, None, terminal))
        status = run()
        return status, read_result(tmp_path / "accept.json", AcceptResult)

    return on


def test_a_site_as_ordered_on_which_an_analysis_scales_is_accepted(prove: Prove, tmp_path: Path, said: io.StringIO):
    status, result = prove(Site())
    assert status is Exit.OK
    (analysis,) = result.analyses
    assert (analysis.workload, analysis.workers, analysis.efficiency) == ("fcc-zee", 2, pytest.approx(0.9))
    assert "As ordered: 3 nodes with 6 cores, no check failed." in said.getvalue()
    assert "Nodes for analyses deliver 5.70 cores while all of them burn." in said.getvalue()
    for name in ("validate/validate.json", "fcc-zee/run.json", "fcc-zee/run.html"):
        assert (tmp_path / name).is_file(), name


def test_all_workloads_and_a_sweep_are_run_where_it_is_not_quick(prove: Prove, tmp_path: Path, terminal: Terminal):
    status, result = prove(Site(), command=lambda: accept("lab", tmp_path, False, 3, terminal))
    assert status is Exit.OK
    assert {each.workload for each in result.analyses} == set(WORKLOADS)
    (sweep,) = result.sweeps
    assert [each.slots for each in sweep.points] == [1, 2, 4, 6]
    assert [each.workers for each in result.of_sweeps()] == [1, 2, 4, 6]


def test_a_second_step_reads_what_the_first_one_wrote(
    prove: Prove, read: list[tuple[str, tuple[str, ...]]], tmp_path: Path, terminal: Terminal
):
    prove(Site(), command=lambda: accept("lab", tmp_path, False, 3, terminal))
    named = {name: inputs for name, inputs in read if inputs}
    written = (str(tmp_path / "inputs" / "cms-tprime-skim" / "part-00000.root"),)
    assert named == {"cms-tprime": written, "cms-tprime-select": written}
    assert [name for name, _ in read].count("cms-tprime-skim") == 2  # written once, and measured


def test_generated_events_are_marked_where_they_were_read_and_nowhere_else(
    prove: Prove, ran: RunResult, said: io.StringIO, tmp_path: Path, terminal: Terminal
):
    generated = ran.model_copy(update={"input": ran.input.model_copy(update={"stand_in": True})})
    terminal.mark = "stand-in"
    _, result = prove(Site(), {"ml-scan": generated}, lambda: accept("lab", tmp_path, False, 3, terminal))
    assert {each.workload for each in result.analyses if each.stand_in} == {"ml-scan"}
    assert "[stand-in] As ordered" not in said.getvalue()
    assert said.getvalue().count("(stand-in)") == 1
    assert accept_page(result).count("(stand-in)") == 1


def test_analyses_below_the_floor_are_named(prove: Prove, said: io.StringIO):
    status, result = prove(Site(thresholds=Thresholds(efficiency_share_min=0.95)))
    assert status is Exit.FAILED
    assert result.verdict == "failed"
    assert "fcc-zee on 2 workers makes use of 90% of 2.00 cores, below 95%: limited by" in said.getvalue()


def test_nodes_that_are_not_as_ordered_are_named_first(prove: Prove, said: io.StringIO):
    site = Site()
    site.servers = site.servers[:-1]
    status, _ = prove(site)
    assert status is Exit.FAILED
    assert "Not as ordered: 1 of" in said.getvalue()
    assert "checks failed, first lab-w1, built:" in said.getvalue()


def test_remarks_on_nodes_are_made_once(prove: Prove, said: io.StringIO):
    _, result = prove(Site(allow_overcommit=True))
    assert [text.count("allow_overcommit is set") for text in (said.getvalue(), accept_page(result))] == [1, 1]


def test_an_analysis_without_a_result_hides_no_other(prove: Prove, tmp_path: Path, terminal: Terminal):
    error = BenchError("the Job bench-1", "its pod has gone", "Run this again.")
    status, result = prove(Site(), {"ml-scan": error}, lambda: accept("lab", tmp_path, False, 3, terminal))
    assert status is Exit.CANNOT_TELL
    assert len(result.unknown) == 1
    assert "its pod has gone" in result.unknown[0]
    assert {each.workload for each in result.analyses} == set(WORKLOADS) - {"ml-scan"}


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"timing": "disturbed (a worker was lost)"}, Exit.INVALID),
        ({"physics": Physics.UNKNOWN}, Exit.INVALID),
        # a result that differs is wrong, whatever the times are
        ({"physics": Physics.UNEQUAL}, Exit.FAILED),
    ],
)
def test_what_must_not_be_used_is_no_success(prove: Prove, ran: RunResult, changed: dict[str, Any], status: Exit):
    invalid = ran.model_copy(update={**changed, "speed_up": None, "speed_up_interval": None})
    found, result = prove(Site(), {"fcc-zee": invalid})
    assert found is status
    assert result.analyses[0].efficiency is None
    assert "INVALID in part" in accept_page(result)


def test_times_of_workers_in_each_others_way_decide_nothing(
    prove: Prove, ran: RunResult, tmp_path: Path, terminal: Terminal
):
    site = Site(allow_overcommit=True, thresholds=Thresholds(efficiency_share_min=0.95))
    site.measured = replace(site.measured, together=each(lambda _: delivered(0.66)))
    disturbed = {"timing": "disturbed (half of a processor)", "speed_up": None, "speed_up_interval": None}
    invalid = ran.model_copy(update=disturbed)
    for workers, status in ((4, Exit.OK), (2, Exit.INVALID)):
        command = lambda workers=workers: scale("lab", tmp_path, "fcc-zee", (workers,), 3, terminal)  # noqa: E731
        found, result = prove(site, {"fcc-zee": invalid}, command)
        assert found is status
    unequal = invalid.model_copy(update={"physics": Physics.UNEQUAL})
    found, result = prove(site, {"fcc-zee": unequal}, lambda: scale("lab", tmp_path, "fcc-zee", (4,), 3, terminal))
    assert found is Exit.FAILED
    assert result.analyses[0].cause == "the distributed result is not the serial one"


def test_workers_without_a_core_each_are_told_and_not_fitted(prove: Prove, tmp_path: Path, terminal: Terminal):
    site = Site(allow_overcommit=True)
    site.measured = replace(site.measured, together=each(lambda _: delivered(0.66)))
    _, result = prove(site, command=lambda: scale("lab", tmp_path, "fcc-zee", (1, 2, 4), 3, terminal))
    assert [(each.workers, each.oversubscribed) for each in result.analyses] == [(1, False), (2, True), (4, True)]
    assert result.analyses[2].efficiency == pytest.approx(3.6 / 1.98)
    assert "Oversubscribed beyond 2 workers: what 2, 4 show is left out of fits." in verdict_words(result)


@pytest.mark.parametrize("text", ["0", "1,x", "2,-1"])
def test_numbers_of_workers_that_are_none_are_refused(text: str):
    with pytest.raises(BenchError, match="whole numbers from 1") as error:
        numbers(text)
    assert error.value.status is Exit.CANNOT_TELL


def test_numbers_of_workers_are_typed_with_commas():
    assert numbers("1,2,4") == (1, 2, 4)
    assert numbers(None) == ()


def measured(workers: int, speed_up: float) -> Analysis:
    """An analysis on which no verdict was passed yet."""
    return Analysis(
        workload="fcc-zee", title="Z", folder="fcc-zee", stand_in=False, workers=workers, serial=Estimate(2, 2, 2, 3),
        distributed=Estimate(1, 1, 1, 3), speed_up=ratio(speed_up), limited_by="the slowest task",
        physics=Physics.EQUAL, timing="valid",
    )  # fmt: skip


def test_efficiency_counts_cores_that_there_are():
    alone = judged(measured(4, 3), None, 0.5)
    assert (alone.usable_cores, alone.efficiency, alone.verdict) == (4, 0.75, "ok")
    shared = judged(measured(4, 1.5), 2.0, 0.5)
    assert (shared.usable_cores, shared.efficiency, shared.oversubscribed) == (2, 0.75, True)
    assert judged(measured(4, 0.1), None, 0).verdict == "ok"


def test_other_tools_read_what_was_found(prove: Prove, tmp_path: Path):
    _, result = prove(Site(thresholds=Thresholds(efficiency_share_min=0.95)))
    jsonschema.validate(
        json.loads((tmp_path / "accept.json").read_text()), json.loads(schema_path("accept").read_text())
    )
    suites = ElementTree.fromstring((tmp_path / "accept.xml").read_text())
    assert [suite.get("name") for suite in suites] == ["bench.validate.lab", "bench.accept.lab"]
    assert suites[1].get("failures") == "1"
    (row,) = csv.DictReader((tmp_path / "accept.csv").open())
    assert (row["workload"], row["workers"], row["verdict"]) == ("fcc-zee", "2", "failed")
    metrics = (tmp_path / "accept.prom").read_text()
    assert 'bench_accept_efficiency{site="lab",workload="fcc-zee",workers="2"} 0.9' in metrics
    assert metrics.endswith("# EOF\n")
    page = accept_page(result)
    assert page.count("<svg") == 2
    assert "lab-w1" in page


# --- two results --------------------------------------------------------------------------------------------------
Pair = Callable[[AcceptResult, AcceptResult], tuple[Path, Path]]


@pytest.fixture
def written(tmp_path: Path) -> Pair:
    """Writes two results to folders of their own."""

    def both(earlier: AcceptResult, later: AcceptResult) -> tuple[Path, Path]:
        for name, result in (("earlier", earlier), ("later", later)):
            (tmp_path / name).mkdir()
            (tmp_path / name / "accept.json").write_text(result.model_dump_json())
        return tmp_path / "earlier", tmp_path / "later"

    return both


def test_what_changed_in_the_facility_stands_beside_the_figures(
    prove: Prove, written: Pair, terminal: Terminal, said: io.StringIO
):
    _, earlier = prove(Site())
    slow = tuple(each.model_copy(update={"speed_up": ratio(1.2)}) for each in earlier.analyses)
    later = earlier.model_copy(update={"analyses": slow, "versions": {**earlier.versions, "kubernetes": "1.27.16"}})
    status = compare_acceptances(*written(earlier, later), 0.1, terminal)
    assert status is Exit.FAILED
    for words in ("version of kubernetes", "1.26.3", "1.27.16", "REGRESSION beyond 10%"):
        assert words in said.getvalue(), words
    assert "version of containerd" not in said.getvalue()


def test_the_same_twice_is_no_regression(prove: Prove, written: Pair, terminal: Terminal, said: io.StringIO):
    _, result = prove(Site())
    assert compare_acceptances(*written(result, result), 0.1, terminal) is Exit.OK
    assert "Nothing of the facility has changed" in said.getvalue()


def test_fewer_cores_are_a_regression(prove: Prove, written: Pair, terminal: Terminal):
    _, earlier = prove(Site())
    nodes = (earlier.validation.nodes[0].model_copy(update={"delivered_together_cores": 1.0}),)
    validation = earlier.validation.model_copy(update={"nodes": (*nodes, *earlier.validation.nodes[1:])})
    later = earlier.model_copy(update={"validation": validation})
    assert compare_acceptances(*written(earlier, later), 0.1, terminal) is Exit.FAILED


def test_results_of_two_facilities_are_not_compared(prove: Prove, written: Pair, terminal: Terminal):
    _, earlier = prove(Site())
    folders = written(earlier, earlier.model_copy(update={"facility": "other"}))
    with pytest.raises(BenchError, match="two facilities, lab and other"):
        compare_acceptances(*folders, 0.1, terminal)
