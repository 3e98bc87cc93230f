"""Reading alone: every byte of the branches that are asked for, whatever the tasks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from bench.engines.dask import Dask
from bench.engines.local import Serial
from bench.engines.model import Job
from bench.errors import BenchError, Exit
from bench.measure.equality import Physics, compare
from bench.workloads.read_branches import BYTES, ReadBranches
from bench.workloads.root import load
from bench.workloads.tasks import Chunk

READS = ReadBranches("read", "read", "events")
ENTRIES = 1000


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four columns of eight bytes, one of four."""
    path = tmp_path_factory.mktemp("flat") / "flat.root"
    frame = load().RDataFrame(ENTRIES)
    for name in "abcd":
        frame = frame.Define(name, "1.0 * rdfentry_")
    frame.Define("e", "int(rdfentry_)").Snapshot("events", str(path))
    return path


def read(path: Path, share: float = 1.0, replicas: int = 1) -> int:
    return (
        Serial().run(replace(Job.over(replace(READS, share=share), (path,)), replicas=replicas)).outcome.tallies[BYTES]
    )


def test_all_bytes_are_read(flat: Path):
    assert read(flat) == ENTRIES * (4 * 8 + 4)
    assert read(flat, replicas=3) == 3 * read(flat)


def test_a_smaller_share_is_part_of_a_larger_one(flat: Path):
    parts = [set(replace(READS, share=share).branches(str(flat))) for share in (0.01, 0.4, 0.8, 1.0)]
    assert [len(each) for each in parts] == [1, 2, 4, 5]
    assert all(small < large for small, large in pairwise(parts))
    assert read(flat, 0.4) < read(flat, 0.8)


def test_half_of_the_entries_are_half_of_the_bytes(flat: Path, tmp_path: Path):
    task = (Chunk(str(flat), "events", 0, ENTRIES // 2, 0), ("a", "e"))
    assert READS.process(task, tmp_path).tallies == {BYTES: ENTRIES // 2 * 12}


def test_a_branch_that_is_not_there_is_told(flat: Path, tmp_path: Path):
    with pytest.raises(BenchError, match=r"no branch nothing.*events") as told:
        READS.process((Chunk(str(flat), "events", 0, 1, 0), ("nothing",)), tmp_path)
    assert told.value.status is Exit.CANNOT_TELL


def test_workers_read_the_same(two_workers: Dask, real_file: Path):
    job = replace(Job.over(READS, (real_file,)), replicas=4)
    distributed = two_workers.run(job)
    assert compare(Serial().run(job).outcome, distributed.outcome, "serial").verdict is Physics.EQUAL
    assert sum(each.tasks for each in distributed.workers) == 4
