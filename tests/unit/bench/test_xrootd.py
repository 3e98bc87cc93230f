"""Inputs on a real XRootD server: read in place, copied, refused; and a server that goes away.

The server is Debian's. Where it is not installed, root on a machine with apt-get has it installed; others skip.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from bench_inputs import WORKLOAD, ZEE
from xrootd_server import Server, install, running, why_absent

from bench.datasets import remote
from bench.datasets.access import Staging
from bench.datasets.describe import describe
from bench.datasets.inspect import layout
from bench.datasets.locate import data_cache, own_input
from bench.datasets.remote import RemoteFile, RemoteStat, adler32, on_this_machine
from bench.datasets.repack import Repacked
from bench.engines.dask import Dask
from bench.engines.model import Job, local_pass
from bench.errors import BenchError
from bench.terminal import Terminal

pytestmark = [pytest.mark.skipif(bool(why_absent()), reason=why_absent()), pytest.mark.timeout(300)]


COPY = """
import sys
from pathlib import Path
from bench.datasets.remote import pull
from bench.terminal import Terminal
pull(sys.argv[1], Path(sys.argv[2]), Terminal())
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    install()
    with running() as standing:
        yield standing


def job_at(url: str, replicas: int = 1) -> Job:
    remote_file = RemoteFile(url)
    return Job(WORKLOAD, (remote_file,), (layout(remote_file, WORKLOAD.tree),), replicas)


def test_a_file_on_a_server_is_described_as_it_is_here(server: Server, repacked: Repacked) -> None:
    url = server.add(repacked.path)
    there, here = (describe(each, "", "", slots=2) for each in (RemoteFile(url), repacked.path))
    assert (there.trees, there.bytes, there.compression) == (here.trees, here.bytes, here.compression)
    assert url in there.remarks[0]


def test_a_copy_is_made_once_and_checked(
    server: Server, repacked: Repacked, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.add(repacked.path, "pulled.root")
    source = own_input(url, Staging.PULL, terminal)
    assert isinstance(source.path, Path)
    assert source.path.read_bytes() == repacked.path.read_bytes()
    assert source.sha256 == repacked.sha256
    assert source.origin == f"copied from {url}"
    first = source.path.stat().st_ino
    again = on_this_machine(own_input(url, Staging.PULL, terminal).path, "the test")
    assert again.stat().st_ino == first

    # The server says another checksum than that of what comes.
    said = remote.look(url)
    assert said == RemoteStat(repacked.path.stat().st_size, said.modified_s, adler32(repacked.path))
    monkeypatch.setattr(remote, "look", lambda _url: replace(said, adler32="0badc0de"))
    before = set(data_cache().rglob("*.root"))
    with pytest.raises(BenchError, match="the server says 0badc0de") as caught:
        own_input(url, Staging.PULL, terminal)
    assert caught.value.status == 2
    assert set(data_cache().rglob("*")) >= before == set(data_cache().rglob("*.root"))


def test_reading_in_place_gives_the_same(
    server: Server, repacked: Repacked, two_workers: Dask, terminal: Terminal
) -> None:
    url = server.add(repacked.path, "in-place.root")
    source = own_input(url, Staging.REMOTE, terminal)
    assert (str(source.path), source.checksum) == (url, f"adler32:{adler32(repacked.path)}")
    expected = local_pass(Job(WORKLOAD, (repacked.path,), (layout(repacked.path, ZEE.tree),))).outcome
    assert expected.events("mass") == 2783
    job = job_at(url)
    assert local_pass(job).outcome == expected
    distributed = two_workers.run(job).outcome
    assert (distributed.cutflow, distributed.tallies) == (expected.cutflow, expected.tallies)
    assert [each.contents for each in distributed.histograms] == [each.contents for each in expected.histograms]


def test_a_server_that_goes_away_from_the_workers(repacked: Repacked, two_workers: Dask) -> None:
    """The error comes, in one line; how soon is a matter of the limits in `workloads/root.py`."""
    install()
    with running() as leaving:
        job = job_at(leaving.add(repacked.path))
        two_workers.warm_up(job)
        # By another process: ROOT may keep Python's lock here.
        assert leaving.process is not None
        killer = subprocess.Popen(["sh", "-c", f"sleep 0.5; kill -9 {leaving.process.pid}"])
        with pytest.raises(BenchError) as caught:
            two_workers.run(replace(job, replicas=1000))
        killer.wait()
    assert caught.value.status == 2, caught.value
    assert "\n" not in caught.value.why
    assert "TNetXNGFile" in caught.value.why


def test_the_command_ends_when_its_server_does(repacked: Repacked, tmp_path: Path, repo: Path) -> None:
    install()
    with running() as leaving:
        arguments = ["--input", leaving.add(repacked.path), "--staging", "remote", "--replicas", "300"]
        command = [sys.executable, "-u", "-m", "bench", "run", "fcc-zee", *arguments, "--out", str(tmp_path / "out")]
        with subprocess.Popen(
            command, cwd=repo, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as run:  # fmt: skip
            assert run.stdout is not None
            assert any(line.startswith("serial, first pass") for line in run.stdout)
            leaving.stop()
            _, said = run.communicate(timeout=200)
    assert run.returncode == 2, said
    assert "the input cannot be read" in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_what_a_server_refuses_is_an_error(server: Server, terminal: Terminal) -> None:
    for url, words in (
        (f"{server.url}/nothing.root", "no such file"),
        (f"{server.url}/", "it is a folder"),
        ("root://localhost:1//x.root", "Connection"),
    ):
        for staging in Staging:
            with pytest.raises(BenchError, match=words) as caught:
                own_input(url, staging, terminal)
            assert caught.value.status == 2
            assert "\n" not in str(caught.value)


def test_behind_gsi_a_proxy_certificate_is_needed(real_file: Path, tmp_path: Path, repo: Path) -> None:
    install()
    with running(gsi=True) as closed:
        assert closed.authority is not None
        url = closed.add(real_file)
        valid = closed.authority.proxy(tmp_path / "valid")
        expired = closed.authority.proxy(tmp_path / "expired", timedelta(minutes=-1))
        describing = ["-m", "bench", "data", "describe", url, "--tree", ZEE.tree]
        ended = {}
        for proxy, arguments in (
            (valid, describing),
            (valid, ["-c", COPY, url, str(tmp_path / "copies")]),
            (expired, describing),
            (tmp_path / "none", describing),
        ):
            certificates = str(closed.authority.certificates)
            # In a process each: certificates are read once in the life of a process.
            ended[proxy.name, arguments[0]] = subprocess.run(
                [sys.executable, *arguments],
                cwd=repo,
                env={**os.environ, "X509_USER_PROXY": str(proxy), "X509_CERT_DIR": certificates},
                capture_output=True,
                text=True,
                timeout=120,
            )
    for way in ("-m", "-c"):
        assert ended["valid", way].returncode == 0, ended["valid", way].stderr
    assert "5,000" in ended["valid", "-m"].stdout
    (copy,) = (tmp_path / "copies").rglob("*.root")
    assert copy.read_bytes() == real_file.read_bytes()
    for name in ("expired", "none"):
        refused = ended[name, "-m"]
        assert refused.returncode == 2, refused.stdout
        assert "Auth failed" in refused.stderr
        assert "X509_USER_PROXY" in refused.stderr
        assert "Traceback" not in refused.stderr
