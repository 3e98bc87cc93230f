"""CMS T' → tZ(νν), step 1: NanoAOD to a snapshot of the selected events with scored top candidates.

Cuts: INFN Napoli's Run-3 analysis (its source). All candidates of a piece of the input are scored together; their
analysis called its networks once for each event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..datasets.files import replacing, sha256
from ..errors import BenchError, Exit
from .content import content_sum
from .model import NOMINAL, CutStep, HistogramSpec, Outcome
from .nano_objects import VARIATIONS, Objects, event_quality, objects, shifted
from .nano_weights import weights
from .nanoaod import TREE, TRIGGERS, Columns, names_in, read
from .numeric import library
from .tasks import Chunk, Filled, Part, Partial, TaskWorkload, chunks, filled, merged
from .toptagger import (
    MERGED,
    MERGED_LOOSE,
    MERGED_TIGHT,
    MIXED,
    RESOLVED,
    TRAINED,
    Candidates,
    Features,
    mixed,
    resolved,
    tagger,
    without_overlap,
)
from .toptagger import merged as merged_candidates

if TYPE_CHECKING:
    from ..engines.model import Job

MIN_MET_GEV = 25.0
# Entries that are worked on together: what bounds the memory. Scores do not hang on it.
ENTRIES_AT_ONCE = 5000
KINDS = (RESOLVED, MIXED, MERGED)
SCORES = {
    kind: HistogramSpec(f"Top{kind}_score", f"score of all {kind.lower()} candidates", "", 40, 0, 1) for kind in KINDS
}
TOP_MASS = HistogramSpec("Top_mass", "mass of selected resolved and mixed candidates", "GeV", 30, 100, 250)


@dataclass(frozen=True)
class Scored:
    """Candidates of one kind and variation: scores of all of them, and which are kept, how many for each event.

    Kept are those above the loose working point; `tight` is the other one.
    """

    candidates: Candidates
    scores: Features
    tight: float
    counts: NDArray[np.int64]
    kept: NDArray[np.int64]

    def lists(self) -> Any:
        """What is kept of each event, as lists of records."""
        ak = library("awkward")
        values = {name: getattr(self.candidates, name)[self.kept] for name in ("pt", "eta", "phi", "mass")}
        values["score"] = self.scores[self.kept]
        values["tight"] = values["score"] > self.tight
        return ak.zip({name: ak.unflatten(flat, self.counts) for name, flat in values.items()})


def scored(kind: str, candidates: Candidates) -> Scored:
    """Score all candidates together, and keep those above the loose working point that share no jet."""
    if kind == MERGED:
        scores, loose, tight = candidates.features[:, 0], MERGED_LOOSE, MERGED_TIGHT
    else:
        network = tagger(kind)
        scores, loose, tight = network.score(candidates.features), network.loose, network.tight
    return Scored(candidates, scores, tight, *without_overlap(candidates, scores, loose))


def all_candidates(found: Objects) -> dict[str, Candidates]:
    """The candidates of each kind."""
    return {
        RESOLVED: resolved(found.jets),
        MIXED: mixed(found.jets, found.fat_jets),
        MERGED: merged_candidates(found.fat_jets),
    }


def preselected(found: Objects) -> NDArray[np.bool_]:
    """Missing momentum, and enough jets to make a top of."""
    ak = library("awkward")
    met = np.asarray(found.met_pt) > MIN_MET_GEV
    return met & (np.asarray(ak.num(found.jets) > 2) | np.asarray(ak.num(found.fat_jets) > 0))


@dataclass(frozen=True)
class Selected:
    """A piece of the input after the selection: what is known of it, and the columns of its selected events."""

    partial: Partial
    columns: Mapping[str, Any]


def skim(columns: Columns) -> Selected:
    """Select events, score their candidates, and make the columns of the snapshot.

    An event is kept when it passes the preselection nominally or in any of the variations; `preselected_<variation>`
    tells in which. The cut flow is the nominal one.
    """
    vertex, filters, trigger = (np.asarray(each) for each in event_quality(columns))
    quality = vertex & filters & trigger
    varied = {variation: objects(shifted(columns, variation)) for variation in VARIATIONS}
    passing = {variation: quality & preselected(found) for variation, found in varied.items()}
    kept = np.logical_or.reduce(list(passing.values()))
    has_trigger = any(f"HLT_{name}" in columns for name in TRIGGERS)
    output: dict[str, Any] = {name: np.asarray(columns[name])[kept] for name in ("run", "luminosityBlock", "event")}
    output |= {name: values[kept] for name, values in weights(columns).items()}
    n_scored, filled_histograms = 0, ()
    for variation, found in varied.items():
        of_kept = Objects(**{name: values[kept] for name, values in vars(found).items()})
        by_kind = {kind: scored(kind, each) for kind, each in all_candidates(of_kept).items()}
        n_scored += sum(len(by_kind[kind].scores) for kind in TRAINED)
        output[f"preselected_{variation}"] = passing[variation][kept]
        output |= {f"{name}_{variation}": values for name, values in event_columns(of_kept).items()}
        output |= {f"Top{kind}_{variation}": each.lists() for kind, each in by_kind.items()}
        if variation == NOMINAL:
            filled_histograms = histograms(by_kind)
    met = quality & (np.asarray(varied[NOMINAL].met_pt) > MIN_MET_GEV)
    steps = (
        ("all", "all events", np.ones_like(vertex)),
        ("vertex", "primary vertex", vertex),
        ("filters", "event filters", vertex & filters),
        ("trigger", "a trigger for missing momentum, where the file has them", quality),
        ("met", f"missing momentum > {MIN_MET_GEV:g} GeV", met),
        ("jets", "> 2 good jets or a good fat jet", passing[NOMINAL]),
    )
    tallies = {
        "events_written": int(kept.sum()),
        "events_without_triggers": 0 if has_trigger else len(vertex),
        "candidates_scored": n_scored,
        "content_sum": content_sum(flat_columns(output)) if kept.any() else 0,
    }
    cutflow = tuple(CutStep(name, label, int(passed.sum())) for name, label, passed in steps)
    return Selected(Partial(len(vertex), cutflow, tallies, filled_histograms), output)


def event_columns(found: Objects) -> dict[str, NDArray[Any]]:
    """What the second step cuts on besides the candidates, a value an event."""
    ak = library("awkward")
    counts = {
        "nGoodJet": ak.num(found.jets),
        "nGoodFatJet": ak.num(found.fat_jets),
        "nForwardJet": found.n_forward,
        "nLooseB": found.n_loose_b,
        "nVetoLepton": found.n_veto_leptons,
    }
    values = {"MET_pt": found.met_pt, "MET_phi": found.met_phi, "minDPhi": found.min_dphi}
    return {name: np.asarray(each, np.int32) for name, each in counts.items()} | {
        name: np.asarray(each, np.float32) for name, each in values.items()
    }


def histograms(by_kind: Mapping[str, Scored]) -> tuple[Filled, ...]:
    """Scores of all candidates of the selected events, and masses of those that are kept."""
    masses = np.concatenate([by_kind[kind].candidates.mass[by_kind[kind].kept] for kind in TRAINED])
    scores = tuple(filled(SCORES[kind], by_kind[kind].scores.astype(np.float64)) for kind in KINDS)
    return (*scores, filled(TOP_MASS, masses.astype(np.float64)))


def flat_columns(columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns with those of a collection apart, named as in the file."""
    ak = library("awkward")
    apart: dict[str, Any] = {}
    for name, values in columns.items():
        for member in ak.fields(values):
            apart[f"{name}_{member}"] = values[member]
        if not ak.fields(values):
            apart[name] = values
    return apart


