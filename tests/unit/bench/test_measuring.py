"""Medians and their intervals, balance of workers, what limited a run, and what a run was made on."""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path

import pytest
from rich.table import Table

from bench.engines.model import Pass, Samples, WorkerShare
from bench.engines.stream import covered_s, task_spans
from bench.measure.balance import balance
from bench.measure.environment import cpu_model, environment
from bench.measure.statistics import gini, median_of, ratio_of_medians
from bench.measure.verdict import before_the_passes, in_words, limits
from bench.passes import how_far
from bench.report.model import Measurement, Passes, TimedPass
from bench.terminal import Terminal
from bench.workloads import Outcome


def test_time_left_is_that_of_the_passes_to_come():
    def passes(*times: float) -> list[Pass]:
        return [Pass(Outcome(0, (), {}, ()), overall_s, loop_s=overall_s) for overall_s in times]

    told = how_far(passes(2.0, 2.0), passes(1.0, 1.0), 4000, repeats=5)
    assert told == "2 of 5, serial 2,000 /s, distributed 4,000 /s, 9 s left"
    assert how_far(passes(2.0), [], 0, repeats=3) == "1 of 3, serial 2.0 s, 4 s left"


def test_interval_of_a_median_lies_around_it_and_is_the_same_again():
    times = [2.0, 2.1, 1.9, 2.4, 2.0]
    found = median_of(times)
    assert found.value == 2.0
    assert 1.9 <= found.low <= 2.0 <= found.high <= 2.4
    assert median_of(times) == found


def test_of_two_times_there_is_no_interval():
    found = median_of([1.0, 3.0])
    assert (found.value, found.low, found.high, found.n) == (2.0, 2.0, 2.0, 2)


def test_no_times_have_no_median():
    with pytest.raises(ValueError, match="no times"):
        median_of([])


def test_ratio_of_clearly_different_times_excludes_one():
    found = ratio_of_medians([2.0, 2.1, 1.9, 2.05, 1.95], [1.0, 1.1, 0.9, 1.05, 0.95])
    assert found.value == pytest.approx(2.0)
    assert found.low > 1.5


def test_ratio_of_equal_times_includes_one():
    found = ratio_of_medians([1.0, 1.2, 0.9, 1.1, 1.0], [1.1, 0.9, 1.0, 1.2, 1.0])
    assert found.low < 1 < found.high


@pytest.mark.parametrize(
    ("shares", "expected"), [([1, 1, 1, 1], 0.0), ([0, 0, 0, 4], 0.75), ([0, 0], 0.0), ([1, 3], 0.25)]
)
def test_gini(shares: list[float], expected: float):
    assert gini(shares) == pytest.approx(expected)


def share(name: str, compute_s: float, cpu_s: float | None = None) -> WorkerShare:
    return WorkerShare(name, platform.node(), 1, compute_s, compute_s if cpu_s is None else cpu_s)


def test_balance():
    found = balance([share("a", 3.0), share("b", 1.0)], loop_s=4.0, overall_s=5.0)
    assert found.efficiency == 0.4
    assert found.occupancy == {"a": 0.75, "b": 0.25}
    assert found.max_over_mean == 1.5


def test_overlapping_computations_count_once():
    assert covered_s([(0.0, 1.0), (0.5, 2.0), (3.0, 4.0)]) == pytest.approx(3.0)
    assert covered_s([]) == 0.0


def test_spans_are_told_after_the_trigger():
    task = {"worker": "b", "key": "mapper-1", "startstops": [
        {"action": "transfer", "start": 99.0, "stop": 100.0}, {"action": "compute", "start": 101.0, "stop": 102.5},
    ]}  # fmt: skip
    lost = {"worker": "gone", "key": "mapper-2", "startstops": [{"action": "compute", "start": 101.0, "stop": 102.0}]}
    (span,) = task_spans([task, lost], ["a", "b"], wall=100.0)
    assert (span.worker, span.start_s, span.stop_s) == (1, 1.0, 2.5)


def measured(one: TimedPass, slots: int = 2, clusters: int = 100) -> Measurement:
    return Measurement(
        replicas=1,
        entries=10,
        clusters=clusters,
        serial=Passes(engine="serial", slots=1, n_partitions=1, passes=(one,)),
        distributed=Passes(engine="dask-local", slots=slots, n_partitions=4, passes=(one,)),
        outcome=Outcome(10, (), {}, ()),
        comparisons=(),
        disturbances=(),
        versions={},
        environment=environment(),
        phases_s={},
    )


