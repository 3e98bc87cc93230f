"""Bad input: every kind is one line with its place, exit status 2, and nothing is left under a final name."""

from __future__ import annotations

import errno
import math
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from bench_inputs import WORKLOAD, ZEE, job_of

from bench import cli
from bench.datasets.finite import refuse_not_finite
from bench.datasets.repack import Repacked
from bench.engines.dask import Dask, local_cluster
from bench.engines.local import Threads
from bench.engines.model import Job, local_pass
from bench.errors import BenchError
from bench.measure.phases import Phases
from bench.run import prepare
from bench.terminal import Terminal
from bench.workloads import Outcome
from bench.workloads.columns import NO_NUMBER, MissingColumns, nearest
from bench.workloads.model import Histogram
from bench.workloads.root import load

pytestmark = pytest.mark.timeout(300)


def missing(folder: Path, _good: Path) -> Path:
    return folder / "god.root"


def a_folder(folder: Path, _good: Path) -> Path:
    return folder


def no_root_file(folder: Path, _good: Path) -> Path:
    (folder / "text.root").write_text("no ROOT file\n" * 100)
    return folder / "text.root"


def empty_file(folder: Path, _good: Path) -> Path:
    (folder / "nothing.root").touch()
    return folder / "nothing.root"


def truncated(folder: Path, good: Path) -> Path:
    (folder / "half.root").write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    return folder / "half.root"


def last_bytes_lost(folder: Path, good: Path) -> Path:
    (folder / "tail.root").write_bytes(good.read_bytes()[:-10])
    return folder / "tail.root"


def other_tree(folder: Path, _good: Path) -> Path:
    load().RDataFrame(5).Define("x", "1.0").Snapshot("Events", str(folder / "tree.root"))
    return folder / "tree.root"


def other_columns(folder: Path, _good: Path) -> Path:
    frame = load().RDataFrame(5).Define("ReconstructedParticle_energy", "1.0")
    frame.Snapshot("events", str(folder / "columns.root"))
    return folder / "columns.root"


def no_entries(folder: Path, good: Path) -> Path:
    load().RDataFrame("events", str(good)).Range(0, 1).Filter("false").Snapshot("events", str(folder / "zero.root"))
    return folder / "zero.root"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (missing, "there is no such file; nearest in .*: good.root"),
        (a_folder, "it is a folder"),
        (no_root_file, "text.root not a ROOT file"),
        (empty_file, "nothing.root cannot be read"),
        (truncated, "half.root.* truncated"),
        (last_bytes_lost, "tail.root.* truncated"),
        (other_tree, "tree.root cannot be read: it holds no tree 'events'; nearest: Events"),
        (other_columns, "columns.root: .*ReconstructedParticles.energy.*nearest.*ReconstructedParticle_energy"),
        (no_entries, "zero.root cannot be analysed: the tree 'events' has no entries"),
    ],
)
def test_files_that_cannot_be_read(
    make: Callable[[Path, Path], Path], words: str, stand_in: Path, tmp_path: Path, terminal: Terminal
) -> None:
    good = tmp_path / "good.root"
    shutil.copyfile(stand_in, good)
    with pytest.raises(BenchError, match=words) as caught:
        prepare(WORKLOAD, [make(tmp_path, good)], terminal, Phases())
    assert caught.value.status == 2
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file://elsewhere/x.root", "elsewhere is another machine"),
        ("gopher://host/x.root", "gopher:// is not read"),
        ("file:///nowhere/x.root", "--input /nowhere/x.root: there is no such file"),
    ],
)
def test_addresses_that_cannot_be_read(text: str, words: str, terminal: Terminal) -> None:
    with pytest.raises(BenchError, match=words) as caught:
        prepare(WORKLOAD, [text], terminal, Phases())
    assert caught.value.status == 2


def test_a_file_address_is_a_path(tmp_path: Path, stand_in: Path, terminal: Terminal) -> None:
    from bench.datasets.access import Staging
    from bench.datasets.locate import own_input

    (tmp_path / "a b.root").symlink_to(stand_in)
    assert own_input(f"file://{tmp_path}/a%20b.root", Staging.PULL, terminal).path == stand_in


def test_nearest_names() -> None:
    assert nearest("jet_pt", ["MET", "Jet_pt", "jet_eta", "run"]) == ["Jet_pt", "jet_eta"]
    assert nearest("weight", ["run", "event"]) == []


def with_weights(contents: tuple[float, ...]) -> Outcome:
    histogram = Histogram("SRA/nominal", "", "", True, (0, 1), contents, contents, 3, 0, 0)
    return Outcome(3, (), {}, (histogram,))


