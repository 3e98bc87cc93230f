"""The slimming once more, in plain Python loops written from its documentation; slow, and shared with nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.workloads.root import load

F = np.float32
MASK = (1 << 64) - 1


def read(path: Path, tree: str) -> list[dict[str, Any]]:
    """All entries of a file, column by column."""
    frame = load().RDataFrame(tree, str(path))
    names = {str(name): str(name) for name in frame.GetColumnNames()}
    for number, name in enumerate(names):
        # PyROOT takes a vector of char for text.
        if (kind := str(frame.GetColumnType(name))).endswith("char>"):
            names[name] = f"numbers_{number}"
            frame = frame.Define(names[name], f"ROOT::RVec<int>({name}.begin(), {name}.end())")
        elif "char" in kind.lower():
            names[name] = f"numbers_{number}"
            frame = frame.Define(names[name], f"int({name})")
    read = frame.AsNumpy(list(names.values()))
    arrays = {name: read[alias] for name, alias in names.items()}
    n = len(next(iter(arrays.values())))
    return [{name: array[i] for name, array in arrays.items()} for i in range(n)]


def gauss(*keys: int) -> float:
    """Box and Muller's normal number of splitmix64's mixing of the keys."""
    state = 0

    def following(key: int) -> int:
        nonlocal state
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state ^ key
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        state = z ^ (z >> 31)
        return state

    for key in keys:
        following(key)
    u, v = 1 - (following(1) >> 11) * 2.0**-53, (following(2) >> 11) * 2.0**-53
    return math.sqrt(-2 * math.log(u)) * math.cos(2 * math.pi * v)


def delta_r(a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    d_phi = abs(float(a["phi"]) - float(b["phi"])) % (2 * math.pi)
    return math.hypot(float(a["eta"]) - float(b["eta"]), min(d_phi, 2 * math.pi - d_phi))


def objects(event: Mapping[str, Any], container: str, **columns: str) -> list[dict[str, Any]]:
    lists = {name: event[f"{container}AuxDyn.{column}"] for name, column in columns.items()}
    n = len(lists["pt"])
    return [{"place": i, **{name: values[i] for name, values in lists.items()}} for i in range(n)]


def passes_before(event: Mapping[str, Any]) -> bool:
    """Jet cleaning and primary vertex."""
    clean = bool(event["EventInfoAuxDyn.DFCommonJets_eventClean_LooseBad"])
    return clean and 1 in [int(each) for each in event["PrimaryVerticesAuxDyn.vertexType"]]


def select(event: Mapping[str, Any], shift: Any, stream: int) -> dict[str, Any]:
    """Selected objects (by their place in the file) and missing momentum (MeV) of one variation."""
    run, number = int(event["EventInfoAuxDyn.runNumber"]), int(event["EventInfoAuxDyn.eventNumber"])
    electrons = objects(event, "AnalysisElectrons", pt="pt", eta="eta", phi="phi", loose="DFCommonElectronsLHLooseBL")
    muons = objects(event, "AnalysisMuons", pt="pt", eta="eta", phi="phi", charge="charge", quality="quality")
    jets = objects(event, "AnalysisJets", pt="pt", eta="eta", phi="phi", jvt="NNJvtPass")
    for kind, container, several in (("electron", 0, electrons), ("muon", 1, muons), ("jet", 2, jets)):
        for each in several:
            eta = float(each["eta"])
            if not shift.eta[0] <= abs(eta) < shift.eta[1] or shift.side * eta < 0:
                continue
            pt = float(each["pt"])
            if shift.target == f"{kind}_scale":
                each["pt"] = F(pt * (1 + shift.size))
            elif shift.target == f"{kind}_resolution":
                factor = 1 + shift.size * gauss(run, number, stream, 4 * each["place"] + container)
                each["pt"] = F(pt * (max(0, factor) if kind == "jet" else factor))
            elif shift.target == "muon_sagitta" and kind == "muon":
                each["pt"] = F(pt / (1 + float(each["charge"]) * shift.size * pt / 1000))
    for jet in jets:
        b, c, u = (float(event[f"BTagging_AntiKt4EMPFlowAuxDyn.DL1dv01_{k}"][jet["place"]]) for k in ("pb", "pc", "pu"))
        jet["tag"] = abs(float(jet["eta"])) < 2.5 and math.log(b / (0.018 * c + 0.982 * u)) > 2.456
    electrons = [e for e in electrons if e["pt"] > 4500 and abs(e["eta"]) < 2.47 and e["loose"]]
    muons = [m for m in muons if m["pt"] > 4000 and abs(m["eta"]) < 2.4 and int(m["quality"]) % 8 <= 1]
    jets = [
        j for j in jets
        if j["pt"] > 20000 and abs(j["eta"]) < 2.8
        and (j["jvt"] or j["pt"] >= 120000 or abs(j["eta"]) >= 2.5)
    ]  # fmt: skip
    electrons = [e for e in electrons if all(delta_r(e, m) >= 0.01 for m in muons)]
    jets = [
        j for j in jets
        if not any(delta_r(j, e) < 0.2 and (not j["tag"] or e["pt"] > 100000) for e in electrons)
    ]  # fmt: skip

    def free(lepton: dict[str, Any]) -> bool:
        cone = min(0.4, 0.04 + 10000 / float(lepton["pt"]))
        return all(delta_r(lepton, j) >= cone for j in jets)

    electrons, muons = [e for e in electrons if free(e)], [m for m in muons if free(m)]
    selected = [*electrons, *muons, *jets]
    hard_x = -math.fsum(float(o["pt"]) * math.cos(float(o["phi"])) for o in selected)
    hard_y = -math.fsum(float(o["pt"]) * math.sin(float(o["phi"])) for o in selected)
    soft = [str(name) for name in event["MET_Core_AnalysisMETAuxDyn.name"]].index("PVSoftTrkCore")
    soft_x, soft_y = (float(event[f"MET_Core_AnalysisMETAuxDyn.{c}"][soft]) for c in ("mpx", "mpy"))
    hard = math.hypot(hard_x, hard_y)
    if shift.target.startswith("soft") and hard:
        by = 1000 * shift.size * (1 if shift.target == "soft_scale" else gauss(run, number, stream, 3))
        x, y = hard_x / hard, hard_y / hard
        if shift.target == "soft_perpendicular":
            x, y = -y, x
        soft_x, soft_y = soft_x + by * x, soft_y + by * y
    return {
        "el": [e["place"] for e in electrons],
        "mu": [m["place"] for m in muons],
        "jet": [j["place"] for j in jets],
        "met": math.hypot(hard_x + soft_x, hard_y + soft_y),
        "passes": len(electrons) + len(muons) >= 2 and len(jets) >= 1,
        "pt": {kind: {o["place"]: float(o["pt"]) for o in several} for kind, several in
               (("el", electrons), ("mu", muons), ("jet", jets))},
    }  # fmt: skip
