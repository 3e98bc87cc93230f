"""The 4-body stop analysis on its stand-in: yields, variations, cuts, and the same on every engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.datasets.files import sha256
from bench.datasets.generate import events_for, generate
from bench.datasets.generate_stop4body import CAMPAIGNS, EVENTS, files
from bench.engines.dask import Dask, local_cluster, partitions_of
from bench.engines.infn import InfnDask
from bench.engines.local import Threads
from bench.engines.model import Job, local_pass
from bench.errors import BenchError
from bench.measure.equality import Physics, compare
from bench.workloads import Stop4Body
from bench.workloads.stop4body_cuts import Cut, read_cuts
from bench.workloads.stop4body_systematics import ONE_SIDED, TWO_SIDED, WEIGHTS
from bench.workloads.stop4body_yields import mirrored, region_yields

# Every kind of variation: one-sided, two-sided, of electrons, jets and missing momentum.
FEW = ("JET_JER_EffectiveNP_1__1up", "EG_SCALE_ALL__1up", "EG_SCALE_ALL__1down")
SMALL = Stop4Body(variations=FEW)
# Columns of the preselection of both sets of cuts.
NAMES = {"nLep", "lep1Charge", "lep2Charge", "lep1pT", "lep2pT", "mll", "MET", "jet1pT"}


@pytest.fixture(scope="session")
def campaigns(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return tuple(generate("atlas-stop4body", tmp_path_factory.mktemp("stop4body"), events=9000))


@pytest.fixture(scope="session")
def job(campaigns: tuple[Path, ...]) -> Job:
    return Job.over(SMALL, campaigns)


def test_variations_are_those_of_the_analysis():
    assert (len(ONE_SIDED), len(TWO_SIDED), len(WEIGHTS)) == (10, 15, 21)
    assert len(Stop4Body().trees) == 41


def test_files_have_the_campaigns_shares_of_the_events():
    assert [last - first for _, first, last in files(EVENTS)] == [48531, 62586, 53071]
    assert [last - first for _, first, last in files(2 * EVENTS)] == [2 * events for _, events in CAMPAIGNS.values()]


def test_same_bytes_whatever_the_number_of_processes(tmp_path: Path):
    one = generate("atlas-stop4body", tmp_path / "one", events=60, processes=1)
    three = generate("atlas-stop4body", tmp_path / "three", events=60, processes=3)
    other = generate("atlas-stop4body", tmp_path / "other", events=60, seed=2)
    assert [sha256(path) for path in one] == [sha256(path) for path in three]
    assert all(sha256(a) != sha256(b) for a, b in zip(one, other, strict=True))


def test_size_is_near_what_is_asked_for(tmp_path: Path):
    events = events_for("atlas-stop4body", gigabytes=0.03)
    size = sum(path.stat().st_size for path in generate("atlas-stop4body", tmp_path, events))
    assert size == pytest.approx(0.03e9, rel=0.2)


def test_yields_and_variations(job: Job):
    outcome = local_pass(job).outcome
    assert outcome.entries == 9000
    assert [cut.name for cut in outcome.cutflow] == ["all", "preselection", "SRA", "SRB"]
    sra, srb = region_yields(outcome)
    assert (sra.raw, srb.raw) == (outcome.events("SRA"), outcome.events("SRB"))
    assert srb.raw > 0
    assert {shift.name for shift in srb.shifts} == {*WEIGHTS, "JET_JER_EffectiveNP_1", "EG_SCALE_ALL"}
    jet = next(shift for shift in srb.shifts if shift.name == "JET_JER_EffectiveNP_1")
    assert jet.mirrored
    assert jet.down == mirrored(srb.events, jet.up)
    # As many events as cross no threshold: the tree of a variation is another one than the nominal one.
    entries = {name: value for name, value in outcome.tallies.items() if name.startswith("entries of ")}
    assert len(set(entries.values())) == 1 + len(FEW)


def test_weight_variations_are_the_weights_of_their_columns(job: Job):
    """The yield under a variation, counted in a loop of its own."""
    from bench.workloads.root import load

    root, (srb,) = load(), [each for each in region_yields(local_pass(job).outcome) if each.region == "SRB"]
    shift = next(each for each in srb.shifts if each.name == "PRW_DATASF")
    cuts = (*SMALL.cuts.preselection, *SMALL.cuts.regions["SRB"])
    frame = root.RDataFrame(SMALL.tree, [str(path) for path in job.paths])
    for cut in cuts:
        frame = frame.Filter(cut.cut)
    luminosity = "(RunNumber == 284500 ? 36.21 : RunNumber == 300000 ? 44.31 : 58.45)"
    for side, expected in (("1up", shift.up), ("1down", shift.down)):
        weight = f"1.0 * weight * WeightEventsbTag * WeightEventsPU * {luminosity} * PRW_DATASF__{side}"
        assert frame.Define("w", weight).Sum("w").GetValue() == pytest.approx(expected, rel=1e-12)


def test_mirrored_side_is_not_negative():
    assert mirrored(2.0, 5.0) == 0.0
    assert mirrored(4.0, 5.0) == 3.0


def test_equal_on_every_engine(job: Job):
    reference = local_pass(job).outcome
    with Threads(2) as threads:
        assert compare(reference, threads.run(job).outcome, "serial").verdict is Physics.EQUAL
    with Dask("dask-local", local_cluster(2), 2) as dask:
        dask.warm_up(job)
        tuned = dask.run(job)
    assert compare(reference, tuned.outcome, "serial").verdict is Physics.EQUAL
    assert tuned.disturbances == ()
    assert sum(share.tasks for share in tuned.workers) == sum(partitions_of(job, 2).values())


def test_authors_way_gives_the_same_yields(campaigns: tuple[Path, ...]):
    job = Job.over(Stop4Body(variations=FEW[:1]), campaigns[:1])
    with InfnDask("dask-local", local_cluster(2), 2) as infn:
        outcome = infn.run(job).outcome
    assert compare(local_pass(job).outcome, outcome, "serial").verdict is Physics.EQUAL


def test_a_lost_event_is_seen(job: Job):
    reference = local_pass(job).outcome
    name = f"sum of event numbers of {SMALL.trees[1]}"
    found = replace(reference, tallies={**reference.tallies, name: reference.tallies[name] - 1})
    assert compare(reference, found, "serial").verdict is Physics.UNEQUAL


def test_both_sets_of_cuts_run(campaigns: tuple[Path, ...]):
    verified = Stop4Body(cuts=read_cuts("36ifb"), variations=())
    assert verified.cuts.provenance == "verified"
    assert Stop4Body().cuts.provenance == "unverified"
    outcome = local_pass(Job.over(verified, campaigns)).outcome
    assert 0 < outcome.events("SR4b") < outcome.events("preselection")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("regions: [", "mine.yaml:2:1: no YAML"),
        ("title: x", "source: Field required"),
        ("- a list", "it is no set of cuts"),
        ("title: \x01", "it is no set of cuts"),
        ("title: 2024-99-99", "it is no set of cuts"),
        ("a: " + 3000 * "[", "it is no set of cuts"),
        (
            "title: x\nsource: x\nprovenance: x\npreselection: []\nregions: {}",
            "regions: Dictionary should have at least",
        ),
        ("title: x\nsource: x\nprovenance: x\npreselection: []\nregions: {SR/A: []}", "regions.SR/A"),
    ],
)
def test_file_that_is_no_set_of_cuts(tmp_path: Path, text: str, words: str):
    (tmp_path / "mine.yaml").write_text(f"{text}\n")
    with pytest.raises(BenchError, match=words.replace(":", ".")):
        read_cuts(str(tmp_path / "mine.yaml"))


@pytest.mark.parametrize(
    ("cut", "words"),
    [
        ("12 < MET < 20", "more than two values"),
        ("MET > 12 # GeV", "a comment"),
        ("MET > None", "None is no number"),
        ("MET > True", "True is no number"),
        ("MET == 'a'", "'a' is no number"),
        ("MET > 1_000", "1_000 is no number"),
        ("MET > 1j", "1j is no number"),
    ],
)
def test_cut_that_means_something_else_in_cpp_is_refused(cut: str, words: str):
    cuts = read_cuts("36ifb")
    odd = cuts.model_copy(update={"regions": {"SR": (Cut(cut=cut, source=""),)}})
    with pytest.raises(BenchError, match=words) as raised:
        odd.check(NAMES)
    assert raised.value.what.startswith("36ifb.yaml: regions.SR[0]")
    assert raised.value.status == 2


@pytest.mark.parametrize("number", ["12", "12.", ".5", "1.5e-3", "2E+2"])
def test_numbers_of_cuts(number: str):
    cuts = read_cuts("36ifb")
    cuts.model_copy(update={"regions": {"SR": (Cut(cut=f"MET > -{number}", source=""),)}}).check(NAMES)


@pytest.mark.parametrize(
    ("cut", "words"),
    [
        ("MET >", "cannot be read"),
        ("METT > 200", r"no column METT \(nearest: MET"),
        ("system(MET) > 0", "Call is not for cuts"),
    ],
)
def test_cut_that_cannot_be_applied_is_named(tmp_path: Path, campaigns: tuple[Path, ...], cut: str, words: str):
    text = (Path(read_cuts.__code__.co_filename).parent / "cuts" / "36ifb.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("R2l > 12", cut))
    workload = Stop4Body(cuts=read_cuts(str(tmp_path / "mine.yaml")), variations=())
    with pytest.raises(BenchError, match=words) as raised:
        local_pass(Job.over(workload, campaigns[:1]))
    assert "mine.yaml: regions.SR4b[6]" in raised.value.what
    assert raised.value.status == 2


def test_unknown_campaign_is_an_error(campaigns: tuple[Path, ...], tmp_path: Path):
    from bench.workloads.root import load

    root = load()
    other = tmp_path / "other.root"
    nominal = Stop4Body(variations=())
    root.RDataFrame(nominal.tree, str(campaigns[0])).Redefine("RunNumber", "unsigned(1)").Snapshot(
        nominal.tree, str(other)
    )
    with pytest.raises(Exception, match="RunNumber 1 is of no known campaign"):
        local_pass(Job.over(nominal, (other,)))