def timed(submit_s: float, loop_s: float, merge_s: float, *workers: WorkerShare) -> TimedPass:
    return TimedPass(
        overall_s=submit_s + loop_s + merge_s, submit_s=submit_s, loop_s=loop_s, merge_s=merge_s,
        cpu_s=sum(each.cpu_s for each in workers), workers=workers,
    )  # fmt: skip


def with_cores(measurement: Measurement, cores: int) -> Measurement:
    machine = replace(measurement.environment, cores=cores)
    return measurement.model_copy(update={"environment": machine})


@pytest.mark.parametrize(
    ("one", "slots", "clusters", "first"),
    [
        (timed(1.0, 2.0, 0.1, share("a", 2.0), share("b", 2.0)), 2, 100, "scheduler"),
        (timed(0.1, 2.0, 1.0, share("a", 2.0), share("b", 2.0)), 2, 100, "merge"),
        (timed(0.0, 2.0, 0.0, share("a", 2.0), share("b", 0.5)), 2, 100, "imbalance"),
        (timed(0.0, 2.0, 0.0, share("a", 1.0), share("b", 1.0)), 2, 100, "idle"),
        (timed(0.0, 2.0, 0.0, share("a", 2.0, 1.0), share("b", 2.0, 1.0)), 2, 100, "waiting"),
        (timed(0.0, 2.0, 0.0, *(share(str(i), 2.0) for i in range(4))), 4, 100, "cores"),
        (timed(0.0, 2.0, 0.0, share("a", 2.0), share("b", 2.0)), 2, 1, "clusters"),
    ],
)
def test_what_limited_a_run_is_named(one: TimedPass, slots: int, clusters: int, first: str):
    assert limits(with_cores(measured(one, slots, clusters), 2))[0].name == first


def test_busy_processors_limit_a_run_that_nothing_else_limits():
    one = timed(0.01, 2.0, 0.01, share("a", 2.0), share("b", 2.0))
    assert limits(with_cores(measured(one), 2)) == ()
    assert in_words(()).startswith("CPU")


def test_a_run_without_input_lacks_no_clusters():
    one = timed(0.01, 2.0, 0.01, share("a", 2.0), share("b", 2.0))
    assert limits(with_cores(measured(one, clusters=0), 2)) == ()


def test_names_of_variations_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]):
    for mark in ("", "stand-in"):
        table = Table()
        table.add_row("SR/btag:up: bin 1")
        Terminal(mark=mark).show(table)
        assert "SR/btag:up: bin 1" in capsys.readouterr().out


def test_workers_of_other_machines_have_cores_that_are_not_counted_here():
    one = timed(0.0, 2.0, 0.0, *(replace(share(str(i), 2.0), host="another") for i in range(4)))
    assert limits(with_cores(measured(one, slots=4), 2)) == ()


def test_waiting_for_disks_is_io():
    one = timed(0.01, 2.0, 0.01, share("a", 2.0), share("b", 2.0))
    found = with_cores(measured(one), 2)
    many = found.distributed
    assert many
    seen = Samples("a", (1.0, 2.0), (1.0, 1.0), (1, 1), (2_000_000, 4_000_000), (0, 0), (True, False))
    found = found.model_copy(update={"distributed": many.model_copy(update={"samples": (seen, seen)})})
    (io,) = limits(found)
    assert (io.name, io.share) == ("I/O", 0.5)
    assert "6 MB/s" in io.words


def test_what_a_first_pass_waits_for_is_told_apart():
    found = measured(timed(0.0, 2.0, 0.0, share("a", 2.0), share("b", 2.0)))
    found = found.model_copy(update={"phases_s": {"warm-up": 6.0, "serial": 99.0}})
    before = before_the_passes(found, {"stage": 0.1, "yields": 50.0})
    # Staging took less than a tenth of a pass.
    assert [(each.name, each.share) for each in before] == [("JIT", 0.75)]
    assert "Before a first pass: JIT (6.0 s" in in_words((), before)


def test_environment_names_processor_and_software(tmp_path: Path):
    found = environment()
    assert found.cores >= 1
    assert found.memory_bytes > 2**30
    assert {"python", "root", "dask"} <= found.versions.keys()
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: A Processor\n")
    assert cpu_model(tmp_path / "cpuinfo") == "A Processor"
    assert cpu_model(tmp_path / "none")
