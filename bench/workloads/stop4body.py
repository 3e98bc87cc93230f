"""ATLAS: search for the stop in four-body decays with two leptons, on n-tuples of its Wt background.

One tree for the nominal kinematics and one for each of its 40 variations; variations of the event weight are columns of
the nominal tree and are all taken in one pass (`Vary`). Each region gives its yield in a histogram of one bin.

Sources
-------
Trees, variations, weights and raw yields: INFN Napoli's notebook `Sept_DistributedClient_Selector.ipynb`. Cuts: see
`cuts/*.yaml`. There, every count and yield is a loop of its own, the three campaigns are merged on the client, and the
mirrored side of one-sided variations is kept for the last region only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .columns import NO_NUMBER, MissingColumns
from .model import NOMINAL, Booking, HistogramSpec
from .stop4body_cuts import Cuts, default_cuts, expression
from .stop4body_systematics import DOWN, NOMINAL_TREE, UP, VARIATIONS, WEIGHTS, tree_of

# Of the process Wt; that of tt̄ is 0.90 ± 0.12, that of VV 1.00 ± 0.25 (the notebook's).
NORMALISATION = 1.0
NEEDED = ("RunNumber", "EventNumber", "weight", "WeightEventsbTag", "WeightEventsPU")


@dataclass(frozen=True)
class Stop4Body:
    """Yields in the signal regions for the nominal sample and all variations.

    Parameters
    ----------
    cuts : Cuts
        Preselection and regions.
    variations : tuple of str
        Variations of the kinematics; each has a tree of its own.
    weights : tuple of str
        Variations of the event weight that are taken in the same pass.
    factor : str
        What the nominal weight is multiplied by: a variation's column gives its yields in a pass of their own.
    """

    cuts: Cuts = field(default_factory=default_cuts)
    variations: tuple[str, ...] = VARIATIONS
    weights: tuple[str, ...] = WEIGHTS
    factor: str = "1.0"

    name: str = "atlas-stop4body"
    title: str = "ATLAS stop → 4 bodies, two leptons: yields of Wt"
    tree: str = NOMINAL_TREE
    mass_histogram: str = ""

    @property
    def trees(self) -> tuple[str, ...]:
        return (self.tree, *(tree_of(variation) for variation in self.variations))

    @property
    def code(self) -> str:
        return (Path(__file__).parent / "cxx" / "stop4body.hpp").read_text()

    def book(self, tree: str, frame: Any, columns: Iterable[str]) -> Booking:
        present = set(columns)
        nominal = tree == self.tree
        weights = self.weights if nominal else ()
        sides = [f"{name}__{side}" for name in weights for side in (UP, DOWN)]
        missing = [name for name in (*NEEDED, *sides) if name not in present]
        if missing:
            raise MissingColumns(f"{self.name}, in the tree {tree},", missing, present)
        self.cuts.check(present)

        all_events = frame.Count()
        tallies = {
            f"entries of {tree}": all_events,
            # Event numbers are the only identity of an entry: a lost one changes this, and so does one read twice.
            f"sum of event numbers of {tree}": frame.Sum("EventNumber"),
        }
        frame = frame.Define(
            "event_weight",
            "double(weight) * WeightEventsbTag * WeightEventsPU"
            f" * bench::stop4body::Luminosity(RunNumber) * {NORMALISATION} * {self.factor}",
        ).Define("one", "1.0")
        tallies[f"weights of {tree} {NO_NUMBER}"] = frame.Filter("!std::isfinite(event_weight)").Count()
        for name in weights:
            both = ", ".join(f"event_weight * {name}__{side}" for side in (UP, DOWN))
            frame = frame.Vary("event_weight", f"ROOT::RVecD{{{both}}}", [UP, DOWN], name)

        selected = frame.Filter(expression(self.cuts.preselection), "preselection")
        preselected = selected.Count()
        cutflow = [("all", "all events", all_events), ("preselection", "preselection", preselected)]
        yields: list[tuple[HistogramSpec, Any]] = []
        for region, cuts in self.cuts.regions.items():
            inside = selected.Filter(expression(cuts), region)
            if nominal:
                cutflow.append((region, f"in {region}", inside.Count()))
            # Vary gives each of its histograms the name of the variation.
            name = region if weights else f"{region}/{NOMINAL if nominal else tree.removeprefix('Wt_')}"
            spec = HistogramSpec(name, f"yield in {region}", "events", 1, 0.5, 1.5, weighted=True)
            model = (spec.name.replace("/", "_"), spec.title, spec.n_bins, spec.low, spec.high)
            yields.append((spec, inside.Histo1D(model, "one", "event_weight")))
        # The raw numbers of a variation's events in the regions are the entries of its histograms.
        steps = tuple(cutflow) if nominal else ()
        if not nominal:
            tallies[f"preselected of {tree}"] = preselected
        return Booking(steps, tallies, (), tuple(yields)) if weights else Booking(steps, tallies, tuple(yields))
