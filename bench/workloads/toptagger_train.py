"""Training of the networks that score top candidates: the same weights from the same seed.

Trained on generated events (`nano_events`), whose truth is known and which can be had everywhere. The 200 events of
the real file are too few to train on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .nano_events import generate
from .nano_objects import objects
from .nanoaod import BRANCHES, TRUTH, Columns, converted
from .numeric import library
from .toptagger import (
    FAT_JET_BIT,
    FAT_JET_RADIUS,
    RESOLVED,
    Candidates,
    Features,
    distance,
    mixed,
    resolved,
)

SEED = 4
TRAINING_EVENTS = 6_000
# Events that no network has seen in training: the working points come from them.
HELD_OUT_EVENTS = 3_000
# True candidates are few: so many false ones for each are enough to learn from.
FALSE_PER_TRUE = 4
JET_RADIUS = 0.4
# b and both quarks of one W, for either top: places of the quarks are bits.
WHOLE_TOPS = (0b000111, 0b111000)
LOOSE_FALSE_POSITIVES, TIGHT_FALSE_POSITIVES = 0.10, 0.05
NETWORK: Mapping[str, Any] = {
    "hidden_layer_sizes": (24, 12),
    "alpha": 1e-4,
    "batch_size": 256,
    "learning_rate_init": 3e-3,
    "max_iter": 12,
}

Labels = NDArray[np.bool_]


@dataclass(frozen=True)
class Sample:
    """Candidates with their truth: features (n, …), labels (n,), and the event each belongs to (n,)."""

    features: Features
    labels: Labels
    event: NDArray[np.int64]


@dataclass(frozen=True)
class Trained:
    """A network, how it does on the held-out events, and its file's bytes."""

    kind: str
    model: bytes
    loose: float
    tight: float
    area_under_curve: float
    efficiency_loose: float
    efficiency_tight: float
    n_true: int
    n_false: int


def quarks(columns: Columns) -> Any:
    """The quarks of hadronically decaying tops: lists of records eta, phi, bit.

    A top counts when both quarks of its W and its b are there. t has the bits 1, 2 (W), 4 (b), t̄ 8, 16, 32.
    """
    ak = library("awkward")
    kind, mother = columns["GenPart_pdgId"], columns["GenPart_genPartIdxMother"]
    of_mother = ak.fill_none(kind[ak.mask(mother, mother >= 0)], 0, axis=1)
    found: list[Any] = []
    for sign, shift in ((1, 0), (-1, 3)):
        from_w = (abs(kind) <= 5) & (of_mother == 24 * sign)
        bottom = (kind == 5 * sign) & (of_mother == 6 * sign)
        whole = (ak.sum(from_w, axis=1) == 2) & (ak.sum(bottom, axis=1) == 1)
        for chosen, bits in ((from_w, np.array([1, 2])), (bottom, np.array([4]))):
            kept = chosen & whole
            eta, phi = columns["GenPart_eta"][kept], columns["GenPart_phi"][kept]
            place = ak.local_index(eta, axis=1)
            bit = ak.unflatten(bits[np.asarray(ak.flatten(place))] << shift, ak.num(place))
            found.append(ak.zip({"eta": eta, "phi": phi, "bit": bit}))
    return ak.concatenate(found, axis=1)


def quark_bits(jets: Any, of_events: Any, radius: float) -> Any:
    """For each jet the bits of the quarks within a radius."""
    ak = library("awkward")
    pairs = ak.cartesian({"jet": jets, "quark": of_events}, nested=True)
    inside = distance(pairs.jet, pairs.quark) < radius
    return ak.sum(ak.where(inside, pairs.quark.bit, 0), axis=2)


def labels(candidates: Candidates, jets: Any, fat_jets: Any, columns: Columns) -> Labels:
    """True where the jets of a candidate hold the three quarks of one top, and each of the jets one or more of them."""
    ak = library("awkward")
    truth = quarks(columns)
    event = np.repeat(np.arange(len(candidates.counts)), candidates.counts)
    bits, all_hold = np.zeros(len(event), np.int64), np.ones(len(event), bool)
    for collection, radius, first in ((jets, JET_RADIUS, 0), (fat_jets, FAT_JET_RADIUS, FAT_JET_BIT)):
        of_jets = quark_bits(collection, truth, radius)
        most = int(ak.max(ak.num(of_jets), initial=0))
        table = np.asarray(ak.fill_none(ak.pad_none(of_jets, most, clip=True), 0), np.int64)
        for place in range(most):
            used = (candidates.members >> (first + place)) & 1 == 1
            held = np.where(used, table[event, place], 0)
            all_hold &= ~used | (held != 0)
            bits |= held
    return all_hold & np.isin(bits, WHOLE_TOPS)


