"""The engine htcondor, against a double of HTCondor's commands: a real pool is not to be had where tests run."""

from __future__ import annotations

import os
from pathlib import Path

import condor_double
import pytest
from bench_inputs import job_of

from bench.datasets.repack import Repacked
from bench.engines.dask import Dask
from bench.engines.htcondor import htcondor_cluster
from bench.engines.model import local_pass
from bench.errors import BenchError


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the double of a pool keeps its jobs in."""
    monkeypatch.setenv("PATH", f"{condor_double.put_in(tmp_path)}:{os.environ['PATH']}")
    return tmp_path


@pytest.mark.timeout(300)
def test_jobs_of_the_double_are_workers(pool: Path, repacked: Repacked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X509_USER_PROXY", "/tmp/x509up_u1000")
    job = job_of(repacked.path)
    with Dask("htcondor", htcondor_cluster(2), 2) as engine:
        assert engine.slots == 2
        distributed = engine.run(job).outcome
    assert distributed.cutflow == local_pass(job).outcome.cutflow

    submitted = [condor_double.parse(path.read_text()) for path in sorted(pool.glob("*.sub"))]
    assert len(submitted) == 2
    for commands in submitted:
        assert commands["MY.DaskWorkerCores"] == "1"
        assert commands["RequestCpus"] == "MY.DaskWorkerCores"
        assert commands["MY.DaskWorkerMemory"] == str(1500 << 20)
        assert commands["x509userproxy"] == "/tmp/x509up_u1000"
        shell, script = condor_double.arguments(commands["Arguments"])
        assert shell == "-c"
        assert "export OMP_NUM_THREADS=1; " in script
        assert "--nthreads 1 " in script
    # Nothing is left in the queue.
    assert len(list(pool.glob("*.removed"))) == 2
    assert not list(pool.glob("*.pid"))


def test_a_refused_job_is_told(pool: Path) -> None:
    (pool / "bin" / "condor_submit").write_text("#!/bin/sh\necho 'ERROR: no schedd answers' >&2\nexit 1\n")
    with pytest.raises(BenchError, match="no schedd answers") as caught, Dask("htcondor", htcondor_cluster(1), 1, 5):
        pass
    assert "\n" not in str(caught.value)


def test_without_htcondor_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BenchError, match="no condor_submit") as caught, Dask("htcondor", htcondor_cluster(1), 1):
        pass
    assert caught.value.status == 2
