"""Generated collisions with the columns and types of NanoAOD v12: tt̄ and T' → tZ(νν), without a simulated detector.

The real file that there is holds 200 events; this gives as many as are asked for, with the truth that a tagger is
trained on. Decays are two-body phase space, jets are the quarks with a resolution, and what merges within a jet's
radius becomes one jet. Enough for a tagger to have something to learn; no measurement is to be compared with it.

Events come in blocks, each with random numbers of its own, so that any part of a sample is the same whoever makes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .nano_kinematics import (
    Array,
    Mask,
    cluster,
    direction,
    four_momentum,
    mass_of,
    pt_eta_phi,
    two_body,
)
from .numeric import library

BLOCK_EVENTS = 500
TOP_MASS_GEV, W_MASS_GEV, B_MASS_GEV = 172.5, 80.4, 4.8
HADRONIC_SHARE = 0.674  # of W decays, PDG
SIGNAL_SHARE = 0.25
N_RADIATED = 6
LAST_COPY, HARD_PROCESS = 1 << 13, 1 << 7
# NanoAOD keeps about so many bits of a mantissa; it also hides that machines round logarithms differently.
MANTISSA_BITS = 11

Columns = dict[str, Any]
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Partons:
    """What the collision made: quarks and gluons (events, slots, 4), and how they came about."""

    momentum: Array
    valid: Mask
    flavour: Whole
    top: Whole  # 0, 1: the top quark that a parton came from; -1: none


def generate(seed: int, first: int, last: int) -> Columns:
    """Events first … last - 1 of the endless sample that belongs to a seed.

    Returns
    -------
    dict
        Branch name → array of last - 1 - first values, or awkward array of lists. GeV, radians.
    """
    ak = library("awkward")
    blocks = [block(seed, number) for number in range(first // BLOCK_EVENTS, -(-last // BLOCK_EVENTS))]
    offset = first - first // BLOCK_EVENTS * BLOCK_EVENTS
    wanted = slice(offset, offset + last - first)
    return {name: ak.concatenate([each[name] for each in blocks])[wanted] for name in blocks[0]}


def block(seed: int, number: int) -> Columns:
    """One block of events."""
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, number])))
    n = BLOCK_EVENTS
    signal = rng.random(n) < SIGNAL_SHARE
    tops = top_quarks(rng, signal)
    w, b = two_body(rng, tops, np.full((n, 2), W_MASS_GEV), np.full((n, 2), B_MASS_GEV))
    first, second = two_body(rng, w, np.zeros((n, 2)), np.zeros((n, 2)))
    # Column 1 of a signal event is the Z, whose neutrinos are not seen.
    is_top = np.stack([np.ones(n, bool), ~signal], axis=1)
    hadronic = (rng.random((n, 2)) < HADRONIC_SHARE) | (signal[:, None] & is_top)
    lepton = np.where(rng.random((n, 2)) < 0.5, 11, 13)
    partons = all_partons(rng, b, first, second, is_top, hadronic)
    jet_columns, missed = jet_collection(rng, partons)
    unseen = (second * (is_top & ~hadronic)[:, :, None]).sum(axis=1) + tops[:, 1] * signal[:, None]
    missing = unseen[:, :2] + missed + rng.normal(0, 12, (n, 2))
    columns: Columns = {
        **event_columns(rng, number, missing),
        **jet_columns,
        **fat_jet_columns(rng, partons),
        **lepton_columns("Electron", first, is_top & ~hadronic & (lepton == 11)),
        **lepton_columns("Muon", first, is_top & ~hadronic & (lepton == 13)),
        **truth_columns(tops, w, b, first, second, is_top, hadronic, lepton),
    }
    return {name: rounded(values) for name, values in columns.items()}


def top_quarks(rng: np.random.Generator, signal: Mask) -> Array:
    """Momenta of both tops (tt̄), or of top and Z (signal): (events, 2, 4)."""
    n = len(signal)
    soft, hard = rng.gamma(2.0, 65.0, n), np.abs(rng.normal(650.0, 220.0, n)) + 50
    pt = np.where(signal, hard, soft)
    phi = rng.uniform(-np.pi, np.pi, n)
    other_pt = np.abs(pt + rng.normal(0, 30, n)) + 1
    other_phi = phi + np.pi + rng.normal(0, 0.3, n)
    rapidity = rng.normal(0, 0.9, (n, 2))
    other_mass = np.where(signal, 91.19, TOP_MASS_GEV)
    return np.stack(
        [
            four_momentum(pt, rapidity[:, 0], phi, np.full(n, TOP_MASS_GEV)),
            four_momentum(other_pt, rapidity[:, 1], other_phi, other_mass),
        ],
        axis=1,
    )


def all_partons(
    rng: np.random.Generator, b: Array, first: Array, second: Array, is_top: Mask, hadronic: Mask
) -> Partons:
    """Quarks of the tops (6 slots) and radiated partons (N_RADIATED slots)."""
    n = len(b)
    radiated_pt = 20 + rng.exponential(35, (n, N_RADIATED))
    radiated = four_momentum(
        radiated_pt,
        rng.uniform(-4.5, 4.5, (n, N_RADIATED)),
        rng.uniform(-np.pi, np.pi, (n, N_RADIATED)),
        0 * radiated_pt,
    )
    from_w = is_top & hadronic
    momentum = np.concatenate([b, first, second, radiated], axis=1)
    n_radiated = rng.poisson(2.2, n)
    valid = np.concatenate([is_top, from_w, from_w, np.arange(N_RADIATED) < n_radiated[:, None]], axis=1)
    flavour = np.concatenate(
        [np.full((n, 2), 5), rng.choice([1, 2, 3, 4], (n, 4)), np.zeros((n, N_RADIATED), int)], axis=1
    )
    top = np.broadcast_to(np.array([0, 1, 0, 1, 0, 1] + N_RADIATED * [-1]), flavour.shape)
    return Partons(momentum, valid, flavour, top)


def jet_collection(rng: np.random.Generator, partons: Partons) -> tuple[Columns, Array]:
    """Jets of radius 0.4: their columns, and what the resolution takes from the event's transverse momentum."""
    momentum, valid, members = cluster(partons.momentum, partons.valid, 0.4)
    pt, eta, phi = pt_eta_phi(momentum)
    scale = np.clip(rng.normal(1, np.sqrt(0.04**2 + 0.9 / np.maximum(pt, 1.0)), pt.shape), 0.2, 2)
    reco = momentum * scale[:, :, None]
    missed = ((momentum - reco) * valid[:, :, None]).sum(axis=1)[:, :2]
    reco_pt = pt * scale
    mass = np.maximum(mass_of(reco), reco_pt * rng.uniform(0.06, 0.16, pt.shape))
    is_b = (members & bits(partons.flavour == 5)[:, None]) != 0
    tag = np.where(is_b, rng.beta(5.0, 0.7, pt.shape), rng.beta(0.35, 7.0, pt.shape))
    kept = valid & (reco_pt > 15) & (np.abs(eta) < 4.7)
    good = rng.random(pt.shape) < 0.98
    order = by_pt(reco_pt, kept)
    names: dict[str, NDArray[Any]] = {
        "pt": reco_pt,
        "eta": eta,
        "phi": phi,
        "mass": mass,
        "area": rng.normal(0.5, 0.02, pt.shape),
        "btagPNetB": np.where(np.abs(eta) < 2.5, tag, -1.0),
        "neHEF": rng.uniform(0, 0.4, pt.shape),
        "neEmEF": rng.uniform(0, 0.4, pt.shape),
        "chEmEF": rng.uniform(0, 0.2, pt.shape),
        "chHEF": rng.uniform(0.1, 0.6, pt.shape),
        "muEF": rng.uniform(0, 0.1, pt.shape),
        "nConstituents": rng.integers(5, 60, pt.shape).astype(np.uint8),
        "jetId": np.where(good, 6, 2).astype(np.uint8),
        "hadronFlavour": np.where(is_b, 5, 0).astype(np.uint8),
    }
    columns = {f"Jet_{name}": lists(values, kept, order) for name, values in names.items()}
    # The jets before the resolution, in the order of the jets after it.
    columns |= {
        f"GenJet_{name}": lists(values, kept, order)
        for name, values in {"pt": pt, "eta": eta, "phi": phi, "mass": mass_of(momentum)}.items()
    }
    columns["Jet_genJetIdx"] = ragged(places(kept, order), kept, order)
    return columns, missed


