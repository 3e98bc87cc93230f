"""Dask workers on this machine: the command as it is typed, and the rules for sharing the work out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.engines.dask import Dask
from bench.engines.model import WorkerShare
from bench.engines.stream import find_disturbances, find_idleness
from bench.errors import BenchError
from bench.report.model import RunResult
from bench.workloads.tasks import n_tasks


def bench(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_workers_outlive_a_long_serial_pass(two_workers: Dask) -> None:
    """While this process runs a graph of its own, the scheduler in it reads no heartbeats."""
    assert two_workers.client.cluster.scheduler.worker_ttl is None


def test_run_on_two_local_workers(real_file: Path, tmp_path: Path, repo: Path) -> None:
    ran = bench(
        "run", "fcc-zee", "--input", str(real_file), "--engine", "dask-local", "--workers", "2", "--repeats", "1",
        "--replicas", "12", "--out", str(tmp_path), cwd=repo,
    )  # fmt: skip
    result = RunResult.model_validate_json((tmp_path / "run.json").read_text())
    assert result.physics == "equal", ran.stdout + ran.stderr
    assert result.measurement.entries == 60_000
    assert result.measurement.outcome.events("mass") == 12 * 2783
    distributed = result.measurement.distributed
    assert distributed is not None
    assert distributed.slots == 2
    assert distributed.n_partitions == 6
    assert sum(share.tasks for share in distributed.passes[0].workers) == 6
    assert distributed.passes[0].build_s > 0
    assert ran.returncode == (0 if result.timing == "valid" else 3)
    assert "Processing" not in ran.stderr
    assert "[####" not in ran.stdout + ran.stderr


@pytest.mark.long
def test_the_way_of_the_notebooks_gives_the_same_physics(stand_in: Path, tmp_path: Path, repo: Path) -> None:
    ran = bench(
        "run", "fcc-zee", "--input", str(stand_in), "--engine", "dask-local", "--workers", "2", "--mode", "infn",
        "--repeats", "1", "--replicas", "8", "--out", str(tmp_path), cwd=repo,
    )  # fmt: skip
    result = RunResult.model_validate_json((tmp_path / "run.json").read_text())
    assert result.physics == "equal", ran.stdout + ran.stderr
    assert "infn" in result.mode
    distributed = result.measurement.distributed
    assert distributed is not None
    assert distributed.n_partitions == 35
    loops = 5 + 2 + 4 + 2  # cut flow, tallies, histograms, smeared ones
    assert sum(share.tasks for share in distributed.passes[0].workers) == loops * 35


def test_every_line_of_a_stand_in_says_so(stand_in: Path, tmp_path: Path, repo: Path) -> None:
    """Where no file is found and the address does not answer."""
    script = (
        "from dataclasses import replace; from bench.datasets.catalogue import CATALOGUE; from bench.cli import main;"
        "CATALOGUE['fcc-zee'] = replace(CATALOGUE['fcc-zee'], file_name='no.root', url='http://127.0.0.1:1/x');"
        "main()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, "run", "fcc-zee", "--repeats", "1", "--replicas", "2", "--out", str(tmp_path)],
        cwd=repo,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "BENCH_DATA": ""},
        capture_output=True,
        text=True,
        timeout=240,
    )
    lines = [line for line in ran.stdout.splitlines() if line]
    assert len(lines) > 20, ran.stderr
    assert [line for line in lines if "stand-in" not in line] == []
    result = json.loads((tmp_path / "run.json").read_text())
    assert result["input"]["stand_in"] is True
    assert result["physics"] == "equal"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["run", "fcc-zeee"], 2, "there is no such workload"),
        (["run", "fcc-zee", "--input", "/nowhere.root"], 2, "there is no such file"),
        (["run", "fcc-zee", "--engine", "dask"], 2, "--scheduler tcp://host:port"),
        (["run", "fcc-zee", "--mode", "infn"], 2, "the mode is a way to use Dask"),
        (["run", "fcc-zee", "--engine", "dask-kubernetes", "--site", "nowhere"], 2, "facility.json"),
        (["validate", "--site", "nowhere"], 2, "inventory/nowhere/terraform.tfvars"),
        (["data", "fetch", "nothing"], 2, "there is no such input"),
    ],
)
def test_bad_input(arguments: list[str], status: int, words: str, repo: Path) -> None:
    ran = bench(*arguments, cwd=repo)
    assert ran.returncode == status, ran.stderr
    assert words in ran.stderr
    assert "why:" in ran.stderr
    assert "next:" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_an_input_without_the_columns_is_refused(tmp_path: Path, repo: Path) -> None:
    from bench.workloads.root import load

    path = tmp_path / "other.root"
    load().RDataFrame(5).Define("x", "1.0").Snapshot("events", str(path))
    ran = bench("run", "fcc-zee", "--input", str(path), cwd=repo)
    assert ran.returncode == 2
    assert "ReconstructedParticles.energy" in ran.stderr


@pytest.mark.parametrize(
    ("slots", "clusters", "expected"), [(2, 1200, 6), (2, 4, 4), (2, 1, 1), (100, 1200, 300), (1, 20, 3)]
)
def test_number_of_tasks(slots: int, clusters: int, expected: int) -> None:
    assert n_tasks(slots, clusters) == expected


def test_workers_without_work_are_noticed() -> None:
    shares = (WorkerShare("a", "", 2, 1.0, 1.0), WorkerShare("b", "", 0, 0.0, 0.0))
    assert "workers without a task: b" in find_idleness(shares, [5, 5], 2)
    assert any("have no entries" in each for each in find_idleness(shares, [10, 0], 2))
    assert find_idleness((WorkerShare("a", "", 2, 1.0, 1.0),), [5, 5], 2) == []


def test_changes_among_the_workers_are_noticed() -> None:
    assert find_disturbances({"a": {}, "b": {}}, {"a": {}, "c": {}}, []) == ["workers lost: b", "workers joined: c"]
    assert find_disturbances({"a": {}}, {"a": {}}, [{"status": "error"}, {"status": "OK"}]) == [
        "1 tasks failed and were repeated"
    ]


class Client:
    """A Dask client with as many workers as it is told."""

    def __init__(self, workers: int, threads: int = 1, versions: dict[str, str] | None = None) -> None:
        self.workers, self.threads, self.versions = workers, threads, versions

    def scheduler_info(self, n_workers: int) -> dict[str, Any]:
        assert n_workers == -1
        return {"workers": {f"tcp://w{i}": {"nthreads": self.threads, "name": f"w{i}"} for i in range(self.workers)}}

    def wait_for_workers(self, wanted: int, timeout: float) -> None:
        if self.workers < wanted:
            raise TimeoutError

    def run(self, function: Any, *_: Any) -> dict[str, Any]:
        return {f"tcp://w{i}": self.versions or function() for i in range(self.workers)}


@pytest.mark.parametrize(
    ("client", "status", "words"),
    [
        (Client(1), 3, "1 of 2 Dask workers came within"),
        (Client(3), 3, "3 Dask workers came instead of 2"),
        (Client(2, threads=2), 3, "has 2 threads"),
        (Client(2, versions={"root": "6.26.08"}), 3, "root 6.26.08, here 6."),
    ],
)
def test_other_workers_than_asked_for_are_refused(client: Client, status: int, words: str) -> None:
    closed: list[bool] = []

    def connect(stack: Any) -> Client:
        stack.callback(lambda: closed.append(True))
        return client

    with pytest.raises(BenchError, match=words) as caught, Dask("dask", connect, workers=2, timeout_s=1):
        pass
    assert caught.value.status == status
    assert closed == [True]
