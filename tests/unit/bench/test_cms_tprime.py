"""cms-tprime: NanoAOD of any version to a snapshot, and the snapshot to regions with variations."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from nano_files import VERSIONS, write_version
from sklearn.metrics import roc_auc_score

from bench.datasets.fresh import in_fresh_process
from bench.datasets.generate_nano import write
from bench.datasets.locate import search_folders
from bench.engines.dask import Dask, local_cluster
from bench.engines.model import Job, local_pass
from bench.errors import BenchError
from bench.measure.equality import Physics, compare
from bench.workloads import CmsTprime, CmsTprimeSkim, MlScan, Outcome
from bench.workloads.cms_tprime import needed_columns
from bench.workloads.ml_scan import Parameters
from bench.workloads.nano_objects import VARIATIONS
from bench.workloads.nanoaod import BRANCHES, TRUTH
from bench.workloads.root import load
from bench.workloads.tasks import Chunk
from bench.workloads.toptagger import MIXED, RESOLVED, tagger
from bench.workloads.toptagger_train import sample

EVENTS = 400
SKIM = CmsTprimeSkim()


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nano") / "nano.root"
    write(path, "nano", 0, EVENTS, 7)
    return path


@pytest.fixture(scope="module")
def skimmed(generated: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, list[Path]]:
    """What step 1 gives, and the files that it has written."""
    out = tmp_path_factory.mktemp("skim")
    outcome = local_pass(replace(Job.over(SKIM, [generated]), output=out)).outcome
    return outcome, sorted((out / "serial").glob("part-*.root"))


@pytest.fixture(scope="module")
def real_nano() -> Path:
    name = "nano_tt_v12.root"
    for _, folder in search_folders():
        if (folder / name).is_file():
            return folder / name
    pytest.skip(f"{name} is neither in $BENCH_DATA nor in shared/data beside the checkout")


def skim_in_pieces(path: Path, edges: list[int], folder: Path, workload: CmsTprimeSkim = SKIM) -> Outcome:
    """Step 1 over chunks that are cut anywhere, one after the other."""
    chunks = [Chunk(str(path), "Events", a, b, i) for i, (a, b) in enumerate(pairwise(edges))]
    return workload.combine([workload.process(chunk, folder) for chunk in chunks])


def test_the_same_bits_however_the_input_is_cut(generated: Path, skimmed: Any, tmp_path: Path) -> None:
    reference, _ = skimmed
    assert reference.tallies["content_sum"] > 0
    cut = skim_in_pieces(generated, [0, 1, 38, 399, EVENTS], tmp_path, replace(SKIM, entries_at_once=150))
    assert cut.tallies == reference.tallies
    assert compare(reference, cut, "serial").verdict is Physics.EQUAL


def test_one_event_less_changes_the_sum(generated: Path, skimmed: Any, tmp_path: Path) -> None:
    reference, parts = skimmed
    last = int(uproot.open(parts[-1])["Events"]["event"].array()[-1])
    # Events are numbered from 1.
    without = skim_in_pieces(generated, [0, last - 1], tmp_path)
    assert without.tallies["events_written"] == reference.tallies["events_written"] - 1
    assert without.tallies["content_sum"] != reference.tallies["content_sum"]


def test_the_snapshot_holds_what_was_selected(skimmed: Any) -> None:
    outcome, parts = skimmed
    assert 0 < outcome.events("jets") <= outcome.tallies["events_written"]
    with uproot.open(parts[0]) as file:
        assert file["Events"].classname == "TTree"
    events = [uproot.open(part)["Events"].arrays() for part in parts]
    assert sum(len(each) for each in events) == outcome.tallies["events_written"]
    assert sum(int(each["preselected_nominal"].to_numpy().sum()) for each in events) == outcome.events("jets")
    for each in events:
        passing = [each[f"preselected_{variation}"].to_numpy() for variation in VARIATIONS]
        assert np.logical_or.reduce(passing).all()


def test_a_plain_loop_selects_the_same(real_nano: Path, tmp_path: Path) -> None:
    """Cut flow of the real file, event by event, with no line of the analysis."""
    outcome = skim_in_pieces(real_nano, [0, 200], tmp_path)
    met = jets = candidates = 0
    tree = uproot.open(real_nano)["Events"].arrays(
        ["PuppiMET_pt", "Jet_pt", "Jet_eta", "Jet_jetId", "FatJet_pt", "FatJet_eta", "FatJet_jetId"]
    )
    for event in tree.to_list():
        good = [
            pt for pt, eta, tag in zip(event["Jet_pt"], event["Jet_eta"], event["Jet_jetId"], strict=True)
            if pt > 30 and abs(eta) < 2.4 and tag == 6
        ]  # fmt: skip
        fat = [
            pt for pt, eta, tag in zip(event["FatJet_pt"], event["FatJet_eta"], event["FatJet_jetId"], strict=True)
            if pt > 150 and abs(eta) < 2.4 and tag == 6
        ]  # fmt: skip
        if event["PuppiMET_pt"] > 25:
            met += 1
            if len(good) > 2 or fat:
                jets += 1
                candidates += len(list(combinations(good, 3)))
    assert (outcome.events("met"), outcome.events("jets")) == (met, jets) == (175, 175)
    assert outcome.entries == outcome.events("trigger") == outcome.tallies["events_without_triggers"] == 200
    # All candidates of the events that pass nominally, and of those few that pass in a variation alone.
    assert candidates <= outcome.histogram("TopResolved_score").entries <= candidates * 1.05


@pytest.mark.parametrize(("kind", "area", "false_positives"), [(RESOLVED, 0.907, 0.115), (MIXED, 0.946, 0.085)])
def test_networks_know_tops_of_the_real_file(real_nano: Path, kind: str, area: float, false_positives: float) -> None:
    """They were trained on generated events, where 10 % of the false candidates pass the loose working point."""
    tree = uproot.open(real_nano)["Events"]
    names = [name for each in (*BRANCHES.values(), *TRUTH.values()) for name in each.names if name in tree]
    found = sample(kind, tree.arrays(names, how=dict))
    scores = tagger(kind).score(found.features)
    assert found.labels.sum() > 80
    assert roc_auc_score(found.labels, scores) == pytest.approx(area, abs=0.005)
    assert (scores[~found.labels] > tagger(kind).loose).mean() == pytest.approx(false_positives, abs=0.005)


@pytest.mark.parametrize("version", VERSIONS)
def test_versions_of_nanoaod_give_the_same(version: str, tmp_path: Path) -> None:
    path = write_version(tmp_path / "nano.root", VERSIONS[version], 60)
    reference = write_version(tmp_path / "v12.root", VERSIONS["v12"], 60)
    ours, theirs = (skim_in_pieces(each, [0, 60], tmp_path) for each in (path, reference))
    assert [cut.events for cut in ours.cutflow] == [cut.events for cut in theirs.cutflow]
    assert ours.events("jets") > 5
    if version != "v9":
        # The other b tagger of v9 has another working point, which the snapshot's counts of b jets show.
        assert ours.tallies == theirs.tallies
    assert ours.tallies["candidates_scored"] == theirs.tallies["candidates_scored"] > 100


def test_generated_files_have_the_same_bytes(tmp_path: Path) -> None:
    digests: set[bytes] = set()
    for first, seed in ((0, 7), (0, 7), (20, 7)):
        target = tmp_path / "again.root"
        in_fresh_process("generate", target, "cms-tprime-skim", "nano", first, first + 20, seed)
        digests.add(target.read_bytes())
    assert len(digests) == 2


def test_missing_branches_are_named(tmp_path: Path) -> None:
    path = tmp_path / "other.root"
    load().RDataFrame(5).Define("Jet_pt", "1.f").Snapshot("Events", str(path))
    with pytest.raises(LookupError, match="Jet_btagPNetB or Jet_btagDeepFlavB"):
        local_pass(Job.over(SKIM, [path]))
    with pytest.raises(LookupError, match="cms-tprime-skim writes"):
        local_pass(Job.over(CmsTprime(), [path]))
    other = tmp_path / "nearly.root"
    load().RDataFrame(5).Define("MET_phi_jesup", "1.f").Snapshot("Events", str(other))
    with pytest.raises(LookupError, match=r"MET_phi_jesDown and 114 others; nearest in the input: MET_phi_jesup"):
        local_pass(Job.over(CmsTprime(), [other]))


def test_a_weight_that_is_no_number_is_named(generated: Path, tmp_path: Path) -> None:
    path = tmp_path / "nan.root"
    frame = load().RDataFrame("Events", str(generated)).Redefine("genWeight", "event == 12 ? NAN : genWeight")
    frame.Snapshot("Events", str(path))
    with pytest.raises(BenchError, match=r"nan.root, entries 0 to 399: genWeight of event 12 is no number"):
        skim_in_pieces(path, [0, EVENTS], tmp_path)
    assert not list(tmp_path.glob("*part*"))


def test_dask_writes_and_scans_the_same(generated: Path, skimmed: Any, tmp_path: Path) -> None:
    reference, _ = skimmed
    points = (Parameters((4,), 1e-4, 1e-3, 2), Parameters((12,), 1e-4, 3e-3, 2))
    scan = Job(MlScan(points, folds=2, events=300), (), ())
    # Two times the input: a chunk for each of the two workers.
    skim = replace(Job.over(SKIM, [generated]), replicas=2, output=tmp_path)
    with Dask("dask-local", local_cluster(2), 2) as engine:
        for job, expected, replicas in ((skim, reference, 2), (scan, local_pass(scan).outcome, 1)):
            measured = engine.run(job)
            assert compare(expected, measured.outcome, "serial", replicas).verdict is Physics.EQUAL
            assert measured.disturbances == ()
    written = [uproot.open(part)["Events"].num_entries for part in (tmp_path / "dask-local").glob("part-*.root")]
    assert sum(written) == 2 * reference.tallies["events_written"]


def category(n_resolved: int, n_mixed: int, n_merged: int) -> int | None:
    """The table of the analysis' note, row by row."""
    if n_merged == 0 and n_mixed == 0:
        return 1 if n_resolved == 1 else None
    if n_merged == 0 and n_mixed == 1:
        return 2 if n_resolved <= 1 else None
    if n_merged == 1 and (n_resolved, n_mixed) in ((0, 0), (0, 1), (1, 1)):
        return 3
    return None


