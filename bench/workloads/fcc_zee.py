"""FCC-ee: Z → e⁺e⁻ at √s = 91.2 GeV, from the reconstructed particles of an EDM4hep file.

The notebooks that this follows took the first two entries of `Particle`, which are the beam electrons, so their
"m(ee)" was the smeared collision energy. Here electrons are what the reconstruction calls electrons: the entries
of `ReconstructedParticles` that the collection `Electron` refers to.

Sources
-------
Histograms and mass formula: INFN Napoli's notebooks `test_Zee*.ipynb`. Cuts: FCCAnalyses, mH-recoil analysis in the
ee channel (pT > 10 GeV, pair closest to the Z, 80 < m < 100 GeV). No momentum is smeared here.
"""

from __future__ import annotations

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
# Written by `bench data repack`: the entry's number in the original file, the only identity an event of this schema
# has. Whatever draws random numbers must key them on it.
IDENTITY_COLUMN = "bench_entry"


@dataclass(frozen=True)
class FccZee:
    """Two electrons of opposite charge with a mass near that of the Z."""

    min_pt_gev: float = 10.0
    min_mass_gev: float = 80.0
    max_mass_gev: float = 100.0

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
        if IDENTITY_COLUMN in present:
            tallies["sum_of_entry_numbers"] = frame.Sum(IDENTITY_COLUMN)

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

        specs = (
            (HistogramSpec("m_ee", "m(ee)", "GeV", 50, 84, 98), "m_ee"),
            (HistogramSpec("e1_energy", "energy of the first electron", "GeV", 50, 0, 100), "e1"),
            (HistogramSpec("e2_energy", "energy of the second electron", "GeV", 50, 0, 100), "e2"),
            (HistogramSpec("dRee", "ΔR(ee)", "", 50, 0, 10), "deltaR"),
        )
        histograms = tuple(
            (spec, frame.Histo1D((spec.name, spec.title, spec.n_bins, spec.low, spec.high), column))
            for spec, column in specs
        )
        return Booking(tuple(cutflow), tallies, histograms)
