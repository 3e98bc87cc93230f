"""DAOD_PHYSLITE → slimmed ntuple: right, the same on every engine, and nothing half-written."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from slimming_by_hand import passes_before, read, select
from toy_slimming import OneTooFew
from typer.testing import CliRunner

from bench.cli import app
from bench.datasets import generate_physlite
from bench.datasets.files import sha256
from bench.datasets.generate import generate
from bench.datasets.inspect import layout
from bench.engines import incluster
from bench.engines.dask import Dask, scheduler
from bench.engines.local import Serial
from bench.engines.model import Job
from bench.engines.tasks import MANIFEST, Manifest
from bench.errors import BenchError
from bench.measure.equality import Physics, compare
from bench.run import run_here
from bench.terminal import Terminal
from bench.workloads.root import load, open_file
from bench.workloads.slimming import SOURCES, AtlasSlimming, stream
from bench.workloads.slimming_variations import KEPT, VARIATIONS

ENTRIES, CLUSTER, TREE = 1200, 100, "CollectionTree"
GENERATE = f"""
import sys
from pathlib import Path
from bench.datasets import generate_physlite as generator
generator.ENTRIES_PER_CLUSTER = {CLUSTER}
generator.write(Path(sys.argv[1]), "test", 0, {ENTRIES}, 1)
"""


@pytest.fixture(scope="module")
def physlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("physlite") / "DAOD_PHYSLITE.root"
    subprocess.run([sys.executable, "-W", "ignore", "-c", GENERATE, str(path)], check=True)
    return path


@pytest.fixture(scope="module")
def workload(cache: Path) -> AtlasSlimming:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        slimming = AtlasSlimming()
        slimming.library()
    return slimming


def job_of(workload: AtlasSlimming, *paths: Path, replicas: int = 1, output: Path | None = None) -> Job:
    return replace(Job.over(workload, paths), replicas=replicas, output=output)


def parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.root"))


def branches(path: Path) -> set[str]:
    with open_file(str(path)) as file:
        return {str(branch.GetName()) for branch in file.Get(TREE).GetListOfBranches()}


def test_the_stand_in_has_the_real_names_and_types(physlite: Path) -> None:
    frame = load().RDataFrame(TREE, str(physlite))
    types = {str(name): str(frame.GetColumnType(name)).split("::")[-1] for name in frame.GetColumnNames()}
    for name, kind in {
        "AnalysisElectronsAuxDyn.pt": "RVec<float>",
        "AnalysisElectronsAuxDyn.DFCommonElectronsLHLooseBL": "RVec<char>",
        "AnalysisElectronsAuxDyn.author": "RVec<unsigned short>",
        "AnalysisElectronsAuxDyn.OQ": "RVec<unsigned int>",
        "AnalysisMuonsAuxDyn.quality": "RVec<unsigned char>",
        "AnalysisJetsAuxDyn.HadronConeExclTruthLabelID": "RVec<int>",
        "MET_Core_AnalysisMETAuxDyn.name": "string>",
        "PrimaryVerticesAuxDyn.vertexType": "RVec<short>",
        "EventInfoAuxDyn.eventNumber": "ULong64_t",
        "EventInfoAuxDyn.runNumber": "UInt_t",
        "EventInfoAuxDyn.mcEventWeights": "RVec<float>",
    }.items():
        assert types[name].endswith(kind), (name, types[name])
    assert "AnalysisMuonsAuxDyn.m" not in types
    assert layout(physlite, TREE).n_clusters == ENTRIES // CLUSTER


def test_generated_events_depend_on_the_seed_and_their_number_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def numbers(path: Path) -> list[float]:
        column = "EventInfoAuxDyn.GenFiltMET"
        return load().RDataFrame(TREE, str(path)).AsNumpy([column])[column].tolist()

    (whole,) = generate("atlas-slimming", tmp_path / "whole", 40)
    (again,) = generate("atlas-slimming", tmp_path / "again", 40)
    assert sha256(whole) == sha256(again)
    monkeypatch.setattr(generate_physlite, "EVENTS_PER_FILE", 30)
    first, second = generate("atlas-slimming", tmp_path / "two", 40)
    assert (len(numbers(first)), len(numbers(second))) == (30, 10)
    assert numbers(first) + numbers(second) == numbers(whole)
    (other,) = generate("atlas-slimming", tmp_path / "other", 20, seed=2)
    assert set(numbers(other)).isdisjoint(numbers(whole))


def test_every_variation_is_what_a_loop_by_hand_finds(workload: AtlasSlimming, physlite: Path, tmp_path: Path) -> None:
    """Selected objects exactly, momenta to the precision of a float."""
    entries = 2 * CLUSTER
    job = job_of(workload, physlite, output=tmp_path)
    job = replace(job, layouts=(replace(job.layouts[0], entries=entries, cluster_starts=(0, CLUSTER)),))
    outcome = Serial().run(job).outcome
    rows = {row["event_number"]: row for path in parts(tmp_path / "serial") for row in read(path, TREE)}
    events = [event for event in read(physlite, TREE)[:entries] if passes_before(event)]
    assert outcome.entries == outcome.events("all") == entries
    assert outcome.events("vertex") == len(events)
    kept: set[int] = set()
    for shift in VARIATIONS:
        passing = 0
        for event in events:
            found = select(event, shift, stream(shift))
            number = int(event["EventInfoAuxDyn.eventNumber"])
            passing += found["passes"]
            if found["passes"]:
                kept.add(number)
            if number not in rows:
                assert not found["passes"]
                continue
            check(rows[number], event, found, shift.name)
        label = "events_nominal" if shift.name == "nominal" else f"events_{shift.name} (unverified)"
        assert outcome.tallies[label] == passing
    assert set(rows) == kept
    assert outcome.events("kept") == len(kept) > 20
    assert outcome.events("nominal") == outcome.tallies["events_nominal"] > 20


def check(row: dict[str, Any], event: dict[str, Any], found: dict[str, Any], variation: str) -> None:
    """One event of the output against the loop by hand."""
    assert row[f"met_{variation}"] == pytest.approx(found["met"], rel=1e-5)
    assert row[f"passes_{variation}"] == found["passes"]
    for kind, container in (("el", "Electrons"), ("mu", "Muons"), ("jet", "Jets")):
        etas = [float(each) for each in row[f"{kind}_eta"]]
        mask = [bool(each) for each in row[f"{kind}_selected_{variation}"]]
        wanted = [float(event[f"Analysis{container}AuxDyn.eta"][i]) for i in found[kind]]
        assert [eta for eta, selected in zip(etas, mask, strict=True) if selected] == wanted
        name = f"{kind}_pt_{variation}"
        momenta = row.get(name, row[f"{kind}_pt_nominal"])
        chosen = [float(pt) for pt, selected in zip(momenta, mask, strict=True) if selected]
        assert chosen == pytest.approx(list(found["pt"][kind].values()), rel=1e-6)


def test_distributed_writes_what_serial_writes(
    workload: AtlasSlimming, physlite: Path, tmp_path: Path, two_workers: Dask
) -> None:
    job = job_of(workload, physlite, physlite, output=tmp_path)
    two_workers.warm_up(job)
    reference, measured = Serial().run(job), two_workers.run(job)
    comparison = compare(reference.outcome, measured.outcome, "serial")
    assert comparison.verdict is Physics.EQUAL, comparison.differences
    assert measured.disturbances == ()
    assert measured.n_partitions == 6
    rows = {
        name: sorted(
            load().RDataFrame(TREE, [*map(str, parts(tmp_path / name))]).AsNumpy(["event_number"])["event_number"]
        )
        for name in ("serial", "dask-local")
    }
    assert rows["serial"] == rows["dask-local"]
    assert len(rows["serial"]) == reference.outcome.events("kept")

    written = Manifest.model_validate_json((tmp_path / "dask-local" / MANIFEST).read_text())
    assert [part.file_name for part in written.parts] == [path.name for path in parts(tmp_path / "dask-local")]
    assert [part.sha256 for part in written.parts] == [sha256(path) for path in parts(tmp_path / "dask-local")]
    assert written.tallies == dict(reference.outcome.tallies)


def test_variations_are_labelled_wherever_they_are_written(
    workload: AtlasSlimming, physlite: Path, tmp_path: Path
) -> None:
    outcome = Serial().run(job_of(workload, physlite, output=tmp_path)).outcome
    manifest = Manifest.model_validate_json((tmp_path / "serial" / MANIFEST).read_text())
    with open_file(str(parts(tmp_path / "serial")[0])) as file:
        remarks = str(file.Get("remarks").GetTitle())
    for shift in VARIATIONS[1:]:
        assert manifest.remarks[shift.name].endswith("unverified")
        assert f"{shift.name}: {manifest.remarks[shift.name]}" in remarks
        assert f"events_{shift.name} (unverified)" in outcome.tallies
    assert len(VARIATIONS) == 41 == len({shift.name for shift in VARIATIONS})


def test_kept_branches_are_exactly_those_documented(workload: AtlasSlimming, physlite: Path, tmp_path: Path) -> None:
    Serial().run(job_of(workload, physlite, output=tmp_path / "full"))
    held = branches(parts(tmp_path / "full" / "serial")[0])
    each = {f"{what}_{shift.name}" for shift in VARIATIONS
            for what in ("el_selected", "mu_selected", "jet_selected", "met", "met_phi", "passes")}  # fmt: skip
    shifted = {
        f"{column}_{shift.name}"
        for shift in VARIATIONS
        for target, columns in (("electron", ["el_pt"]), ("muon", ["mu_pt"]), ("jet", ["jet_pt", "jet_m"]))
        for column in columns
        if shift.target == "nominal" or shift.target.startswith(target)
    }
    assert held == {kept.name for kept in KEPT} | {"jet_tagged"} | each | shifted
    documented = (Path(__file__).parents[3] / "docs" / "bench" / "atlas-slimming.md").read_text()
    assert [kept.name for kept in KEPT if f"`{kept.name}`" not in documented] == []

    # Data: no truth and no weights of a simulation.
    simulated = ("truth", "Truth", "mc", "Gen", "PileupWeight")
    with open_file(str(physlite)) as file:
        tree = file.Get(TREE)
        for name in [str(branch.GetName()) for branch in tree.GetListOfBranches()]:
            if any(word in name for word in simulated):
                tree.SetBranchStatus(name, 0)
        out = load().TFile(str(tmp_path / "data.root"), "RECREATE")
        tree.CloneTree(-1, "fast").Write()
        out.Close()
    Serial().run(job_of(workload, tmp_path / "data.root", output=tmp_path / "data"))
    missing = held - branches(parts(tmp_path / "data" / "serial")[0])
    assert missing == {
        "mc_channel", "mc_weights", "pileup_weight", "gen_filter_met", "gen_filter_ht", "el_truth_type",
        "el_truth_origin", "mu_truth_type", "mu_truth_origin", "jet_truth_label",
    }  # fmt: skip


def test_one_event_dropped_is_invalid(
    workload: AtlasSlimming, physlite: Path, two_workers: Dask, terminal: Terminal
) -> None:
    short = OneTooFew(client=os.getpid(), shipped=workload.shipped)
    result = run_here(short, [physlite], two_workers, 1, 1, terminal)
    assert not result.input.repacked
    assert result.measurement.clusters == ENTRIES // CLUSTER
    assert result.physics is Physics.UNEQUAL
    assert not result.valid


FAILING = """
import resource, signal, sys
from pathlib import Path
from bench.engines.local import Serial
from bench.engines.model import Job
from bench.errors import BenchError
from bench.workloads.slimming import AtlasSlimming
source, out = Path(sys.argv[1]), Path(sys.argv[2])
job = Job.over(AtlasSlimming(), [source])
job.workload.warm_up()
# What a full disk is to a file: writing beyond this size fails.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for kilobytes in map(int, sys.argv[3:]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes << 10, resource.RLIM_INFINITY))
    try:
        Serial().run(Job(job.workload, job.paths, job.layouts, 1, out))
    except BenchError as error:
        left = [path.name for path in out.iterdir()]
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(kilobytes, error.what, error.why, left, sep="|", flush=True)
"""


def test_a_failing_write_leaves_nothing(workload: AtlasSlimming, physlite: Path, tmp_path: Path) -> None:
    """A ROOT file that holds nothing yet, one with some of its branches, and one that is complete but for its end."""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FAILING, str(physlite), str(tmp_path / "out"), "0", "20", "200"],
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = [line.split("|") for line in ended.stdout.splitlines()]
    assert [line[0] for line in lines] == ["0", "20", "200"], ended.stdout + ended.stderr
    for _, what, why, left in lines:
        assert what.endswith("part-00000.root")
        assert "file" in why.lower()
        assert left == "[]"


def test_a_corrupt_basket_is_an_error(workload: AtlasSlimming, physlite: Path, tmp_path: Path) -> None:
    """Of a column that is read: ROOT reports it and goes on with other numbers."""
    path = tmp_path / "corrupt.root"
    path.write_bytes(physlite.read_bytes())
    with open_file(str(path)) as file:
        branch = file.Get(TREE).GetBranch("AnalysisMuonsAuxDyn.pt")
        place, length = branch.GetBasketSeek(3), branch.GetBasketBytes()[3]
    with path.open("r+b") as stream_:
        stream_.seek(place + length - 100)
        stream_.write(b"\xa5" * 80)
    with pytest.raises(BenchError, match=r"corrupt\.root, entries \d+ to \d+") as caught:
        Serial().run(job_of(workload, path, output=tmp_path / "out"))
    assert caught.value.status == 2
    assert list((tmp_path / "out").iterdir()) == []


def test_the_checksum_sees_any_column(workload: AtlasSlimming, physlite: Path, tmp_path: Path) -> None:
    """A variation by a little more: the same events in all variations, and other contents."""
    job = job_of(workload, physlite)
    task = workload.tasks(job, 1)[0]
    variations = tuple(replace(each, size=each.size * (1 + 1e-6)) for each in VARIATIONS)
    other = AtlasSlimming(variations, shipped=workload.shipped).process(task, tmp_path)
    tallies, others = workload.process(task, tmp_path).tallies, other.tallies
    assert {name for name in tallies if tallies[name] != others[name]} == {"content_low", "content_high"}


def test_missing_columns_are_named(workload: AtlasSlimming, tmp_path: Path, terminal: Terminal) -> None:
    path = tmp_path / "other.root"
    load().RDataFrame(5).Define("AnalysisElectrons_eta", "1.0").Snapshot(TREE, str(path))
    with pytest.raises(BenchError, match=r"AnalysisElectrons\.eta, .*PrimaryVertices\.vertexType") as caught:
        run_here(workload, [path], Serial(), 1, 1, terminal, entries_per_cluster=None)
    assert "AuxDyn" in caught.value.why
    assert "nearest in the input: AnalysisElectrons_eta" in caught.value.why


def test_a_worker_without_a_compiler_gets_the_library(
    workload: AtlasSlimming, physlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = pickle.dumps(workload)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(BenchError, match="no-such-compiler is on the PATH, and ROOT's ACLiC") as caught:
        AtlasSlimming().library()
    assert "Install g++" in caught.value.next_step
    received = pickle.loads(sent).library()
    assert received.load().bench_slim
    assert received.path().is_relative_to(tmp_path)
    assert sha256(received.path()) == workload.library().sha256


def test_a_job_in_the_cluster_gets_the_library_with_its_input(
    workload: AtlasSlimming, physlite: Path, tmp_path: Path, two_workers: Dask, terminal: Terminal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The image has no compiler. Workers that run here stand in for the cluster's."""
    (attachment,) = workload.attachments()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr(incluster, "kube_cluster", lambda _: scheduler(two_workers.client.scheduler.address))

    def staged(path: Path, digest: str) -> tuple[incluster.JobFile, ...]:
        return (incluster.JobFile(path=str(path), sha256=digest),)

    def spec(digest: str) -> incluster.JobSpec:
        return incluster.JobSpec(
            name="test", namespace="bench", image="", workload=workload.name, dataset_folder="", repeats=1, replicas=1,
            workers=2, infn=False, nodes=(), mark="", files=staged(physlite, sha256(physlite)),
            attachments=staged(attachment, digest),
        )  # fmt: skip

    measurement = incluster.run_job(spec(sha256(attachment)), terminal).measurement
    assert measurement is not None
    assert {each.verdict for each in measurement.comparisons} == {Physics.EQUAL}
    failure = incluster.run_job(spec("0" * 64), terminal).failure
    assert failure is not None
    assert "its sha256 is" in failure.why


