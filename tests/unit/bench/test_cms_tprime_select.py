"""The snapshot of step 2: the events that the histograms of step 2 count, and the same bits on every engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import uproot

from bench.datasets.generate_nano import write
from bench.engines.dask import Dask
from bench.engines.model import Job, local_pass
from bench.measure.equality import Physics, compare
from bench.workloads import CmsTprime, CmsTprimeSelect, CmsTprimeSkim, Outcome
from bench.workloads.content import content_sum
from bench.workloads.root import load

SELECT = CmsTprimeSelect()
VARIATIONS = {"nominal": "nominal"} | {f"{k}:{d}": k + d.title() for k in ("jes", "jer") for d in ("up", "down")}


@pytest.fixture(scope="module")
def skimmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("skim")
    write(folder / "nano.root", "nano", 0, 400, 7)
    local_pass(replace(Job.over(CmsTprimeSkim(), [folder / "nano.root"]), output=folder))
    (part,) = (folder / "serial").glob("part-*.root")
    return part


@pytest.fixture(scope="module")
def serial(skimmed: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, list[Path]]:
    out = tmp_path_factory.mktemp("selected")
    outcome = local_pass(replace(Job.over(SELECT, [skimmed]), output=out)).outcome
    return outcome, sorted((out / "serial").glob("part-*.root"))


def test_it_holds_the_events_that_the_histograms_count(skimmed: Path, serial: tuple[Outcome, list[Path]]) -> None:
    counted = local_pass(Job.over(CmsTprime(), [skimmed])).outcome
    outcome, parts = serial
    arrays = [uproot.open(part)["Events"].arrays(library="np") for part in parts]
    events = {name: np.concatenate([each[name] for each in arrays]) for name in arrays[0]}
    assert len(events["event"]) == outcome.tallies["events_written"]
    assert content_sum(events) == outcome.tallies["content_sum"]
    assert outcome.events("SR") == counted.events("dphi") > 20
    for varied, name in VARIATIONS.items():
        for region in ("top", "SR"):
            inside = events[f"{region}_{name}"]
            assert inside.sum() == counted.histogram(f"{region}/{varied}").entries
            mt = events[f"MT_T_{name}"][inside]
            weights = (events["genWeight"] * events["puWeight"] * events["btagWeight"])[inside]
            filled = counted.histogram(f"{region}/MT_T/{varied}")
            sums, _ = np.histogram(mt, filled.edges, weights=weights)
            assert sums == pytest.approx(filled.contents[1:-1], rel=1e-5)


def test_workers_write_the_same_events(
    skimmed: Path, serial: tuple[Outcome, list[Path]], two_workers: Dask, tmp_path: Path
) -> None:
    small = tmp_path / "small.root"
    options = load().RDF.RSnapshotOptions()
    options.fAutoFlush = 50
    load().RDataFrame("Events", str(skimmed)).Snapshot("Events", str(small), "", options)
    job = replace(Job.over(SELECT, [small]), output=tmp_path)
    assert job.clusters > 2
    found = two_workers.run(job)
    assert compare(serial[0], found.outcome, "serial").verdict is Physics.EQUAL
    parts = list((tmp_path / "dask-local").glob("part-*.root"))
    assert len(parts) > 2
    assert sum(uproot.open(part)["Events"].num_entries for part in parts) == serial[0].tallies["events_written"]


def test_another_input_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.root"
    load().RDataFrame(5).Define("Jet_pt", "1.f").Snapshot("Events", str(path))
    with pytest.raises(LookupError, match="cms-tprime-select, which reads the files that cms-tprime-skim writes"):
        local_pass(Job.over(SELECT, [path]))
