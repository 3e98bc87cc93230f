"""NanoAOD files with the integer types and names of different versions, made of generated events."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from bench.workloads.nano_events import collections, generate
from bench.workloads.root import load

# array's codes and those of TTree's leaf lists.
LEAVES = {"f": "F", "i": "I", "I": "i", "Q": "l", "B": "b", "h": "S", "H": "s", "b": "O"}


@dataclass(frozen=True)
class Version:
    """How a version differs: type of counters, types of members by name, other names, members that are not there."""

    counter: str
    types: Mapping[str, str]
    names: Mapping[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()


VERSIONS = {
    "v9": Version(
        "I",
        dict.fromkeys(("Jet_jetId", "FatJet_jetId", "Electron_cutBased", "Jet_hadronFlavour", "Jet_nConstituents"), "i")
        | dict.fromkeys(("Jet_genJetIdx", "GenPart_genPartIdxMother", "GenPart_statusFlags", "PV_npvsGood"), "i"),
        {
            "Jet_btagPNetB": "Jet_btagDeepFlavB",
            "FatJet_particleNetWithMass_TvsQCD": "FatJet_particleNet_TvsQCD",
            "FatJet_particleNetWithMass_WvsQCD": "FatJet_particleNet_WvsQCD",
            "Electron_mvaIso_WP80": "Electron_mvaFall17V2Iso_WP80",
        },
    ),
    "v12": Version("i", {}),
    "v15": Version("i", {"Electron_charge": "i"}, absent=("Jet_jetId", "FatJet_jetId")),
}
CODES = {
    "float32": "f",
    "int32": "i",
    "uint32": "I",
    "uint64": "Q",
    "uint8": "B",
    "int16": "h",
    "uint16": "H",
    "bool": "b",
}


def write_version(path: Path, version: Version, events: int, seed: int = 11) -> Path:
    """Write generated events in the layout of a version, entry by entry, as C arrays with a counter."""
    columns = generate(seed, 0, events)
    # In v15 what jetId says is in the energy fractions.
    if "Jet_jetId" in version.absent:
        columns["Jet_chHEF"] = ak.where(columns["Jet_jetId"] >= 6, columns["Jet_chHEF"], np.float32(0))
    grouped = collections(columns)
    root = load()
    file = root.TFile.Open(str(path), "RECREATE")
    tree = root.TTree("Events", "Events")
    buffers: dict[str, Any] = {}
    for owner, members in grouped.items():
        if owner:
            buffers[f"n{owner}"] = array(version.counter, [0])
            tree.Branch(f"n{owner}", buffers[f"n{owner}"], f"n{owner}/{LEAVES[version.counter]}")
        for member, values in members.items():
            name = f"{owner}_{member}" if owner else member
            if name in version.absent:
                continue
            kind = str(ak.type(values).content.content if owner else ak.type(values).content)
            code = version.types.get(name, CODES[kind])
            buffers[name] = array(code, [0] * (32 if owner else 1))
            written = version.names.get(name, name)
            size = f"[n{owner}]" if owner else ""
            tree.Branch(written, buffers[name], f"{written}{size}/{LEAVES[code]}")
    lists = {name: ak.to_list(values) for name, values in columns.items()}
    for entry in range(events):
        for owner in grouped:
            if owner:
                buffers[f"n{owner}"][0] = len(lists[f"{owner}_{next(iter(grouped[owner]))}"][entry])
        for name, values in lists.items():
            if name in version.absent:
                continue
            value = values[entry]
            for i, each in enumerate(value if isinstance(value, list) else [value]):
                buffers[name][i] = each
        tree.Fill()
    file.Write()
    file.Close()
    return path