def test_an_output_that_nobody_could_see_is_refused() -> None:
    ended = CliRunner().invoke(app, ["run", "atlas-slimming", "--engine", "dask-kubernetes", "--output", "/x"])
    assert isinstance(ended.exception, BenchError)
    assert "share no volume" in ended.exception.why


def test_a_library_with_other_bytes_is_not_loaded(workload: AtlasSlimming) -> None:
    good = workload.library()
    assert all(source.is_file() for source in SOURCES)
    with pytest.raises(BenchError, match="its sha256 is"):
        replace(good, sha256="0" * 64).load()


def test_a_real_file_of_atlas_open_data(workload: AtlasSlimming, tmp_path: Path, two_workers: Dask) -> None:
    folder = os.environ.get("BENCH_DATA", "")
    found = sorted(Path(folder).glob("*DAOD_PHYSLITE*")) if folder else []
    if not found:
        pytest.skip("no file named *DAOD_PHYSLITE* in $BENCH_DATA: the slimming was not tried on real events")
    job = job_of(workload, found[0], output=tmp_path)
    reference, measured = Serial().run(job), two_workers.run(job)
    assert compare(reference.outcome, measured.outcome, "serial").verdict is Physics.EQUAL
    assert reference.outcome.entries == layout(found[0], TREE).entries


def test_the_mode_of_the_notebooks_is_refused_before_any_work() -> None:
    ended = CliRunner().invoke(app, ["run", "atlas-slimming", "--engine", "dask-local", "--mode", "infn"])
    assert isinstance(ended.exception, BenchError)
    assert "this workload is a list of tasks" in str(ended.exception)
    assert ended.exception.status == 2
