"""Weights of simulated events, and their variations for pile-up and b tagging.

Parametrised, unverified: CMS's own scale factors and pile-up profiles need files that are not part of NanoAOD. Where a
file has been given `puWeight` columns, those are used.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .nano_objects import MAX_JET_ETA, MIN_JET_PT_GEV, jet_identification
from .nanoaod import Columns
from .numeric import library

# CMS varies the inelastic cross section, and with it the number of interactions, by 4.6 %.
PILE_UP_SHIFT = 0.046
PILE_UP_MEAN, PILE_UP_WIDTH = 36.0, 10.0
MAX_PILE_UP_WEIGHT = 5.0
B_EFFICIENCY, LIGHT_EFFICIENCY = 0.92, 0.10
B_SHIFT, LIGHT_SHIFT = 0.03, 0.10
B_FLAVOUR = 5

Weights = NDArray[np.float32]


def weights(columns: Columns) -> dict[str, Weights]:
    """For each event: `genWeight`, `puWeight` and `btagWeight`, the latter two also with `_up` and `_down`."""
    everything = np.ones(len(columns["event"]), np.float32)
    generated = columns.get("genWeight")
    found = {"genWeight": everything if generated is None else np.asarray(generated)}
    found |= pile_up(columns, everything)
    for suffix, sign in (("", 0.0), ("_up", 1.0), ("_down", -1.0)):
        found[f"btagWeight{suffix}"] = b_tag(columns, sign) if "Jet_hadronFlavour" in columns else everything
    return {name: values.astype(np.float32) for name, values in found.items()}


def pile_up(columns: Columns, everything: Weights) -> dict[str, NDArray[Any]]:
    """Pile-up weights: of the file, else the ratio of a shifted normal distribution to the one in place."""
    nominal = np.asarray(columns.get("puWeight", everything))
    found: dict[str, NDArray[Any]] = {"puWeight": nominal}
    interactions = columns.get("Pileup_nTrueInt")
    for name, sign in (("Up", 1.0), ("Down", -1.0)):
        own = columns.get(f"puWeight{name}")
        if own is not None:
            varied = np.asarray(own)
        elif interactions is not None:
            distance = np.asarray(interactions, np.float64) - PILE_UP_MEAN
            moved = distance - sign * PILE_UP_SHIFT * PILE_UP_MEAN
            ratio = np.exp((distance**2 - moved**2) / (2 * PILE_UP_WIDTH**2))
            varied = nominal * np.clip(ratio, 1 / MAX_PILE_UP_WEIGHT, MAX_PILE_UP_WEIGHT)
        else:
            varied = nominal
        found[f"puWeight_{name.lower()}"] = varied
    return found


def b_tag(columns: Columns, sign: float) -> NDArray[np.float64]:
    """Product, over good jets, of the scale factor of tagged ones and (1 - SF ε)/(1 - ε) of the others."""
    ak = library("awkward")
    good = (columns["Jet_pt"] > MIN_JET_PT_GEV) & (abs(columns["Jet_eta"]) < MAX_JET_ETA) & jet_identification(columns)
    is_b = columns["Jet_hadronFlavour"][good] == B_FLAVOUR
    efficiency = ak.where(is_b, B_EFFICIENCY, LIGHT_EFFICIENCY)
    factor = 1 + sign * ak.where(is_b, B_SHIFT, LIGHT_SHIFT)
    tagged = columns["Jet_btag"][good] > columns["Jet_loose_b"]
    of_jets = ak.where(tagged, factor, (1 - factor * efficiency) / (1 - efficiency))
    return np.asarray(ak.prod(of_jets, axis=1), np.float64)
