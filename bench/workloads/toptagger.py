"""Candidates for hadronic top quarks, and their scores by networks that are called once for many candidates.

Resolved: all triples of jets. Mixed: a fat jet with two or three jets, of which those outside of it add to the
momentum. Merged: fat jets, with the score that NanoAOD has for them. After the candidates of INFN Napoli's analysis,
whose networks cannot be had: these are trained by `bench train-tagger` on generated events (`toptagger_train`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .nano_kinematics import mass_of, pt_eta_phi
from .nano_objects import delta_phi
from .numeric import library

MODELS = Path(__file__).parent / "models"
RESOLVED, MIXED, MERGED = "Resolved", "Mixed", "Merged"
TRAINED = (RESOLVED, MIXED)
# False positives of 10 % and 5 % in INFN Napoli's analysis.
MERGED_LOOSE, MERGED_TIGHT = 0.075, 0.250
FAT_JET_RADIUS = 0.8
# Rows of one call: always the same number, filled up with zeros. So the same arithmetic is done for a candidate
# whatever others are beside it, and clusters of any size give the same bits.
ROWS = 512
# Bits of the jets that a candidate is made of: jets from 0, fat jets from here.
FAT_JET_BIT = 32

Features = NDArray[np.float32]


@dataclass(frozen=True)
class Candidates:
    """Candidates of many events, one after the other.

    `counts` says how many each event has; the others have a value a candidate: GeV and radians, the bits of the jets
    it is made of, and `features` (candidates, n).
    """

    counts: NDArray[np.int64]
    pt: Features
    eta: Features
    phi: Features
    mass: Features
    members: NDArray[np.int64]
    features: Features


def vectors(record: Any) -> NDArray[np.float64]:
    """(n, 4): px, py, pz, E of flat records with pt, eta, phi, mass."""
    pt, eta, phi, mass = (np.asarray(record[name], np.float64) for name in ("pt", "eta", "phi", "mass"))
    momentum = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=1)
    return np.concatenate([momentum, np.sqrt((momentum**2).sum(axis=1) + mass**2)[:, None]], axis=1)


def kinematics(total: NDArray[np.float64]) -> tuple[Features, Features, Features, Features]:
    """pt, eta, phi, mass of (n, 4), in single precision."""
    pt, eta, phi = (each.astype(np.float32) for each in pt_eta_phi(total))
    return pt, eta, phi, mass_of(total).astype(np.float32)


def jet_features(jet: Any, pt: Features, eta: Features, phi: Features) -> list[Features]:
    """What a network sees of one jet of each candidate."""
    own = np.asarray(jet.pt, np.float32)
    seen: list[Any] = [
        np.log(np.maximum(own, 1)) / 5,
        np.minimum(own / np.maximum(pt, 1), 5),
        np.clip(np.asarray(jet.btag, np.float32), 0, 1),
        np.asarray(jet.mass, np.float32) / np.maximum(own, 1),
        np.clip(np.asarray(jet.eta, np.float32) - eta, -5, 5),
        np.asarray(delta_phi(jet.phi, phi), np.float32),
    ]
    return seen


def top_features(pt: Features, eta: Features, mass: Features) -> list[Features]:
    """What a network sees of the whole candidate."""
    seen: list[Any] = [np.log(np.maximum(mass, 1)) - np.float32(5.15), np.log(np.maximum(pt, 1)) / 5, np.abs(eta)]
    return seen


def pair_mass(a: NDArray[np.float64], b: NDArray[np.float64]) -> Features:
    """Mass of two, as a logarithm relative to that of the W."""
    return np.log(np.maximum(mass_of(a + b).astype(np.float32), 1)) - np.float32(4.39)


def with_place(collection: Any) -> Any:
    """The collection with each element's place in its event."""
    ak = library("awkward")
    return ak.with_field(collection, ak.local_index(collection, axis=1), "place")


