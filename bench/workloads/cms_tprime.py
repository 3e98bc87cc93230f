"""CMS T' → tZ(νν), step 2: from the snapshot of `cms-tprime-skim` to histograms with their variations.

Cuts, categories, binning: INFN Napoli's Run-3 analysis (its source). There the variables of the categories Merged and
Resolved are interchanged in the choice of the best top; here each category uses its own candidates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .columns import MissingColumns
from .model import NOMINAL, Booking, HistogramSpec
from .nanoaod import TREE

KINDS = ("Resolved", "Mixed", "Merged")
EVENT = ("preselected", "MET_pt", "MET_phi", "minDPhi", "nForwardJet", "nLooseB", "nVetoLepton")
MEMBERS = ("pt", "phi", "mass", "score", "tight")
DIRECTIONS = {"up": "Up", "down": "Down"}
KINEMATIC = ("jes", "jer")
WEIGHTS = {"pileup": "puWeight", "btag": "btagWeight"}

REGIONS: Mapping[str, str] = {
    "top": "a top candidate",
    "SR": "signal region",
    "SR_central": "signal region, no forward jet",
    "SR_forward": "signal region, forward jets",
    "SR_score": "signal region, score of the top > 0.6",
    "CR_multijet": "control region, missing momentum along a jet",
}
QUANTITIES: Mapping[str, tuple[str, str, int, float, float, str]] = {
    "MT_T": ("mT(top, missing momentum)", "GeV", 30, 500, 2000, "view.mt"),
    "Top_mass": ("mass of the top", "GeV", 30, 100, 250, "view.top_mass"),
    "Top_pt": ("pT of the top", "GeV", 30, 100, 1000, "view.top_pt"),
    "Top_score": ("score of the top", "", 40, 0, 1, "view.top_score"),
    "MET": ("missing momentum", "GeV", 12, 250, 850, "view.met"),
}
# mT everywhere; the others where they say something.
IN_DETAIL = ("top", "SR")


def look(variation: str) -> str:
    """C++ expression of an event in one variation."""
    candidates = (
        "bench::cms_tprime::Candidates{" + ", ".join(f"Top{kind}_{variation}_{member}" for member in MEMBERS) + "}"
        for kind in KINDS
    )
    event = (f"{name}_{variation}" for name in EVENT)
    return f"bench::cms_tprime::Look({', '.join((*event, *candidates))})"


def needed_columns() -> list[str]:
    """Columns that are read."""
    varied = [NOMINAL, *(kind + suffix for kind in KINEMATIC for suffix in DIRECTIONS.values())]
    names = [f"{name}_{variation}" for variation in varied for name in EVENT]
    names += [f"Top{kind}_{variation}_{member}" for variation in varied for kind in KINDS for member in MEMBERS]
    return ["genWeight", *(name + s for name in WEIGHTS.values() for s in ("", "_up", "_down")), *names]


def check_columns(workload: str, columns: Iterable[str]) -> None:
    """See that the input is a snapshot of the first step.

    Raises
    ------
    MissingColumns
        It is not.
    """
    missing = sorted(set(needed_columns()) - set(columns))
    if missing:
        who = f"{workload}, which reads the files that cms-tprime-skim writes with --output,"
        raise MissingColumns(who, missing, columns, most=3)


@dataclass(frozen=True)
class CmsTprime:
    """Signal and control regions; variations of jet energy scale and resolution, pile-up and b tagging."""

    min_met_gev: float = 250.0
    min_dphi: float = 0.6
    min_score: float = 0.6

    name: str = "cms-tprime"
    title: str = "CMS T' → tZ(νν), step 2: signal and control regions with variations"
    tree: str = TREE
    mass_histogram: str = f"top/Top_mass/{NOMINAL}"

    @property
    def trees(self) -> tuple[str, ...]:
        return (self.tree,)

    @property
    def code(self) -> str:
        return (Path(__file__).parent / "cxx" / "cms_tprime.hpp").read_text()

    def book(self, tree: str, frame: Any, columns: Iterable[str]) -> Booking:
        check_columns(self.name, columns)
        frame = frame.Define("view", look(NOMINAL))
        for kind in KINEMATIC:
            both = ", ".join(look(kind + suffix) for suffix in DIRECTIONS.values())
            frame = frame.Vary("view", f"ROOT::RVec<bench::cms_tprime::View>{{{both}}}", list(DIRECTIONS), kind)
        frame = frame.Define("weight", weight())
        for variation, column in WEIGHTS.items():
            both = ", ".join(weight(**{column: f"{column}_{direction}"}) for direction in DIRECTIONS)
            frame = frame.Vary("weight", f"ROOT::RVecF{{{both}}}", list(DIRECTIONS), variation)
        # Once for all regions: every expression is compiled, in every process.
        for quantity, (*_, expression) in QUANTITIES.items():
            frame = frame.Define(quantity, expression)
        return self.selection(frame.Define("one", "1.f"))

    def in_signal_region(self, view: str) -> str:
        """C++ expression of the cuts of the signal region beyond those of the top candidate."""
        return (
            f"{view}.met > {self.min_met_gev} && {view}.n_veto_leptons == 0 && {view}.n_loose_b >= 1"
            f" && {view}.min_dphi > {self.min_dphi}"
        )

    def selection(self, frame: Any) -> Booking:
        """Book cut flow and regions on a frame with `view` and `weight`."""
        cutflow = [("all", "all events of the snapshot", frame.Count())]

        def step(frame: Any, name: str, label: str, condition: str) -> Any:
            left = frame.Filter(condition, label)
            cutflow.append((name, label, left.Count()))
            return left

        preselected = step(frame, "preselected", "preselection", "view.preselected")
        top = step(preselected, "top", "a top candidate", "view.category != 7")
        hard = step(top, "met", f"missing momentum > {self.min_met_gev:g} GeV", f"view.met > {self.min_met_gev}")
        quiet = step(hard, "leptons", "no lepton", "view.n_veto_leptons == 0")
        tagged = step(quiet, "b_jet", "a loose b jet", "view.n_loose_b >= 1")
        signal = step(tagged, "dphi", f"min Δφ(jet, missing) > {self.min_dphi:g}", f"view.min_dphi > {self.min_dphi}")
        regions = {
            "top": top,
            "SR": signal,
            "SR_central": signal.Filter("view.n_forward == 0"),
            "SR_forward": signal.Filter("view.n_forward > 0"),
            "SR_score": signal.Filter(f"view.top_score > {self.min_score}"),
            "CR_multijet": tagged.Filter(f"view.min_dphi <= {self.min_dphi}"),
        }
        varied: list[tuple[HistogramSpec, Any]] = []
        for region, of_region in regions.items():
            words = REGIONS[region]
            varied.append(booked(of_region, HistogramSpec(region, words, "", 1, 0.5, 1.5, weighted=True), "one"))
            for quantity, (title, unit, n_bins, low, high, _) in QUANTITIES.items():
                if quantity == "MT_T" or region in IN_DETAIL:
                    spec = HistogramSpec(f"{region}/{quantity}", f"{title}, {words}", unit, n_bins, low, high, True)
                    varied.append(booked(of_region, spec, quantity))
        tallies = {"events_sum": frame.Define("event_number", "ULong64_t(event)").Sum("event_number")}
        return Booking(tuple(cutflow), tallies, (), tuple(varied))


def weight(**replaced: str) -> str:
    """C++ expression of an event's weight, with columns replaced by others."""
    return " * ".join(replaced.get(name, name) for name in ("genWeight", *WEIGHTS.values()))


def booked(frame: Any, spec: HistogramSpec, column: str) -> tuple[HistogramSpec, Any]:
    """A weighted histogram that is filled in the event loop."""
    model = (spec.name.replace("/", "_"), spec.title, spec.n_bins, spec.low, spec.high)
    return spec, frame.Histo1D(model, column, "weight")
