"""Inputs: found in order, checked, downloaded whole or not at all, repacked without loss."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from bench_inputs import ZEE, job_of

from bench.datasets import locate
from bench.datasets.catalogue import Dataset
from bench.datasets.fresh import in_fresh_process
from bench.datasets.inspect import Layout, entries_per_partition, layout
from bench.datasets.repack import Repacked, digests, file_number, repack, verify
from bench.datasets.standin import make_stand_in
from bench.engines.model import local_pass
from bench.errors import BenchError
from bench.terminal import Terminal
from bench.workloads.root import load

CONTENT = b"not really a ROOT file"


def sum_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A dataset that is nowhere on this machine."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("BENCH_DATA", raising=False)
    checkout = tmp_path / "work" / "checkout"
    monkeypatch.setattr(locate.paths, "checkout", lambda: checkout)
    return replace(
        ZEE, file_name="some.root", size_bytes=len(CONTENT), sha256=sum_of(CONTENT), url="http://x.invalid/f"
    )


def deliver(*blocks: bytes) -> locate.Opener:
    return lambda _url: iter(blocks)


def refuse(_url: str) -> Iterator[bytes]:
    raise httpx.ConnectError("no route")


def test_lookup_order(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [tmp_path / "named", tmp_path / "work" / "shared" / "data", locate.data_cache()]
    monkeypatch.setenv("BENCH_DATA", str(folders[0]))
    for folder in reversed(folders):
        folder.mkdir(parents=True)
        (folder / dataset.file_name).write_bytes(CONTENT)
        source = locate.find(dataset)
        assert source is not None
        assert source.path.parent == folder


def test_a_folder_of_data_sets_as_nodes_have_it(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    path = tmp_path / dataset.sha256 / dataset.file_name
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    source = locate.find(dataset)
    assert source is not None
    assert source.path == path


def test_a_wrong_file_is_an_error_with_both_sums(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    wrong = tmp_path / dataset.file_name
    wrong.write_bytes(b"something else")
    with pytest.raises(BenchError) as caught:
        locate.locate(dataset, terminal, deliver(CONTENT))
    for words in (str(wrong), sum_of(b"something else"), dataset.sha256):
        assert words in str(caught.value)
    assert not terminal.mark


def test_download(dataset: Dataset, terminal: Terminal, said: io.StringIO) -> None:
    source = locate.locate(dataset, terminal, deliver(CONTENT[:5], CONTENT[5:]))
    assert source.path.read_bytes() == CONTENT
    assert source.path == locate.data_cache() / dataset.file_name
    assert "22 of 22 bytes" in said.getvalue()


def test_a_wrong_download_leaves_nothing(dataset: Dataset, terminal: Terminal) -> None:
    with pytest.raises(BenchError) as caught:
        locate.locate(dataset, terminal, deliver(CONTENT[:5]))
    assert sum_of(CONTENT[:5]) in str(caught.value)
    assert dataset.sha256 in str(caught.value)
    assert not list(locate.data_cache().iterdir())
    assert not terminal.mark


def test_a_broken_download_leaves_nothing(dataset: Dataset, terminal: Terminal) -> None:
    def breaks(_url: str) -> Iterator[bytes]:
        yield CONTENT[:5]
        raise httpx.ReadError("connection reset")

    with pytest.raises(BenchError, match="connection reset"):
        locate.download(dataset, terminal, breaks)
    assert not list(locate.data_cache().iterdir())


def test_a_stand_in_marks_every_line(dataset: Dataset, terminal: Terminal, said: io.StringIO) -> None:
    source = locate.locate(dataset, terminal, refuse)
    assert source.stand_in
    assert source.dataset is None
    with terminal.step("a step"):
        pass
    lines = said.getvalue().splitlines()
    assert "no route" in lines[0]
    assert all(line.startswith("[stand-in] ") for line in lines)


def test_the_stand_in_has_the_columns_and_types_of_the_real_file(stand_in: Path, real_file: Path) -> None:
    for name in layout(stand_in, "events").columns:
        types = [str(load().RDataFrame("events", str(path)).GetColumnType(name)) for path in (stand_in, real_file)]
        plain = {each.replace("Float_t", "float").replace("Int_t", "int") for each in types}
        assert len(plain) == 1, (name, types)


def test_the_stand_in_is_the_same_every_time(stand_in: Path, tmp_path: Path) -> None:
    again = make_stand_in(tmp_path, "fcc-zee", 2000)
    assert again.read_bytes() == stand_in.read_bytes()
    outcome = local_pass(job_of(stand_in)).outcome
    assert outcome.entries == 2000
    assert 0 < outcome.events("mass") < outcome.events("two_electrons") < 2000
    assert outcome.tallies["unset_references"] > 0


def test_the_repacked_file_holds_what_the_original_holds(real_file: Path, repacked: Repacked) -> None:
    assert layout(real_file, ZEE.tree).n_clusters == 1
    assert layout(repacked.path, ZEE.tree).cluster_starts == tuple(range(0, 5000, 250))
    before, after = digests(real_file), digests(repacked.path)
    assert len(before) == 309
    assert after.keys() - before.keys() == {"events/bench_entry", "events/bench_file"}
    assert all(after[name] == digest for name, digest in before.items())


def test_repacking_gives_the_same_bytes(real_file: Path, repacked: Repacked, tmp_path: Path) -> None:
    again = tmp_path / "again.root"
    in_fresh_process("repack", real_file, again, ZEE.tree, repacked.entries_per_cluster, file_number(ZEE.sha256))
    assert again.read_bytes() == repacked.path.read_bytes()


def test_a_changed_branch_is_noticed(stand_in: Path, tmp_path: Path) -> None:
    other = make_stand_in(tmp_path, "fcc-zee", 1999)
    with pytest.raises(BenchError, match=r"differs from the original in events/Electron#0\.collectionID"):
        verify(stand_in, other, "events")


def test_repack_refuses_what_it_cannot_read(tmp_path: Path, stand_in: Path) -> None:
    (tmp_path / "text.root").write_text("no ROOT file")
    with pytest.raises(BenchError, match=r"text\.root cannot be repacked"):
        repack(tmp_path / "text.root", "0" * 64, "events")
    with pytest.raises(BenchError, match="no tree 'Events'"):
        repack(stand_in, "1" * 64, "Events")
    with pytest.raises(BenchError, match="is 0"):
        repack(stand_in, "2" * 64, "events", 0)


@pytest.mark.parametrize("n_partitions", [1, 2, 7, 20, 41, 60])
def test_shares_of_tasks_are_those_that_root_makes(stand_in: Path, n_partitions: int) -> None:
    from ROOT._distrdf import Ranges

    copy = repack(stand_in, "3" * 64, "events", 100).path
    layouts = [layout(copy, "events"), layout(stand_in, "events"), layout(copy, "events")]
    files = [str(copy), str(stand_in), str(copy)]

    class Execution:
        rdf_uuid = "TTree"

    shares = Ranges.get_percentage_ranges(["events"] * 3, files, n_partitions, None, Execution(), None)
    expected = [Ranges.get_clustered_range_from_percs(share)[1].processed_entries for share in shares]
    assert entries_per_partition(layouts, n_partitions) == expected


def test_a_share_without_an_edge_is_empty() -> None:
    one_cluster = Layout(5000, (0,), ())
    assert entries_per_partition([one_cluster], 4) == [5000, 0, 0, 0]