def fat_jet_columns(rng: np.random.Generator, partons: Partons) -> Columns:
    """Jets of radius 0.8 with pT > 170 GeV."""
    momentum, valid, members = cluster(partons.momentum, partons.valid, 0.8)
    pt, eta, phi = pt_eta_phi(momentum)
    scale = np.clip(rng.normal(1, 0.07, pt.shape), 0.5, 1.5)
    mass = np.maximum(mass_of(momentum) * rng.normal(1, 0.08, pt.shape), pt * rng.uniform(0.03, 0.2, pt.shape))
    inside = np.zeros(pt.shape, int)
    for top in (0, 1):
        of_top = members & bits(partons.top == top)[:, None]
        inside = np.maximum(inside, sum((of_top >> slot) & 1 for slot in range(6)))
    top_like = np.select(
        [inside == 3, inside == 2],
        [rng.beta(4.0, 0.8, pt.shape), rng.beta(0.6, 4.0, pt.shape)],
        rng.beta(0.3, 9.0, pt.shape),
    )
    w_like = np.where(inside == 2, rng.beta(3.0, 0.8, pt.shape), rng.beta(0.3, 6.0, pt.shape))
    kept = valid & (pt * scale > 170) & (np.abs(eta) < 2.6)
    order = by_pt(pt * scale, kept)
    names: dict[str, NDArray[Any]] = {
        "pt": pt * scale,
        "eta": eta,
        "phi": phi,
        "mass": mass,
        "msoftdrop": mass * 0.95,
        "area": rng.normal(2.0, 0.03, pt.shape),
        "btagDeepB": rng.beta(0.8, 1.5, pt.shape),
        "particleNetWithMass_TvsQCD": top_like,
        "particleNetWithMass_WvsQCD": w_like,
        "particleNetWithMass_QCD": np.clip(1 - np.maximum(top_like, w_like), 0, 1),
        "jetId": np.full(pt.shape, 6, np.uint8),
    }
    columns = {f"FatJet_{name}": lists(values, kept, order) for name, values in names.items()}
    generated = {"pt": pt, "eta": eta, "phi": phi, "mass": mass_of(momentum)}
    columns |= {f"GenJetAK8_{name}": lists(values, kept, order) for name, values in generated.items()}
    columns["FatJet_genJetAK8Idx"] = ragged(places(kept, order), kept, order)
    return columns