def resolved(jets: Any) -> Candidates:
    """All triples of jets."""
    ak = library("awkward")
    triples = ak.combinations(with_place(jets), 3)
    flat = ak.flatten(triples)
    legs = [flat[str(leg)] for leg in range(3)]
    momenta = [vectors(leg) for leg in legs]
    pt, eta, phi, mass = kinematics(momenta[0] + momenta[1] + momenta[2])
    rows = top_features(pt, eta, mass)
    rows += [pair_mass(momenta[a], momenta[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    for leg in legs:
        rows += jet_features(leg, pt, eta, phi)
    return Candidates(
        np.asarray(ak.num(triples), np.int64), pt, eta, phi, mass, member_bits(legs), np.stack(rows, axis=1)
    )


def mixed(jets: Any, fat_jets: Any) -> Candidates:
    """Each fat jet with all pairs, and with all triples, of jets of which one or more are outside of it."""
    ak = library("awkward")
    jets, fat_jets = with_place(jets), with_place(fat_jets)
    kinds: list[tuple[Any, NDArray[np.int64], Any, Features]] = []
    for n in (2, 3):
        pairs = ak.cartesian({"fat": fat_jets, "jets": ak.combinations(jets, n)})
        kinds.append(mixed_of(pairs, n))
    counts = kinds[0][1] + kinds[1][1]
    # Event by event, those with two jets before those with three.
    event = np.concatenate([np.repeat(np.arange(len(counts)), kind[1]) for kind in kinds])
    order = np.argsort(event, kind="stable")
    pt, eta, phi, mass = kinematics(np.concatenate([kind[0] for kind in kinds])[order])
    features = np.concatenate([kind[3] for kind in kinds])[order]
    return Candidates(counts, pt, eta, phi, mass, np.concatenate([kind[2] for kind in kinds])[order], features)


def mixed_of(pairs: Any, n: int) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], Features]:
    """Momenta, counts, member bits and features of a fat jet with n jets."""
    ak = library("awkward")
    flat = ak.flatten(pairs)
    fat, legs = flat.fat, [flat.jets[str(leg)] for leg in range(n)]
    outside = [np.asarray(distance(leg, fat)) >= FAT_JET_RADIUS for leg in legs]
    any_outside = np.logical_or.reduce(outside)
    event = np.repeat(np.arange(len(pairs)), np.asarray(ak.num(pairs)))[any_outside]
    counts = np.bincount(event, minlength=len(pairs)).astype(np.int64)
    fat, legs = fat[any_outside], [leg[any_outside] for leg in legs]
    total = vectors(fat)
    for leg, out in zip(legs, outside, strict=True):
        total = total + vectors(leg) * out[any_outside][:, None]
    pt, eta, phi, mass = kinematics(total)
    rows = top_features(pt, eta, mass)
    own = np.asarray(fat.pt, np.float32)
    rows += [
        np.log(np.maximum(own, 1)) / 5,
        np.minimum(own / np.maximum(pt, 1), 5),
        np.asarray(fat.mass, np.float32) / 100,
        np.clip(np.asarray(fat.top, np.float32), 0, 1),
        np.clip(np.asarray(fat.w, np.float32), 0, 1),
        np.clip(np.asarray(fat.eta, np.float32) - eta, -5, 5),
        np.asarray(delta_phi(fat.phi, phi), np.float32),
    ]
    for leg, out in zip(legs, outside, strict=True):
        rows += [*jet_features(leg, pt, eta, phi), out[any_outside].astype(np.float32)]
    rows += [np.zeros_like(pt)] * (7 * (3 - n))
    members = member_bits(legs) | np.left_shift(1, FAT_JET_BIT + np.asarray(fat.place, np.int64))
    return total, counts, members, np.stack(rows, axis=1).astype(np.float32)


def merged(fat_jets: Any) -> Candidates:
    """Fat jets; their only feature is the score that they come with."""
    ak = library("awkward")
    flat = ak.flatten(with_place(fat_jets))
    pt, eta, phi, mass, score = (np.asarray(flat[name], np.float32) for name in ("pt", "eta", "phi", "mass", "top"))
    members = np.left_shift(1, FAT_JET_BIT + np.asarray(flat.place, np.int64))
    return Candidates(np.asarray(ak.num(fat_jets), np.int64), pt, eta, phi, mass, members, score[:, None])


def member_bits(legs: list[Any]) -> NDArray[np.int64]:
    """Bits of the places of some jets."""
    bits = np.zeros(len(legs[0]), np.int64)
    for leg in legs:
        bits |= np.left_shift(1, np.asarray(leg.place, np.int64))
    return bits


def distance(a: Any, b: Any) -> Any:
    """ΔR in pseudorapidity and azimuth."""
    return np.hypot(a.eta - b.eta, delta_phi(a.phi, b.phi))


class Tagger:
    """A network that gives candidates a score between 0 and 1, and its two working points."""

    def __init__(self, path: Path) -> None:
        runtime = library("onnxruntime")
        options = runtime.SessionOptions()
        # A worker has one thread; several here would take the processors of its neighbours.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        self.output = self.session.get_outputs()[-1].name
        notes = self.session.get_modelmeta().custom_metadata_map
        self.loose, self.tight = float(notes["loose"]), float(notes["tight"])

    def call(self, features: Features) -> Features:
        """One call of the network, for as many candidates as there are rows; none for none, which it would refuse."""
        if not len(features):
            return np.zeros(0, np.float32)
        return self.session.run([self.output], {self.input: features})[0][:, 1]

    def score(self, features: Features) -> Features:
        """Scores of many candidates (n, features) → (n,), by calls of ROWS candidates each."""
        scores = np.empty(len(features), np.float32)
        for first in range(0, len(features), ROWS):
            rows = features[first : first + ROWS]
            block = np.zeros((ROWS, features.shape[1]), np.float32)
            block[: len(rows)] = rows
            scores[first : first + len(rows)] = self.call(block)[: len(rows)]
        return scores


@cache
def tagger(kind: str) -> Tagger:
    """The network that the package ships for Resolved or Mixed candidates; loaded once a process."""
    return Tagger(model_path(kind))


def model_path(kind: str, folder: Path = MODELS) -> Path:
    """File of a network."""
    return folder / f"toptagger_{kind.lower()}.onnx"


def without_overlap(
    candidates: Candidates, scores: Features, loose: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Candidates above a score that share no jet: the best of an event first, then the best of what is left.

    Returns
    -------
    tuple
        How many each event keeps, and their places in the arrays: by event, then by falling score.
    """
    passing = np.flatnonzero(scores > loose)
    event = np.repeat(np.arange(len(candidates.counts)), candidates.counts)[passing]
    # Of equal scores the one that comes first.
    order = np.lexsort((passing, -scores[passing], event))
    left, event = passing[order], event[order]
    chosen: list[NDArray[np.int64]] = []
    owner: list[NDArray[np.int64]] = []
    while len(left):
        events, best = np.unique(event, return_index=True)
        chosen.append(left[best])
        owner.append(events)
        taken = candidates.members[left[best]][np.searchsorted(events, event)]
        free = (candidates.members[left] & taken) == 0
        left, event = left[free], event[free]
    places = np.concatenate(chosen) if chosen else np.zeros(0, np.int64)
    owners = np.concatenate(owner) if owner else np.zeros(0, np.int64)
    return np.bincount(owners, minlength=len(candidates.counts)), places[np.argsort(owners, kind="stable")]
