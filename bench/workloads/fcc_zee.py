"""FCC-ee: Z → e⁺e⁻ at √s = 91.2 GeV, from the reconstructed particles of an EDM4hep file.

The notebooks that this follows took the first two entries of `Particle`, which are the beam electrons, so their
"m(ee)" was the smeared collision energy. Here electrons are what the reconstruction calls electrons: the entries
of `ReconstructedParticles` that the collection `Electron` refers to.

Sources
-------
Histograms and mass formula: INFN Napoli's notebooks `test_Zee*.ipynb`. Cuts: FCCAnalyses, mH-recoil analysis in the
ee channel (pT > 10 GeV, pair closest to the Z, 80 < m < 100 GeV). Smearing of energies by 2 GeV, and its repetition:
the notebooks, which drew from an unseeded generator in every task; here the selection comes before it, so that the
yields do not depend on random numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .columns import MissingColumns
from .model import Booking, HistogramSpec

# podio's older files number the reference columns of a collection, newer ones name them.
REFERENCE_COLUMNS = ("Electron#0.index", "Electron_objIdx.index")
PARTICLE_COLUMNS = tuple(
    f"ReconstructedParticles.{member}" for member in ("energy", "momentum.x", "momentum.y", "momentum.z", "charge")
)
# Written by `bench data repack`: the entry's number in the original file, and the first 64 bits of that file's sha256.
# Together they are the only identity an event of this schema has. Whatever draws random numbers must key them on it.
ENTRY_COLUMN = "bench_entry"
FILE_COLUMN = "bench_file"


def smeared_histogram(repetition: int) -> str:
    """Name of the histogram of the mass after that smearing, counted from 1."""
    return f"m_ee_smeared_{repetition}"


@dataclass(frozen=True)
class FccZee:
    """Two electrons of opposite charge with a mass near that of the Z.

    The mass is smeared `n_smearings` times (0: never), each time with other random numbers and into a histogram of its
    own: there every event stands once, so that the errors of the bins are those of independent events, and a fit is
    one. In a sum over the repetitions each event would be counted n times. Inputs without the columns that identify
    events are not smeared.
    """

    min_pt_gev: float = 10.0
    min_mass_gev: float = 80.0
    max_mass_gev: float = 100.0
    n_smearings: int = 2
    smearing_gev: float = 2.0
    # Part of the key of the random numbers.
    sample: str = "ee_Z_ee"

    name: str = "fcc-zee"
    title: str = "FCC-ee Z → ee, reconstructed electrons"
    tree: str = "events"
    mass_histogram: str = "m_ee"

    @property
    def trees(self) -> tuple[str, ...]:
        return (self.tree,)

    @property
    def code(self) -> str:
        return (Path(__file__).parent / "cxx" / "fcc_zee.hpp").read_text()

    def book(self, tree: str, frame: Any, columns: Iterable[str]) -> Booking:
        present = set(columns)
        reference = next((name for name in REFERENCE_COLUMNS if name in present), None)
        missing = [name for name in PARTICLE_COLUMNS if name not in present]
        if reference is None:
            missing.append(" or ".join(REFERENCE_COLUMNS))
        if missing:
            raise MissingColumns(self.name, missing, columns)

        # '#' cannot stand in an expression.
        frame = frame.Alias("electron_references", reference)
        arguments = ", ".join(("electron_references", *PARTICLE_COLUMNS, str(self.min_pt_gev)))
        frame = frame.Define("zee", f"bench::fcc_zee::Select({arguments})")
        for column, member in (("m_ee", "mass"), ("e1", "e1"), ("e2", "e2"), ("deltaR", "deltaR")):
            frame = frame.Define(column, f"zee.{member}")
        frame = frame.Define("n_unset", "zee.nUnset")

        tallies = {"unset_references": frame.Sum("n_unset")}
        if ENTRY_COLUMN in present:
            tallies["sum_of_entry_numbers"] = frame.Sum(ENTRY_COLUMN)

        # A Count at every step instead of Report, which a distributed RDataFrame does not survive.
        cutflow = [("all", "all events", frame.Count())]
        for name, label, condition in (
            ("two_electrons", "≥ 2 electrons", "zee.nElectrons >= 2"),
            ("pt", f"≥ 2 with pT > {self.min_pt_gev:g} GeV", "zee.nAboveCut >= 2"),
            ("pair", "a pair of opposite charge", "zee.isPair"),
            (
                "mass",
                f"{self.min_mass_gev:g} < m(ee) < {self.max_mass_gev:g} GeV",
                f"m_ee > {self.min_mass_gev} && m_ee < {self.max_mass_gev}",
            ),
        ):
            frame = frame.Filter(condition, label)
            cutflow.append((name, label, frame.Count()))

        specs = [
            (HistogramSpec("m_ee", "m(ee)", "GeV", 50, 84, 98), "m_ee"),
            (HistogramSpec("e1_energy", "energy of the first electron", "GeV", 50, 0, 100), "e1"),
            (HistogramSpec("e2_energy", "energy of the second electron", "GeV", 50, 0, 100), "e2"),
            (HistogramSpec("dRee", "ΔR(ee)", "", 50, 0, 10), "deltaR"),
        ]
        if {ENTRY_COLUMN, FILE_COLUMN} <= present:
            sample = int.from_bytes(hashlib.sha256(self.sample.encode()).digest()[:8], "big")
            for repetition in range(1, self.n_smearings + 1):
                column = smeared_histogram(repetition)
                arguments = (
                    f"zee, {PARTICLE_COLUMNS[0]}, {self.smearing_gev}, {sample}ull, {FILE_COLUMN}, {ENTRY_COLUMN}, "
                    f"{repetition}"
                )
                frame = frame.Define(column, f"bench::fcc_zee::SmearedMass({arguments})")
                specs.append((HistogramSpec(column, f"m(ee) smeared, {repetition}", "GeV", 50, 84, 98), column))
        histograms = tuple(
            (spec, frame.Histo1D((spec.name, spec.title, spec.n_bins, spec.low, spec.high), column))
            for spec, column in specs
        )
        return Booking(tuple(cutflow), tallies, histograms)