def lepton_columns(name: str, momentum: Array, present: Mask) -> Columns:
    """Charged leptons of leptonic W decays."""
    pt, eta, phi = pt_eta_phi(momentum)
    kept = present & (pt > 5) & (np.abs(eta) < 2.5)
    order = by_pt(pt, kept)
    charge = np.broadcast_to(np.array([1, -1], np.int32), pt.shape)
    names: dict[str, NDArray[Any]] = {
        "pt": pt,
        "eta": eta,
        "phi": phi,
        "mass": np.full(pt.shape, 0.1),
        "charge": charge,
    }
    if name == "Electron":
        names |= {"cutBased": np.full(pt.shape, 4, np.uint8), "mvaIso_WP80": kept}
    else:
        names |= {"looseId": kept, "tightId": kept, "pfIsoId": np.full(pt.shape, 4, np.uint8)}
        names["pfRelIso04_all"] = np.full(pt.shape, 0.05)
    return {f"{name}_{member}": lists(values, kept, order) for member, values in names.items()}


def truth_columns(
    tops: Array,
    w: Array,
    b: Array,
    first: Array,
    second: Array,
    is_top: Mask,
    hadronic: Mask,
    lepton: Whole,
) -> Columns:
    """Generator particles: for each top itself, W, b and the W's daughters, each after its mother; the Z at the end."""
    n = len(tops)
    sign = (1, -1)
    kinds: list[tuple[Array, Whole, int, Mask]] = []  # momentum, pdgId, mother's place in the five, present
    for i in (0, 1):
        had, s = hadronic[:, i], sign[i]
        up: Whole = np.where(had, 2 * s, -s * lepton[:, i])
        down: Whole = np.where(had, -s, s * (lepton[:, i] + 1))
        own: Whole = np.where(is_top[:, i], 6 * s, 23)
        rows: tuple[tuple[Array, Whole, int], ...] = (
            (tops[:, i], own, -1),
            (w[:, i], np.full(n, 24 * s), 0),
            (b[:, i], np.full(n, 5 * s), 0),
            (first[:, i], up, 1),
            (second[:, i], down, 1),
        )
        for momentum, kind, mother in rows:
            kinds.append((momentum, kind, mother, is_top[:, i] if mother >= 0 else np.ones(n, bool)))
    momentum = np.stack([each[0] for each in kinds], axis=1)
    present = np.stack([each[3] for each in kinds], axis=1)
    mothers = np.array([-1 if each[2] < 0 else 5 * (place // 5) + each[2] for place, each in enumerate(kinds)])
    pt, eta, phi = pt_eta_phi(momentum)
    order = np.broadcast_to(np.arange(10), present.shape)
    names: dict[str, NDArray[Any]] = {
        "pt": pt,
        "eta": eta,
        "phi": phi,
        "mass": mass_of(momentum),
        "pdgId": np.stack([each[1] for each in kinds], axis=1).astype(np.int32),
        "status": np.full(present.shape, 22, np.int32),
        "statusFlags": np.full(present.shape, LAST_COPY | HARD_PROCESS, np.uint16),
        "genPartIdxMother": np.broadcast_to(mothers, present.shape).astype(np.int16),
    }
    return {f"GenPart_{name}": lists(values, present, order) for name, values in names.items()}


def event_columns(rng: np.random.Generator, number: int, missing: Array) -> Columns:
    """What an event has one of."""
    n = len(missing)
    pt = np.hypot(missing[:, 0], missing[:, 1])
    interactions = np.clip(rng.normal(36, 10, n), 5, 80)
    entry = np.arange(n, dtype=np.uint64) + np.uint64(number * n)
    passed = {name: rng.random(n) < 0.998 for name in FILTERS}
    turn_on = 1 / (1 + np.exp(-(pt - 140) / 15))
    return {
        "run": np.ones(n, np.uint32),
        "luminosityBlock": (1 + entry // 1000).astype(np.uint32),
        "event": entry + np.uint64(1),
        "PuppiMET_pt": pt,
        "PuppiMET_phi": direction(missing[:, 0], missing[:, 1]),
        "PV_ndof": rng.uniform(10, 200, n),
        "PV_x": rng.normal(0, 0.005, n),
        "PV_y": rng.normal(0, 0.005, n),
        "PV_z": rng.normal(0, 4.5, n),
        "PV_npvsGood": np.clip(interactions * 0.7, 1, 100).astype(np.uint8),
        "Pileup_nTrueInt": interactions,
        "genWeight": np.where(rng.random(n) < 0.005, -1.0, 1.0),
        **passed,
        **{name: rng.random(n) < turn_on for name in TRIGGERS},
    }


FILTERS = (
    "Flag_goodVertices",
    "Flag_globalSuperTightHalo2016Filter",
    "Flag_EcalDeadCellTriggerPrimitiveFilter",
    "Flag_BadPFMuonFilter",
    "Flag_BadPFMuonDzFilter",
    "Flag_ecalBadCalibFilter",
    "Flag_eeBadScFilter",
)
TRIGGERS = ("HLT_PFMET120_PFMHT120_IDTight", "HLT_PFMETNoMu120_PFMHTNoMu120_IDTight")


def bits(chosen: Mask) -> Whole:
    """One whole number an event with the bits of the chosen slots."""
    powers = np.array([1 << slot for slot in range(chosen.shape[1])], np.int64)
    return chosen.astype(np.int64) @ powers


def by_pt(pt: Array, kept: Mask) -> Whole:
    """Order of the slots: what is kept by falling pT, then the rest."""
    return np.argsort(np.where(kept, -pt, np.inf), axis=1, kind="stable")


def places(kept: Mask, order: Whole) -> NDArray[np.int16]:
    """For slots in order: the place among those that are kept."""
    return (np.cumsum(np.take_along_axis(kept, order, axis=1), axis=1) - 1).astype(np.int16)


def lists(values: NDArray[Any], kept: Mask, order: Whole) -> Any:
    """(events, slots) to a list an event, of the kept slots in that order."""
    return ragged(np.take_along_axis(values, order, axis=1), kept, order)


def ragged(in_order: NDArray[Any], kept: Mask, order: Whole) -> Any:
    """Values that are in order already to a list an event."""
    there = np.take_along_axis(kept, order, axis=1)
    ak = library("awkward")
    return ak.unflatten(in_order[there], there.sum(axis=1))


def rounded(values: Any) -> Any:
    """Floating-point values as float32 with MANTISSA_BITS bits; others as they are."""
    ak = library("awkward")
    flat = np.asarray(ak.flatten(values, axis=None))
    if flat.dtype.kind != "f":
        return values
    fraction, exponent = np.frexp(flat.astype(np.float64))
    short = np.ldexp(np.round(fraction * 2**MANTISSA_BITS), exponent - MANTISSA_BITS).astype(np.float32)
    return ak.unflatten(short, ak.num(values)) if values.ndim > 1 else short


def collections(columns: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The columns by collection: {"Jet": {"pt": …}, …, "": {"run": …}}."""
    grouped: dict[str, dict[str, Any]] = {}
    for name, values in columns.items():
        owner, _, member = name.partition("_")
        if values.ndim > 1:
            grouped.setdefault(owner, {})[member] = values
        else:
            grouped.setdefault("", {})[name] = values
    return grouped
