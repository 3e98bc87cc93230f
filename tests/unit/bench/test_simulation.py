"""The parts of a simulation: a real scheduler with sleeping workers, the shape of graphs, times of tasks, staging."""

from __future__ import annotations

import importlib
import resource
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.datasets.inspect import Layout
from bench.engines.dask import partitions_of
from bench.engines.model import Job
from bench.errors import BenchError, Exit
from bench.simulation import cluster as clusters
from bench.simulation import passes
from bench.simulation.cluster import Helper, Simulator, check_open_files, simulator
from bench.simulation.feed import Feed, tasks_by_rule
from bench.simulation.passes import Plan, simulated_pass
from bench.simulation.prediction import costs, holds, predict
from bench.simulation.sleepers import LEAST_S
from bench.simulation.staging import StagingPlan, staging_plan
from bench.workloads import WORKLOADS
from bench.workloads.tasks import chunks


@pytest.fixture(scope="module")
def simulated() -> Iterator[Simulator]:
    with simulator() as both:
        yield both


def naps(number: int, seconds: float, reduce_s: float | None = None) -> Plan:
    return Plan(((seconds,) * number,), reduce_s)


def test_tasks_take_turns_on_the_workers(simulated: Simulator):
    with simulated.cluster(4) as four:
        found = simulated_pass(four, naps(40, 0.01))
        assert four.seen().workers == 4
    assert found.tasks == 40
    # Ten of 10 ms each, one after the other; Dask's own cost comes on top.
    assert found.busiest_s >= 0.1 - 1e-6
    assert 0.1 - 1e-6 <= found.loop_s < 2
    assert found.overall_s >= found.loop_s


def test_the_scheduler_is_the_real_one(simulated: Simulator):
    with simulated.cluster(2) as two:
        before = two.seen()
        listed = simulated_pass(two, naps(6, 0.001))
        merged = simulated_pass(two, naps(6, 0.001, 0.001))
        after = two.seen()
    # Each task is at least released, waiting or queued, processing, in memory.
    assert listed.transitions >= 3 * 6
    assert merged.transitions >= 3 * 11
    assert after.transitions >= before.transitions + listed.transitions + merged.transitions
    assert merged.scheduler_cpu_s > 0


def test_a_longer_task_makes_a_longer_pass(simulated: Simulator):
    with simulated.cluster(2) as two:
        short, long = (simulated_pass(two, naps(4, seconds)) for seconds in (0.05, 0.5))
    assert short.loop_s < 0.6
    assert long.loop_s >= 1


def test_trees_run_at_the_same_time(simulated: Simulator):
    with simulated.cluster(3) as three:
        found = simulated_pass(three, Plan(((0.3,),) * 3, 0.0))
    assert found.tasks == 3
    assert found.loop_s < 0.9


def test_merging_takes_its_time(simulated: Simulator):
    with simulated.cluster(2) as two:
        found = simulated_pass(two, naps(4, 0.01, 0.2))
    assert found.merge_s >= 0.2


def test_no_task_takes_no_time(simulated: Simulator):
    with simulated.cluster(2) as two:
        found = simulated_pass(two, naps(6, 0.0, 0.0))
    assert found.busiest_s >= 3 * LEAST_S - 1e-6


def test_tasks_that_did_not_run_are_no_pass(simulated: Simulator, monkeypatch: pytest.MonkeyPatch):
    # Of four tasks only three are handed over.
    real = passes.submitted
    monkeypatch.setattr(passes, "submitted", lambda client, plan, run: real(client, naps(3, 0.01), run))
    with simulated.cluster(2) as two, pytest.raises(BenchError, match="3 tasks of the map ran"):
        simulated_pass(two, naps(4, 0.01))


def test_what_ends_a_simulation_is_told_and_the_next_one_runs(simulated: Simulator):
    with pytest.raises(SystemExit, match="143"), simulated.cluster(2):
        raise SystemExit(143)
    with simulated.cluster(1) as one:
        assert one.seen().workers == 1


def test_results_are_merged_as_root_merges_them(monkeypatch: pytest.MonkeyPatch):
    dask: Any = importlib.import_module("dask")
    backend: Any = importlib.import_module("ROOT._distrdf.Backends.Dask.Backend")
    monkeypatch.setattr(backend, "get_worker", lambda: SimpleNamespace(local_directory=""))
    monkeypatch.setattr(backend, "progress", lambda *_: None)
    monkeypatch.setattr(passes, "sleep_map", lambda seconds: seconds)
    monkeypatch.setattr(passes, "sleep_reduce", lambda left, right, _seconds: (left, right))
    root = backend.DaskBackend(SimpleNamespace())
    with dask.config.set(scheduler="synchronous"):
        for number in (1, 2, 5, 12):
            ours = passes.reduced([float(i) for i in range(number)], 0.0, "x").compute()
            theirs = root.ProcessAndMerge(list(map(float, range(number))), lambda each: each, lambda a, b: (a, b))
            assert ours == theirs


def test_levels_are_those_of_the_tree():
    assert [naps(n, 1.0, 0.0).levels for n in (1, 2, 3, 4, 5, 3000)] == [0, 1, 2, 2, 3, 12]
    assert (naps(5, 1.0).all_tasks, naps(5, 1.0, 0.5).all_tasks) == (5, 9)
    assert naps(5, 1.0, 0.5).sleep_s == 7


