"""Jets, leptons and missing momentum of the T' → tZ(νν) analysis, nominal and with shifted jet energies.

Cuts: INFN Napoli's Run-3 analysis (TprimeAnalysis, read in its source). The tight lepton-veto identification that
stands in for `Jet_jetId` where a file has none: from memory of CMS's recommendations, unverified. The shifts of jet
energies are parametrised, unverified: CMS's own corrections need files that are not part of NanoAOD.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .model import NOMINAL
from .nanoaod import FILTERS, TRIGGERS, Columns, zipped
from .numeric import library

VARIATIONS = (NOMINAL, "jesUp", "jesDown", "jerUp", "jerDown")
DIRECTIONS = {"Up": 1.0, "Down": -1.0}

MIN_JET_PT_GEV, MAX_JET_ETA = 30.0, 2.4
MIN_FAT_JET_PT_GEV = 150.0
MIN_LEPTON_PT_GEV, MAX_ELECTRON_ETA, MAX_MUON_ETA = 30.0, 2.5, 2.4
TIGHT_LEPTON_VETO = 6
# Of the good jets the hardest ones make candidates: the number of triples grows with the third power.
MAX_JETS = 12
# Jets below this pT are part of the unclustered energy: their shifts do not move the missing momentum.
MIN_PROPAGATED_PT_GEV = 15.0
JER_SHIFT = 0.05


@dataclass(frozen=True)
class Objects:
    """What the selection looks at. `jets` and `fat_jets` are lists of records, by falling pT."""

    jets: Any
    fat_jets: Any
    n_forward: Any
    n_loose_b: Any
    n_veto_leptons: Any
    met_pt: Any
    met_phi: Any
    min_dphi: Any


def objects(columns: Columns) -> Objects:
    """Select objects from the columns of `nanoaod.read`, or from those of `shifted`."""
    ak = library("awkward")
    jets = zipped(columns, "Jet", ("pt", "eta", "phi", "mass", "area", "btag"))
    identified = jet_identification(columns)
    hard = columns["Jet_pt"] > MIN_JET_PT_GEV
    central = abs(columns["Jet_eta"]) < MAX_JET_ETA
    good = jets[hard & central & identified]
    # A shift of energies may have changed the order.
    good = good[ak.argsort(good.pt, axis=1, ascending=False, stable=True)][:, :MAX_JETS]
    fat = zipped(columns, "FatJet", ("pt", "eta", "phi", "mass", "top", "w"))
    # The identification of fat jets was dropped where that of jets was: then the pT is all there is.
    fat_identified = columns["FatJet_jetId"] >= TIGHT_LEPTON_VETO if "FatJet_jetId" in columns else True
    fat = fat[(fat.pt > MIN_FAT_JET_PT_GEV) & (abs(fat.eta) < MAX_JET_ETA) & fat_identified]
    fat = fat[ak.argsort(fat.pt, axis=1, ascending=False, stable=True)]
    distances = abs(delta_phi(good.phi, columns["MET_phi"]))
    return Objects(
        jets=good,
        fat_jets=fat,
        n_forward=ak.sum(hard & ~central, axis=1),
        n_loose_b=ak.sum(good.btag > columns["Jet_loose_b"], axis=1),
        n_veto_leptons=veto_leptons(columns),
        met_pt=columns["MET_pt"],
        met_phi=columns["MET_phi"],
        min_dphi=ak.fill_none(ak.min(distances, axis=1), np.float32(np.pi)),
    )


def delta_phi(a: Any, b: Any) -> Any:
    """Difference of azimuths in [-π, π)."""
    return (a - b + np.float32(np.pi)) % np.float32(2 * np.pi) - np.float32(np.pi)


def jet_identification(columns: Columns) -> Any:
    """Tight with lepton veto: as the file has it, else from the energy fractions.

    Raises
    ------
    LookupError
        The file has neither.
    """
    if "Jet_jetId" in columns:
        return columns["Jet_jetId"] >= TIGHT_LEPTON_VETO
    needed = ("neHEF", "neEmEF", "chHEF", "chEmEF", "muEF", "nConstituents")
    missing = [f"Jet_{name}" for name in needed if f"Jet_{name}" not in columns]
    if missing:
        raise LookupError(f"without Jet_jetId the branches {', '.join(missing)} are needed")
    neutral = (columns["Jet_neHEF"] < 0.99) & (columns["Jet_neEmEF"] < 0.9) & (columns["Jet_nConstituents"] > 1)
    charged = (columns["Jet_chHEF"] > 0.01) & (columns["Jet_chEmEF"] < 0.8) & (columns["Jet_muEF"] < 0.8)
    return neutral & charged


def veto_leptons(columns: Columns) -> Any:
    """Number of electrons and muons that veto an event."""
    ak = library("awkward")
    electrons = (
        (columns["Electron_pt"] > MIN_LEPTON_PT_GEV)
        & (abs(columns["Electron_eta"]) < MAX_ELECTRON_ETA)
        & (columns["Electron_cutBased"] >= 1)
        & columns["Electron_mvaIso"]
    )
    muons = (
        (columns["Muon_pt"] > MIN_LEPTON_PT_GEV)
        & (abs(columns["Muon_eta"]) < MAX_MUON_ETA)
        & columns["Muon_looseId"]
        & (columns["Muon_pfIsoId"] >= 3)
    )
    return ak.sum(electrons, axis=1) + ak.sum(muons, axis=1)


def event_quality(columns: Columns) -> tuple[Any, Any, Any]:
    """Whether events pass the primary vertex, the filters and the trigger; what a file has not is passed."""
    ak = library("awkward")
    vertex = (
        (columns["PV_ndof"] > 4) & (abs(columns["PV_z"]) < 20) & (columns["PV_x"] ** 2 + columns["PV_y"] ** 2 < 2**2)
    )
    everything = ak.ones_like(columns["PV_ndof"], dtype=bool)
    filters, trigger = everything, ~everything
    for name in FILTERS:
        filters = filters & columns.get(f"Flag_{name}", everything)
    paths = [columns[f"HLT_{name}"] for name in TRIGGERS if f"HLT_{name}" in columns]
    for path in paths:
        trigger = trigger | path
    return vertex, filters, trigger if paths else everything


def shifted(columns: Columns, variation: str) -> Mapping[str, Any]:
    """The columns with the energies of jets and fat jets shifted, and the missing momentum with those of the jets.

    jes: by ±(1.5 % + 0.6 GeV/pT). jer: by ±5 % of the distance to the generated jet; a jet without one stays.
    """
    if variation == NOMINAL:
        return columns
    ak = library("awkward")
    changed = dict(columns)
    for prefix, index, generated in (
        ("Jet", "Jet_genJetIdx", "GenJet_pt"),
        ("FatJet", "FatJet_genJetAK8Idx", "GenJetAK8_pt"),
    ):
        pt = columns[f"{prefix}_pt"]
        factor = energy_factor(pt, variation, columns.get(index), columns.get(generated))
        changed[f"{prefix}_pt"], changed[f"{prefix}_mass"] = pt * factor, columns[f"{prefix}_mass"] * factor
    before, after, phi = columns["Jet_pt"], changed["Jet_pt"], columns["Jet_phi"]
    change = ak.where(before > MIN_PROPAGATED_PT_GEV, after - before, np.float32(0))
    x = columns["MET_pt"] * np.cos(columns["MET_phi"]) - ak.sum(change * np.cos(phi), axis=1)
    y = columns["MET_pt"] * np.sin(columns["MET_phi"]) - ak.sum(change * np.sin(phi), axis=1)
    for name, values in (("MET_pt", np.hypot(x, y)), ("MET_phi", np.arctan2(y, x))):
        changed[name] = ak.values_astype(values, "float32")
    return changed


def energy_factor(pt: Any, variation: str, index: Any, generated: Any) -> Any:
    """What energies are multiplied with."""
    ak = library("awkward")
    kind, sign = variation[:3], DIRECTIONS[variation[3:]]
    if kind == "jes":
        return 1 + np.float32(sign) * (np.float32(0.015) + np.float32(0.6) / pt)
    if index is None or generated is None:
        return ak.ones_like(pt)
    known = ak.mask(index, (index >= 0) & (index < ak.num(generated)))
    partner = ak.fill_none(generated[known], np.float32(-1), axis=1)
    return ak.where(partner > 0, 1 + np.float32(sign * JER_SHIFT) * (pt - partner) / pt, np.float32(1))