def write(path: Path, tree: str, columns: Mapping[str, Any]) -> None:
    """Write columns as a TTree; a collection gets a counter `n<name>` and a branch for each member."""
    ak = library("awkward")
    plain = {name: np.asarray(values) if values.ndim == 1 else values for name, values in columns.items()}
    types = {name: values.dtype if values.ndim == 1 else ak.type(values).content for name, values in plain.items()}
    with library("uproot").recreate(path) as file:
        file.mktree(tree, types).extend(plain)


def checked(columns: Columns, place: str) -> Columns:
    """The columns.

    Raises
    ------
    BenchError
        A weight or the missing momentum of an event is no number.
    """
    for name in ("genWeight", "MET_pt"):
        if name in columns and not (finite := np.isfinite(np.asarray(columns[name]))).all():
            raise BenchError(
                place,
                f"{name} of event {int(columns['event'][int(np.argmin(finite))])} is no number",
                "Give an input without it.",
                Exit.CANNOT_TELL,
            )
    return columns


def entries_of(task: Chunk, first: int, last: int) -> Columns:
    """Read a piece of a chunk.

    Raises
    ------
    BenchError
        It cannot be read.
    """
    uproot = library("uproot")
    place = f"{task.file}, entries {first} to {last - 1}"
    try:
        return checked(read(task.file, task.tree, first, last), place)
    except (OSError, ValueError, RuntimeError, uproot.DeserializationError) as error:
        reason = str(error).strip().splitlines()
        raise BenchError(
            place, reason[0] if reason else type(error).__name__, "Give an input that is whole.", Exit.CANNOT_TELL
        ) from error


@dataclass(frozen=True)
class CmsTprimeSkim(TaskWorkload):
    """Preselection, candidates, scores, snapshot."""

    name: str = "cms-tprime-skim"
    title: str = "CMS T' → tZ(νν), step 1: NanoAOD to events with scored top candidates"
    tree: str = TREE
    mass_histogram: str = TOP_MASS.name
    writes: bool = True
    entries_at_once: int = ENTRIES_AT_ONCE

    def tasks(self, job: Job, slots: int) -> Sequence[Chunk]:
        for each in job.layouts:
            names_in(each.columns)
        return chunks(job, slots)

    def warm_up(self) -> None:
        for kind in TRAINED:
            tagger(kind)

    def process(self, task: Any, folder: Path) -> Partial:
        pieces = [
            skim(entries_of(task, first, min(first + self.entries_at_once, task.last)))
            for first in range(task.first, task.last, self.entries_at_once)
        ]
        total = reduce(add, (piece.partial for piece in pieces))
        written = total.tallies["events_written"]
        if not written:
            return total
        ak = library("awkward")
        columns = {name: ak.concatenate([piece.columns[name] for piece in pieces]) for name in pieces[0].columns}
        final = folder / f"part-{task.number:05}.root"
        with replacing(final, suffix=".root") as temporary:
            write(temporary, self.tree, columns)
            part = Part(final.name, written, temporary.stat().st_size, sha256(temporary))
        return replace(total, parts=(part,))

    def combine(self, partials: Sequence[Partial]) -> Outcome:
        return merged(partials)

    def remarks(self) -> Mapping[str, str]:
        return {
            "variations": "jet energies: parametrised shifts, unverified, not those of CMS",
            "scores": "networks trained on generated events (bench train-tagger), not those of the CMS analysis",
        }
