"""The numbers of fcc-zee on the real file, against a loop that shares no line with the analysis."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from bench_inputs import WORKLOAD, ZEE, job_of

from bench.engines.model import local_pass
from bench.workloads.root import open_file

CUT_FLOW = {"all": 5000, "two_electrons": 2918, "pt": 2820, "pair": 2820, "mass": 2783}


def plain_loop(path: Path) -> tuple[Counter[str], list[float]]:
    """Cut flow and masses, leaf by leaf in Python, with four-vectors instead of the mass formula."""
    steps: Counter[str] = Counter()
    masses: list[float] = []
    with open_file(str(path)) as file:
        tree = file.Get("events")

        def values(name: str) -> list[float]:
            leaf: Any = tree.GetLeaf(name)
            return [leaf.GetValue(i) for i in range(leaf.GetLen())]

        for entry in range(tree.GetEntries()):
            tree.GetEntry(entry)
            members = [
                values(f"ReconstructedParticles.{m}")
                for m in ("charge", "energy", "momentum.x", "momentum.y", "momentum.z")
            ]
            particles = list(zip(*members, strict=True))
            electrons = [particles[int(i)] for i in values("Electron#0.index") if 0 <= i < len(particles)]
            hard = [p for p in electrons if math.sqrt(p[2] ** 2 + p[3] ** 2) > 10]
            pairs = [(a, b) for a, b in combinations(hard, 2) if a[0] == -b[0] != 0]
            steps["all"] += 1
            steps["unset"] += sum(i == -2 for i in values("Electron#0.index"))
            steps["two_electrons"] += len(electrons) >= 2
            steps["pt"] += len(hard) >= 2
            steps["pair"] += len(hard) >= 2 and bool(pairs)
            if pairs:
                mass = min((invariant_mass(a, b) for a, b in pairs), key=lambda m: abs(m - 91.1876))
                if 80 < mass < 100:
                    steps["mass"] += 1
                    masses.append(mass)
    return steps, masses


def invariant_mass(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    energy, *momentum = (x + y for x, y in zip(a[1:], b[1:], strict=True))
    return math.sqrt(energy**2 - sum(p**2 for p in momentum))


@pytest.fixture(scope="module")
def outcome(real_file: Path) -> Any:
    return local_pass(job_of(real_file)).outcome


def test_yields_of_the_real_file(outcome: Any) -> None:
    assert {cut.name: cut.events for cut in outcome.cutflow} == CUT_FLOW
    assert outcome.tallies["unset_references"] == 1329
    assert dict(ZEE.expected_cutflow) == CUT_FLOW


def test_a_plain_loop_finds_the_same(outcome: Any, real_file: Path) -> None:
    steps, masses = plain_loop(real_file)
    assert {name: steps[name] for name in CUT_FLOW} == CUT_FLOW
    assert steps["unset"] == outcome.tallies["unset_references"]
    histogram = outcome.histogram("m_ee")
    inside = [mass for mass in masses if 84 <= mass < 98]
    assert sum(histogram.contents[1:-1]) == len(inside)
    # Energies of 24 bits: with E² - p² in place of m_e² the mass changes in the seventh digit.
    assert histogram.mean == pytest.approx(math.fsum(inside) / len(inside), rel=1e-7)


def test_histograms_have_the_binning_of_the_notebooks(outcome: Any) -> None:
    binning = {h.name: (len(h.edges) - 1, h.edges[0], h.edges[-1]) for h in outcome.histograms}
    assert binning == {
        "m_ee": (50, 84, 98),
        "e1_energy": (50, 0, 100),
        "e2_energy": (50, 0, 100),
        "dRee": (50, 0, 10),
    }
    for histogram in outcome.histograms:
        assert sum(histogram.contents) == histogram.entries == CUT_FLOW["mass"]
        assert histogram.sumw2 == histogram.contents
    assert outcome.histogram("m_ee").mean == pytest.approx(90.4105, abs=1e-4)
    assert outcome.histogram("m_ee").std_dev == pytest.approx(1.1366, abs=1e-4)


def test_newer_names_of_the_reference_columns_are_taken() -> None:
    aliases: dict[str, str] = {}

    class Frame:
        def Alias(self, new: str, old: str) -> Frame:
            aliases[new] = old
            return self

        def __getattr__(self, _name: str) -> Any:
            return lambda *_: self

    columns = [f"ReconstructedParticles.{m}" for m in ("energy", "momentum.x", "momentum.y", "momentum.z", "charge")]
    WORKLOAD.book("events", Frame(), [*columns, "Electron_objIdx.index"])
    assert aliases == {"electron_references": "Electron_objIdx.index"}
    with pytest.raises(LookupError, match=r"Electron#0\.index or Electron_objIdx\.index"):
        WORKLOAD.book("events", Frame(), columns)
    with pytest.raises(LookupError, match=r"ReconstructedParticles\.charge"):
        WORKLOAD.book("events", Frame(), [*columns[:-1], "Electron#0.index"])
