"""Workloads that are lists of tasks: the same results on every engine, and nothing half-made."""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from pathlib import Path

import dask
import numpy as np
import pytest
from toy_tasks import SPEC, WEIGHTED, Scan, Toy

from bench.datasets.inspect import layout
from bench.engines.dask import Dask, local_cluster
from bench.engines.infn import InfnDask
from bench.engines.local import Serial, Threads
from bench.engines.model import Job, local_pass
from bench.engines.tasks import MANIFEST, Manifest
from bench.errors import BenchError
from bench.measure.equality import Physics, compare
from bench.run import run_here
from bench.terminal import Terminal
from bench.workloads.root import load
from bench.workloads.tasks import chunks, filled

ENTRIES, CLUSTER = 1000, 100


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1000 entries in 10 clusters, some of them out of the histograms' range."""
    path = tmp_path_factory.mktemp("toy") / "numbers.root"
    root = load()
    options = root.RDF.RSnapshotOptions()
    options.fAutoFlush = CLUSTER
    frame = root.RDataFrame(ENTRIES).Define("x", "110.0 * (rdfentry_ * 7919 % 1000) / 1000 - 5")
    frame.Snapshot("events", str(path), ["x"], options)
    return path


def job_of(workload: Toy, *paths: Path, replicas: int = 1) -> Job:
    return Job(workload, paths, tuple(layout(path, "events") for path in paths), replicas)


def manifest_of(folder: Path) -> Manifest:
    return Manifest.model_validate_json((folder / MANIFEST).read_text())


def test_chunks_cover_every_entry_once_and_end_with_clusters(numbers: Path) -> None:
    job = job_of(Toy(), numbers, numbers, replicas=2)
    for slots in (1, 2, 3, 100):
        cut = chunks(job, slots)
        assert [each.number for each in cut] == list(range(len(cut)))
        assert sum(each.entries for each in cut) == job.entries == 4000
        assert all(each.first % CLUSTER == 0 and each.entries > 0 for each in cut)
        assert {each.copy for each in cut} == {0, 1}
    assert len(chunks(job, 100)) == job.clusters == 40


def test_histograms_are_filled_as_root_fills_them(numbers: Path) -> None:
    frame = load().RDataFrame("events", str(numbers)).Define("w", "sin(x) * sin(x)")
    x = frame.AsNumpy(["x"])["x"]
    for spec, columns, weights in ((SPEC, ("x",), None), (WEIGHTED, ("x", "w"), np.sin(x) ** 2)):
        th1 = frame.Histo1D((spec.name, spec.title, spec.n_bins, spec.low, spec.high), *columns).GetValue()
        ours = filled(spec, x, weights).histogram()
        cells = range(spec.n_bins + 2)
        assert ours.contents == pytest.approx([th1.GetBinContent(i) for i in cells], rel=1e-12)
        assert ours.sumw2 == pytest.approx([th1.GetBinError(i) ** 2 for i in cells], rel=1e-12)
        assert ours.contents[0] > 0
        assert ours.contents[-1] > 0
        assert (ours.entries, ours.mean) == (th1.GetEntries(), pytest.approx(th1.GetMean(), rel=1e-12))
        assert ours.std_dev == pytest.approx(th1.GetStdDev(), rel=1e-9)
    assert filled(SPEC, np.array([np.nan])).histogram().contents[-1] == 1


def test_equal_on_every_engine(numbers: Path, tmp_path: Path, two_workers: Dask) -> None:
    toy = Toy(client=os.getpid())
    job = replace(job_of(toy, numbers, numbers, replicas=3), output=tmp_path)
    reference = Serial().run(job).outcome
    assert reference.entries == 6000
    with Threads(2) as threads:
        assert compare(reference, threads.run(job).outcome, "serial").verdict is Physics.EQUAL
        assert not load().ROOT.IsImplicitMTEnabled()
    two_workers.warm_up(job)
    measured = two_workers.run(job)
    assert compare(reference, measured.outcome, "serial").verdict is Physics.EQUAL
    assert measured.disturbances == ()
    assert min(measured.build_s, measured.save_s) > 0
    assert two_workers.run(replace(job, output=None)).save_s == 0
    assert sum(share.tasks for share in measured.workers) == measured.n_partitions == 6
    written = manifest_of(tmp_path / "dask-local")
    assert sum(part.entries for part in written.parts) == 6000
    assert sorted(part.file_name for part in written.parts) == sorted(
        path.name for path in (tmp_path / "dask-local").glob("part-*")
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dask-local", "serial", "threads"]


def test_one_dropped_event_is_invalid(numbers: Path, two_workers: Dask, terminal: Terminal, said: io.StringIO) -> None:
    """A whole run, as the command does it."""
    for drops, physics in ((None, Physics.EQUAL), (517, Physics.UNEQUAL)):
        toy = Toy(client=os.getpid(), drops=drops)
        result = run_here(toy, [numbers], two_workers, 1, 2, terminal, entries_per_cluster=None)
        assert result.physics is physics
        assert json.loads(result.model_dump_json())["measurement"]["entries"] == 2000


def test_a_worker_that_dies_disturbs_the_time_and_not_the_physics(numbers: Path, tmp_path: Path) -> None:
    toy = Toy(client=os.getpid(), dies_at=3, mark=tmp_path / "died")
    job = replace(job_of(toy, numbers), output=tmp_path / "out")
    reference = local_pass(job).outcome
    hopeless = replace(job, workload=replace(toy, mark=None))
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        Dask("dask-local", local_cluster(2), 2) as engine,
    ):
        measured = engine.run(job)
        with pytest.raises(BenchError, match="a task was given up") as caught:
            engine.run(hopeless)
    assert caught.value.status == 3
    # What the pass before has written is still there, and nothing of this one.
    assert sum(part.entries for part in manifest_of(tmp_path / "out" / "dask-local").parts) == ENTRIES
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["dask-local", "serial"]
    assert (tmp_path / "died").exists()
    assert compare(reference, measured.outcome, "serial").verdict is Physics.EQUAL
    assert any("workers lost" in each for each in measured.disturbances)


def test_an_error_of_a_task_comes_back_and_leaves_no_output(numbers: Path, tmp_path: Path, two_workers: Dask) -> None:
    job = replace(job_of(Toy(refuses=2), numbers), output=tmp_path)
    for run in (two_workers.run, Serial().run):
        with pytest.raises(BenchError, match="chunk 2: it is not liked") as caught:
            run(job)
        assert caught.value.next_step == "Give another one."
        assert list(tmp_path.iterdir()) == []


def test_a_scan_has_no_input(two_workers: Dask, terminal: Terminal) -> None:
    job = Job(Scan(), (), ())
    reference = Serial().run(job).outcome
    assert (reference.entries, reference.tallies) == (5, {"best": 16})
    measured = two_workers.run(job)
    assert compare(reference, measured.outcome, "serial").verdict is Physics.EQUAL
    assert measured.disturbances == ()
    result = run_here(Scan(), [], Serial(), 1, None, terminal)
    assert result.physics is Physics.EQUAL
    assert result.measurement.entries == 5


def test_a_mode_for_graphs_refuses_tasks(numbers: Path) -> None:
    with pytest.raises(BenchError, match="a list of tasks"):
        InfnDask("dask-local", local_cluster(1), 1).book(job_of(Toy(), numbers), {"events": 1})