def plain_step(event: dict[str, Any], variation: str) -> dict[str, float] | None:
    """A top of an event in a variation; None without one."""
    kinds = ("Resolved", "Mixed", "Merged")
    tight = [event[f"Top{kind}_{variation}_tight"] for kind in kinds]
    counts = [sum(each) for each in tight]
    kind = category(*counts) if any(counts) else category(*(len(each) for each in tight))
    if kind is None or not event[f"preselected_{variation}"]:
        return None
    prefix = f"Top{kinds[kind - 1]}_{variation}"
    scores = event[f"{prefix}_score"]
    best = scores.index(max(scores))
    met, phi = event[f"MET_pt_{variation}"], event[f"MET_phi_{variation}"]
    pt = event[f"{prefix}_pt"][best]
    return {"met": met, "mt": math.sqrt(2 * pt * met * (1 - math.cos(event[f"{prefix}_phi"][best] - phi)))}


def test_regions_and_variations_against_a_plain_loop(skimmed: Any) -> None:
    _, parts = skimmed
    outcome = local_pass(Job.over(CmsTprime(), parts)).outcome
    events = [event for part in parts for event in uproot.open(part)["Events"].arrays().to_list()]
    suffixes = {"nominal": "nominal"} | {f"{k}:{d}": k + d.title() for k in ("jes", "jer") for d in ("up", "down")}
    for name, variation in suffixes.items():
        tops = [(each, top) for each in events if (top := plain_step(each, variation))]
        in_signal = [
            (each, top) for each, top in tops
            if top["met"] > 250 and each[f"minDPhi_{variation}"] > 0.6
            and each[f"nLooseB_{variation}"] >= 1 and each[f"nVetoLepton_{variation}"] == 0
        ]  # fmt: skip
        assert len(in_signal) > 20
        for region, chosen in (("top", tops), ("SR", in_signal)):
            counted = outcome.histogram(f"{region}/{name}")
            weights = [e["genWeight"] * e["puWeight"] * e["btagWeight"] for e, _ in chosen]
            assert counted.entries == len(chosen)
            assert counted.contents[1] == pytest.approx(math.fsum(weights), rel=1e-6)
        mt = outcome.histogram(f"SR/MT_T/{name}")
        values = [(t["mt"], e["genWeight"]) for e, t in in_signal if 500 <= t["mt"] < 2000]
        mean = math.fsum(v * w for v, w in values) / math.fsum(w for _, w in values)
        assert mt.mean == pytest.approx(mean, rel=1e-5)
    for name, column in (("pileup", "puWeight"), ("btag", "btagWeight")):
        for direction in ("up", "down"):
            other = "btagWeight" if name == "pileup" else "puWeight"
            tops = [each for each in events if plain_step(each, "nominal")]
            expected = math.fsum(e["genWeight"] * e[f"{column}_{direction}"] * e[other] for e in tops)
            assert outcome.histogram(f"top/{name}:{direction}").contents[1] == pytest.approx(expected, rel=1e-6)
    assert outcome.histogram("SR/MT_T/jes:up").mean > outcome.histogram("SR/MT_T/jes:down").mean
    assert set(needed_columns()) <= set(uproot.open(parts[0])["Events"].keys())
