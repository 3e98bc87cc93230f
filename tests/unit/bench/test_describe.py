"""`bench data describe`: what it says is what the file holds, counted by other means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench_inputs import ZEE
from typer.testing import CliRunner

from bench.cli import app
from bench.datasets.describe import FileDescription, TreeDescription, compression, describe
from bench.datasets.locate import search_folders
from bench.datasets.repack import Repacked
from bench.errors import BenchError
from bench.workloads.root import load


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two trees: 1000 entries in clusters of 300, and one without entries."""
    path = tmp_path_factory.mktemp("describe") / "small.root"
    root = load()
    options = root.RDF.RSnapshotOptions()
    options.fAutoFlush = 300
    options.fCompressionAlgorithm = root.RCompressionSetting.EAlgorithm.kLZ4
    options.fCompressionLevel = 3
    frame = root.RDataFrame(1000).Define("x", "double(rdfentry_)").Define("v", "ROOT::RVecF(rdfentry_ % 3, 1.f)")
    frame.Define("n", "1").Snapshot("events", str(path), ["x", "v", "n"], options)
    file = root.TFile.Open(str(path), "UPDATE")
    root.TTree("empty", "no entries").Write()
    file.Close()
    return path


def tree(described: FileDescription, name: str) -> TreeDescription:
    return next(each for each in described.trees if each.name == name)


def test_a_tree_is_described_as_it_was_written(small: Path) -> None:
    described = describe(small, "here", "sha256 0", slots=4)
    assert described.bytes == small.stat().st_size
    events = tree(described, "events")
    assert (events.entries, events.clusters, events.cluster_entries) == (1000, 4, (100, 300, 300))
    assert events.compressions == ("LZ4 3",)
    branches = {branch.name: branch for branch in events.branches}
    assert {name: branch.type for name, branch in branches.items()} == {
        "x": "double", "v": "ROOT::VecOps::RVec<float>", "n": "int",
    }  # fmt: skip
    # 8 bytes an entry and some for each of the 4 baskets; a column of ones takes next to nothing.
    assert branches["x"].baskets == 4
    assert 8000 < branches["x"].bytes < 8000 + 4 * 200
    assert branches["n"].ratio > 3 > branches["x"].ratio
    assert events.bytes == sum(branch.bytes for branch in events.branches)
    assert events.compressed_bytes < small.stat().st_size
    assert tree(described, "empty").entries == 0
    assert described.remarks == ("tree 'empty' has no entries",)


def test_too_few_clusters_are_told_and_what_mends_it_does(real_file: Path, repacked: Repacked) -> None:
    (remark,) = describe(real_file, "", "", slots=5, only=ZEE.tree).remarks
    assert "'events' has 1 cluster for 5 slots" in remark
    assert f"bench data repack {real_file} --tree events --entries-per-cluster 250" in remark
    mended = describe(repacked.path, "", "", slots=5, only=ZEE.tree)
    assert mended.remarks == ()
    assert tree(mended, "events").clusters == 20
    assert tree(mended, "events").compressions == ("ZSTD 5",)


def test_all_branches_of_the_real_file_are_there(real_file: Path) -> None:
    events = tree(describe(real_file, "", "", slots=1), "events")
    assert (events.entries, len(events.branches), events.compressions) == (5000, 286, ("ZLIB 1",))
    # All that is in the file but headers and the other trees.
    assert 0.95 < events.compressed_bytes / real_file.stat().st_size < 1


def test_the_compression_of_a_merged_file_is_read_from_its_baskets() -> None:
    """The branches of this file say that they are not compressed."""
    found = [folder / "nano_tt_v12.root" for _, folder in search_folders() if (folder / "nano_tt_v12.root").is_file()]
    if not found:
        pytest.skip("nano_tt_v12.root is neither in $BENCH_DATA nor in shared/data beside the checkout")
    events = tree(describe(found[0], "", "", slots=1), "Events")
    assert (events.entries, len(events.branches)) == (200, 654)
    assert set(events.compressions) <= {"ZLIB", "none"}
    assert events.compressions[0] == "ZLIB"


def test_the_command(small: Path) -> None:
    shown = CliRunner().invoke(app, ["data", "describe", str(small), "--slots", "50"])
    assert shown.exit_code == 0
    for words in ("events", "LZ4 3", "100 … 300 … 300", "has 4 clusters for 50 slots", "bench data repack"):
        assert words in shown.stdout
    printed = CliRunner().invoke(app, ["data", "describe", f"file://{small}", "--slots", "50", "--json"])
    (described,) = (FileDescription.model_validate(each) for each in json.loads(printed.stdout))
    assert tree(described, "events").clusters == 4
    assert described.checksum.startswith("sha256 ")


def test_a_tree_that_is_not_there_is_told_with_the_nearest(small: Path) -> None:
    with pytest.raises(BenchError, match="no tree 'Event'; nearest: events") as caught:
        describe(small, "", "", slots=1, only="Event")
    assert caught.value.status == 2


@pytest.mark.parametrize(
    ("setting", "words"),
    [(505, "ZSTD 5"), (404, "LZ4 4"), (207, "LZMA 7"), (1, "ZLIB 1"), (101, "ZLIB 1"), (0, "none"), (500, "none")],
)
def test_compression_in_words(setting: int, words: str) -> None:
    assert compression(setting) == words
