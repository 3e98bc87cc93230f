"""NanoAOD in columns, whatever its version: one name and one type for each quantity.

Between v9, v12 and v15 the integer types of branches change (`nJet` from unsigned to signed, `Jet_jetId` from int to
unsigned char, indices from int to short), some taggers change their names, and v15 has no `Jet_jetId`. So a branch is
never used as it comes: it is looked up under the names it has had and converted to float32, int64 or bool.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .columns import MissingColumns
from .numeric import library

TREE = "Events"
FLOAT, WHOLE, FLAG = "float32", "int64", "bool"


@dataclass(frozen=True)
class Branch:
    """A quantity: the names it has had, newest first, its type here, and whether the analysis can do without."""

    names: tuple[str, ...]
    kind: str
    needed: bool = True


def branches(prefix: str, members: Iterable[str], kind: str = FLOAT, needed: bool = True) -> dict[str, Branch]:
    """Quantities that all versions call the same."""
    return {f"{prefix}_{member}": Branch((f"{prefix}_{member}",), kind, needed) for member in members}


# Their loose working points: PNet of 2022 from INFN Napoli's analysis; DeepJet of 2018 from memory, unverified.
LOOSE_B = {"Jet_btagPNetB": 0.047, "Jet_btagDeepFlavB": 0.049}

FILTERS = (
    "goodVertices",
    "globalSuperTightHalo2016Filter",
    "HBHENoiseFilter",
    "HBHENoiseIsoFilter",
    "EcalDeadCellTriggerPrimitiveFilter",
    "BadPFMuonFilter",
    "BadPFMuonDzFilter",
    "ecalBadCalibFilter",
    "eeBadScFilter",
)
TRIGGERS = ("PFMET120_PFMHT120_IDTight", "PFMETNoMu120_PFMHTNoMu120_IDTight")

BRANCHES: dict[str, Branch] = {
    "run": Branch(("run",), WHOLE),
    "luminosityBlock": Branch(("luminosityBlock",), WHOLE),
    "event": Branch(("event",), WHOLE),
    # Written by `bench data repack`.
    "bench_entry": Branch(("bench_entry",), WHOLE, needed=False),
    "MET_pt": Branch(("PuppiMET_pt",), FLOAT),
    "MET_phi": Branch(("PuppiMET_phi",), FLOAT),
    **branches("PV", ("ndof", "x", "y", "z")),
    **branches("Flag", FILTERS, FLAG, needed=False),
    **branches("HLT", TRIGGERS, FLAG, needed=False),
    **branches("Jet", ("pt", "eta", "phi", "mass", "area")),
    "Jet_btag": Branch(tuple(LOOSE_B), FLOAT),
    "Jet_jetId": Branch(("Jet_jetId",), WHOLE, needed=False),
    **branches("Jet", ("neHEF", "neEmEF", "chHEF", "chEmEF", "muEF"), FLOAT, needed=False),
    **branches("Jet", ("nConstituents", "hadronFlavour", "genJetIdx"), WHOLE, needed=False),
    **branches("GenJet", ("pt",), FLOAT, needed=False),
    **branches("FatJet", ("pt", "eta", "phi", "mass")),
    **branches("FatJet", ("jetId", "genJetAK8Idx"), WHOLE, needed=False),
    **branches("GenJetAK8", ("pt",), FLOAT, needed=False),
    "FatJet_top": Branch(("FatJet_particleNetWithMass_TvsQCD", "FatJet_particleNet_TvsQCD"), FLOAT),
    "FatJet_w": Branch(("FatJet_particleNetWithMass_WvsQCD", "FatJet_particleNet_WvsQCD"), FLOAT),
    **branches("Electron", ("pt", "eta")),
    "Electron_cutBased": Branch(("Electron_cutBased",), WHOLE),
    "Electron_mvaIso": Branch(("Electron_mvaIso_WP80", "Electron_mvaFall17V2Iso_WP80"), FLAG),
    **branches("Muon", ("pt", "eta")),
    "Muon_looseId": Branch(("Muon_looseId",), FLAG),
    "Muon_pfIsoId": Branch(("Muon_pfIsoId",), WHOLE),
    "genWeight": Branch(("genWeight",), FLOAT, needed=False),
    "puWeight": Branch(("puWeight",), FLOAT, needed=False),
    "puWeightUp": Branch(("puWeightUp",), FLOAT, needed=False),
    "puWeightDown": Branch(("puWeightDown",), FLOAT, needed=False),
    "Pileup_nTrueInt": Branch(("Pileup_nTrueInt",), FLOAT, needed=False),
}
TRUTH: dict[str, Branch] = {
    **branches("GenPart", ("eta", "phi")),
    **branches("GenPart", ("pdgId", "genPartIdxMother"), WHOLE),
}

Columns = Mapping[str, Any]


def names_in(present: Iterable[str], wanted: Mapping[str, Branch] = BRANCHES) -> dict[str, str]:
    """For each quantity that an input has, the name of its branch there.

    Raises
    ------
    LookupError
        A needed one is missing; all that are missing are named.
    """
    there = set(present)
    found = {
        quantity: name
        for quantity, branch in wanted.items()
        if (name := next((name for name in branch.names if name in there), None))
    }
    missing = [
        " or ".join(branch.names) for quantity, branch in wanted.items() if branch.needed and quantity not in found
    ]
    if missing:
        raise MissingColumns("the analysis of NanoAOD", missing, there)
    return found


def read(path: str, tree: str, first: int, last: int, wanted: Mapping[str, Branch] = BRANCHES) -> dict[str, Any]:
    """Entries first … last - 1 of a file, as quantities.

    Returns
    -------
    dict
        Quantity → awkward array; one value, or a list of values, an event. `Jet_loose_b` is the loose working point
        of the b tagger that the file has.

    Raises
    ------
    LookupError
        The file has no such tree, or not all needed branches.
    """
    with library("uproot").open(path) as file:
        if tree not in file:
            raise LookupError(f"{path} holds no tree {tree!r}")
        source = file[tree]
        found = names_in(source.keys(), wanted)
        # A dict of arrays, not a record: collections of an event have different lengths.
        arrays = source.arrays(list(dict.fromkeys(found.values())), entry_start=first, entry_stop=last, how=dict)
    return converted(arrays, wanted)


def converted(arrays: Columns, wanted: Mapping[str, Branch] = BRANCHES) -> dict[str, Any]:
    """Branches under the names and types that the analysis knows."""
    ak = library("awkward")
    found = names_in(arrays, wanted)
    quantities = {
        quantity: ak.values_astype(ak.Array(arrays[name]), wanted[quantity].kind) for quantity, name in found.items()
    }
    if "Jet_btag" in found:
        quantities["Jet_loose_b"] = LOOSE_B[found["Jet_btag"]]
    return quantities


def zipped(columns: Columns, prefix: str, members: Sequence[str]) -> Any:
    """A collection as lists of records; members that the input has not are left out."""
    there = {member: columns[f"{prefix}_{member}"] for member in members if f"{prefix}_{member}" in columns}
    return library("awkward").zip(there)