def fed(**changed: Any) -> Feed:
    """A run of three tasks on one worker: 3 s of work, 0.1 s of each task's own."""
    values: dict[str, Any] = {
        "slots": 1, "n_tasks": 3, "rule": "graph", "merges": True, "trees": 1, "clusters": (20,), "replicas": 10,
        "serial_s": 3.0, "overall_s": 3.6, "submit_s": 0.1, "loop_s": 3.4, "merge_s": 0.1, "task_s": 1.1,
        "shares": (0.9, 1.0, 1.1),
    }  # fmt: skip
    return Feed(**{**values, **changed})


def test_work_is_shared_and_what_a_task_costs_is_not():
    found = fed()
    assert found.own_s == pytest.approx(0.1)
    assert found.work_s == pytest.approx(3)
    assert found.tasks(8) == (24,)
    assert found.plan(8).sleep_s == pytest.approx(3 + 24 * 0.1)
    assert found.plan(8, gap_s=0.01).sleep_s == pytest.approx(3 + 24 * 0.11)
    assert found.plan(8, times=10).sleep_s == pytest.approx(30 + 24 * 0.1)
    # No more tasks than clusters, of which a longer input has more.
    assert (found.tasks(1000), found.tasks(1000, 100)) == ((200,), (3000,))
    assert found.plan(8) == found.plan(8)
    seconds = found.plan(8).trees[0]
    assert max(seconds) / min(seconds) == pytest.approx(1.1 / 0.9)


def test_tasks_quicker_than_the_serial_pass_cost_nothing_of_their_own():
    found = fed(task_s=0.8)
    assert found.own_s == 0
    assert found.work_s == pytest.approx(2.4)


@pytest.mark.parametrize("slots", [1, 2, 7, 100])
def test_tasks_are_as_many_as_the_engine_makes(slots: int):
    layouts = (Layout(110, tuple(range(0, 110, 10)), ()), Layout(20, (0, 10), ()))
    job = Job(WORKLOADS["fcc-zee"], (Path("a"), Path("b")), layouts, 5)
    assert tasks_by_rule("graph", slots, (11, 2), 5, 1) == tuple(partitions_of(job, slots).values())
    assert tasks_by_rule("chunks", slots, (11, 2), 5, 1) == (len(chunks(job, slots)),)
    many = Job(WORKLOADS["atlas-stop4body"], (Path("a"),), layouts[:1], 5, others={"x": layouts[:1], "y": layouts[:1]})
    assert tasks_by_rule("graph", slots, (11,), 5, 3) == tuple(partitions_of(many, slots).values())


def test_what_dask_does_not_explain_is_added(simulated: Simulator):
    """0.1 s of a task's own, and half a second before the first: both are in the prediction for two workers."""
    measured = fed(serial_s=0.3, task_s=0.2, overall_s=1.3, submit_s=0.5, loop_s=0.7, merge_s=0.05)
    found = costs(simulated, measured, 1)
    assert 0.3 < found.fixed_s < 0.5
    two = predict(simulated, measured, found, 2, 1, 1)
    assert two.tasks == 6
    assert two.submit_s >= found.fixed_s
    # Six tasks of 0.15 s on two workers.
    assert two.loop_s >= 0.44
    assert two.at_least_s <= two.overall_s


def test_errors_are_judged_both_ways():
    assert holds([], 0.2) is None
    assert holds([0.1, -0.2], 0.2) is True
    assert holds([0.1, -0.3], 0.2) is False


def test_upload_is_one_stream_and_pull_is_the_servers():
    upload = StagingPlan(1e9, "upload", 100e6, None, 4)
    assert [upload.seconds(workers) for workers in (1, 4, 5, 8)] == [10, 10, 20, 20]
    pull = StagingPlan(1e9, "pull", 100e6, 500e6)
    assert [pull.seconds(workers) for workers in (1, 5, 10)] == [10, 10, 20]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ((None, "upload", 100.0, None, 1), "without a number of bytes"),
        ((1e9, "upload", None, None, 1), "a run records none"),
        ((1e9, "pull", 100.0, None, 1), "share the server"),
    ],
)
def test_half_a_staging_is_told(options: Any, why: str):
    with pytest.raises(BenchError, match=why) as told:
        staging_plan(*options)
    assert told.value.status is Exit.CANNOT_TELL
    assert staging_plan(None, "upload", None, None, 1) is None


def test_too_few_files_are_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(clusters.resource, "getrlimit", lambda _: (100, 1024))
    with pytest.raises(BenchError, match="may have 1024 files open, and this takes 1200"):
        check_open_files(1000)
    check_open_files(824)
    monkeypatch.setattr(clusters.resource, "getrlimit", lambda _: (100, resource.RLIM_INFINITY))
    check_open_files(100000)


def test_a_process_that_dies_is_told():
    helper = Helper("the scheduler", Connection.close)
    try:
        with pytest.raises(BenchError, match="its process ended with status 0"):
            helper.ask("open", 30)
    finally:
        helper.close()
    assert not helper.process.is_alive()