def test_weights_that_are_no_number_are_counted_and_their_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.root"
    frame = load().RDataFrame(100).Define("good", "1.f").Define("many", "ROOT::RVecF(2, 1.f)")
    frame.Define("weight_up", "rdfentry_ % 40 == 7 ? float(NAN) : 1.f").Snapshot("Wt", str(path))
    with pytest.raises(BenchError) as caught:
        refuse_not_finite(with_weights((0.0, math.nan, 0.0)), [path], ["Wt"])
    assert caught.value.status == 2
    assert str(path) in caught.value.what
    assert "SRA/nominal" in caught.value.what
    assert caught.value.why == "Wt/weight_up has 3 of 100 values NaN or infinite, the first in entry 7"
    good = with_weights((0.0, 1.0, 0.0))
    refuse_not_finite(good, [path], ["Wt"])
    with pytest.raises(BenchError, match="3 weights of Wt that are no number: Wt/weight_up has 3 of 100"):
        refuse_not_finite(replace(good, tallies={f"weights of Wt {NO_NUMBER}": 3}), [path], ["Wt"])


def flipped(source: Path, copy: Path, basket: int) -> Path:
    """A copy in which 40 bytes in the middle of a basket of a column that is read are flipped."""
    shutil.copyfile(source, copy)
    copy.chmod(0o644)
    file = load().TFile.Open(str(copy))
    branch = file.Get(ZEE.tree).GetBranch("ReconstructedParticles.charge")
    middle = int(branch.GetBasketSeek(basket)) + int(branch.GetBasketBytes()[basket]) // 2
    file.Close()
    data = bytearray(copy.read_bytes())
    data[middle : middle + 40] = bytes(each ^ 0xFF for each in data[middle : middle + 40])
    copy.write_bytes(data)
    return copy


@pytest.fixture
def corrupt(real_file: Path, tmp_path: Path) -> Path:
    return flipped(real_file, tmp_path / "corrupt.root", 1)


def test_a_crash_on_nonsense_is_an_error(repacked: Repacked, tmp_path: Path, repo: Path) -> None:
    """ZSTD blocks have no checksum: here their nonsense is the size of an array, and ROOT crashes."""
    path = flipped(repacked.path, tmp_path / "nonsense.root", 3)
    ran = subprocess.run(
        [sys.executable, "-m", "bench", "run", "fcc-zee", "--input", str(path), "--out", str(tmp_path / "out")],
        cwd=repo,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert f"{path}: the input cannot be read" in ran.stderr
    assert len(ran.stderr.splitlines()) < 10, ran.stderr
    assert not (tmp_path / "out").exists()


def test_missing_columns_are_told_from_other_processes_too() -> None:
    told = pickle.loads(pickle.dumps(MissingColumns("fcc-zee", ["charge"], ["charges"])))
    assert isinstance(told, LookupError)
    assert str(told) == "fcc-zee needs the columns charge; nearest in the input: charges"


def test_files_with_columns_of_different_types_are_not_read_together(real_file: Path, stand_in: Path) -> None:
    """ROOT takes the types of the first: it crashed on this pair, and with others fills less than it should."""
    with pytest.raises(BenchError, match="cannot be read together") as caught:
        Job.over(WORKLOAD, [real_file, stand_in])
    assert caught.value.status == 2
    for words in (str(stand_in), str(real_file), "column Electron#0", "Run them apart"):
        assert words in str(caught.value)


@pytest.mark.parametrize("engine", ["serial", "threads", "dask-local"])
def test_a_basket_that_cannot_be_read(engine: str, corrupt: Path, two_workers: Dask) -> None:
    run = {"serial": local_pass, "threads": Threads(2).run, "dask-local": two_workers.run}[engine]
    with pytest.raises(BenchError, match="the input cannot be read") as caught:
        run(job_of(corrupt))
    assert caught.value.status == 2
    for words in (str(corrupt), "ReconstructedParticles.charge", "entry"):
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_good_file_is_read_after_a_broken_one(corrupt: Path, repacked: Repacked, two_workers: Dask) -> None:
    for run in (local_pass, two_workers.run):
        with pytest.raises(BenchError):
            run(job_of(corrupt))
        assert run(job_of(repacked.path)).outcome.events("mass") == 2783


LIMITED = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
sys.argv[1:] = sys.argv[2:]
runpy.run_module("bench", run_name="__main__")
"""


def test_a_full_disk_leaves_nothing(real_file: Path, tmp_path: Path, repo: Path) -> None:
    """A limit on the size of files stands for the full disk: writing fails in the same way, and the disk is spared."""
    cache = tmp_path / "cache"
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, "1000000", "data", "repack", str(real_file)],
        cwd=repo,
        env={**os.environ, "XDG_CACHE_HOME": str(cache), "MPLCONFIGDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert "error writing" in ran.stderr
    assert "room on the disk" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def test_a_disk_that_is_full_is_told_whatever_was_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/out/run.json")

    monkeypatch.setattr(cli, "app", write)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(
        "bench: /out/run.json cannot be written\n  why: No space left on device\n"
    )


def test_a_worker_that_dies_spoils_the_time_and_not_the_physics(repacked: Repacked) -> None:
    with Dask("dask-local", local_cluster(2), 2) as engine:
        job = replace(job_of(repacked.path), replicas=100)
        engine.warm_up(job)
        victim = next(iter(engine.client.run(os.getpid).values()))
        killer = subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -9 {victim}"])
        died = engine.run(job)
        killer.wait()
    assert died.outcome.entries == 500_000
    assert died.outcome.events("mass") == 100 * 2783
    assert any("workers lost" in each for each in died.disturbances)