def sample(kind: str, columns: Columns) -> Sample:
    """All candidates of some events, with their truth.

    Parameters
    ----------
    columns : mapping
        Branches of NanoAOD, generator particles included.
    """
    selected = objects(converted(columns, BRANCHES))
    candidates = resolved(selected.jets) if kind == RESOLVED else mixed(selected.jets, selected.fat_jets)
    truth = labels(candidates, selected.jets, selected.fat_jets, converted(columns, TRUTH))
    event = np.repeat(np.arange(len(candidates.counts)), candidates.counts)
    return Sample(candidates.features, truth, event)


def thinned(whole: Sample, seed: int) -> Sample:
    """All true candidates, and FALSE_PER_TRUE times as many false ones, drawn at random."""
    rng = np.random.default_rng(seed)
    false = np.flatnonzero(~whole.labels)
    n = min(len(false), FALSE_PER_TRUE * int(whole.labels.sum()))
    kept = np.sort(np.concatenate([np.flatnonzero(whole.labels), rng.choice(false, n, replace=False)]))
    return Sample(whole.features[kept], whole.labels[kept], whole.event[kept])


def generated_sample(kind: str, seed: int, first: int, last: int) -> Sample:
    """Thinned candidates of generated events first … last - 1."""
    return thinned(sample(kind, generate(seed, first, last)), seed)


def classifier(seed: int, parameters: Mapping[str, Any] = NETWORK) -> Any:
    """Scaling and network, untrained, as a pipeline of scikit-learn."""
    network = library("sklearn.neural_network").MLPClassifier(random_state=seed, **parameters)
    return library("sklearn.pipeline").make_pipeline(library("sklearn.preprocessing").StandardScaler(), network)


def fitted(model: Any, training: Sample) -> Any:
    """The model after training, on one thread: the order of sums, and with it the weights, hangs on their number."""
    warnings, errors = library("warnings"), library("sklearn.exceptions")
    with library("threadpoolctl").threadpool_limits(1), warnings.catch_warnings():
        # The number of iterations is a choice, not a limit that was run into.
        warnings.simplefilter("ignore", errors.ConvergenceWarning)
        # In single precision the last bits of a sum grow to visible differences between machines.
        return model.fit(training.features.astype(np.float64), training.labels)


def predicted(model: Any, tested: Sample) -> NDArray[np.float64]:
    """Scores of all candidates (n,) by a trained model, on one thread and in double precision like the training."""
    with library("threadpoolctl").threadpool_limits(1):
        return model.predict_proba(tested.features.astype(np.float64))[:, 1]


def train(kind: str, seed: int = SEED, training_events: int = TRAINING_EVENTS) -> Trained:
    """Train a network, find its working points on other events, and put both into one file.

    The working points are the scores that 10 % and 5 % of all false candidates exceed.
    """
    training = generated_sample(kind, seed, 0, training_events)
    model = fitted(classifier(seed), training)
    held_out = sample(kind, generate(seed, training_events, training_events + HELD_OUT_EVENTS))
    scores = predicted(model, held_out)
    true, false = scores[held_out.labels], scores[~held_out.labels]
    loose, tight = (
        round(float(np.quantile(false, 1 - share)), 3) for share in (LOOSE_FALSE_POSITIVES, TIGHT_FALSE_POSITIVES)
    )
    return Trained(
        kind,
        as_onnx(model, training.features[:1], {"loose": str(loose), "tight": str(tight), "seed": str(seed)}),
        loose,
        tight,
        float(library("sklearn.metrics").roc_auc_score(held_out.labels, scores)),
        float((true > loose).mean()),
        float((true > tight).mean()),
        len(true),
        len(false),
    )


def as_onnx(model: Any, example: Features, notes: Mapping[str, str]) -> bytes:
    """The pipeline as a file of ONNX, in single precision, with notes."""
    converter = library("skl2onnx")
    graph = converter.to_onnx(model, example, options={"zipmap": False}, target_opset=17)
    for name, value in notes.items():
        entry = graph.metadata_props.add()
        entry.key, entry.value = name, value
    return graph.SerializeToString(deterministic=True)


def weights(model: bytes) -> dict[str, NDArray[Any]]:
    """The numbers in a file of ONNX, by name."""
    onnx = library("onnx")
    graph = onnx.load_from_string(model).graph
    found = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    # The scaling in front of the network is not kept as one of these.
    for node in graph.node:
        found |= {f"{node.name}.{each.name}": np.asarray(each.floats) for each in node.attribute if each.floats}
    return found


def largest_change(one: bytes, other: bytes) -> float:
    """Largest difference between the weights of two files; infinite when they are not networks of the same shape."""
    first, second = weights(one), weights(other)
    if {name: values.shape for name, values in first.items()} != {name: v.shape for name, v in second.items()}:
        return float("inf")
    return max(float(np.max(np.abs(values - second[name]), initial=0)) for name, values in first.items())
