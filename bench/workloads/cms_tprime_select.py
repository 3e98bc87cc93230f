"""CMS T' → tZ(νν), step 2: the events with a top candidate as a snapshot, variations as columns of their own.

The selection is that of `cms-tprime`. What that books for histograms cannot be written with variations on Dask, where
ROOT 6.40 has no Snapshot of variations. So each task looks at its entries in all variations and writes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..datasets.files import replacing, sha256
from .cms_tprime import KINEMATIC, WEIGHTS, CmsTprime, check_columns, look
from .cms_tprime_skim import write
from .content import content_sum
from .model import NOMINAL, CutStep, Outcome
from .nanoaod import TREE
from .root import load
from .tasks import Chunk, Part, Partial, TaskWorkload, chunks, merged

if TYPE_CHECKING:
    from ..engines.model import Job

# Names in the input's columns, and so in those of the snapshot.
VARIED = (NOMINAL, *(kind + side for kind in KINEMATIC for side in ("Up", "Down")))
IDENTITY = ("run", "luminosityBlock", "event")
KEPT = ("genWeight", *(column + side for column in WEIGHTS.values() for side in ("", "_up", "_down")))
MEMBERS = {
    "category": "category",
    "MT_T": "mt",
    "Top_pt": "top_pt",
    "Top_mass": "top_mass",
    "Top_score": "top_score",
    "MET": "met",
}


@dataclass(frozen=True)
class CmsTprimeSelect(TaskWorkload):
    """Events that have a top candidate nominally or in a variation of the jet energies.

    For each variation `<quantity>_<variation>` (category 7: no top), `top_<variation>` and `SR_<variation>`: whether
    the event has a top and whether it lies in the signal region.
    """

    cuts: CmsTprime = field(default_factory=CmsTprime)
    name: str = "cms-tprime-select"
    title: str = "CMS T' → tZ(νν), step 2: snapshot of the events with a top candidate"
    tree: str = TREE
    writes: bool = True

    def tasks(self, job: Job, slots: int) -> Sequence[Chunk]:
        for each in job.layouts:
            check_columns(self.name, each.columns)
        return chunks(job, slots)

    def warm_up(self) -> None:
        load().gInterpreter.Declare(self.cuts.code)

    def process(self, task: Any, folder: Path) -> Partial:
        columns, passed = self.selected(task)
        n_events = len(columns["event"])
        cutflow = (
            CutStep("all", "all events of the snapshot", task.entries),
            CutStep("top", "a top candidate", passed[f"top_{NOMINAL}"]),
            CutStep("SR", "signal region", passed[f"SR_{NOMINAL}"]),
        )
        tallies = {f"events of {name}": number for name, number in passed.items()}
        tallies |= {"events_written": n_events, "content_sum": content_sum(columns) if n_events else 0}
        parts: tuple[Part, ...] = ()
        if n_events:
            final = folder / f"part-{task.number:05}.root"
            with replacing(final, suffix=".root") as temporary:
                write(temporary, self.tree, columns)
                parts = (Part(final.name, n_events, temporary.stat().st_size, sha256(temporary)),)
        return Partial(task.entries, cutflow, tallies, parts=parts)

    def selected(self, task: Chunk) -> tuple[dict[str, Any], dict[str, int]]:
        """The columns of the events that are written, and how many of them lie in which region of which variation."""
        root = load()
        spec = root.RDF.Experimental.RDatasetSpec()
        spec.AddSample(root.RDF.Experimental.RSample("input", task.tree, task.file))
        spec.WithGlobalRange((task.first, task.last))
        frame = root.RDataFrame(spec)
        names = [*IDENTITY, *KEPT]
        flags: list[str] = []
        for variation in VARIED:
            view = f"view_{variation}"
            frame = frame.Define(view, look(variation))
            for name, member in MEMBERS.items():
                frame = frame.Define(f"{name}_{variation}", f"{view}.{member}")
                names.append(f"{name}_{variation}")
            frame = frame.Define(f"top_{variation}", f"{view}.preselected && {view}.category != 7")
            frame = frame.Define(f"SR_{variation}", f"top_{variation} && {self.cuts.in_signal_region(view)}")
            flags += [f"top_{variation}", f"SR_{variation}"]
        frame = frame.Filter(" || ".join(f"top_{variation}" for variation in VARIED))
        found: dict[str, Any] = frame.AsNumpy([*names, *flags])
        # Threads give the entries in any order.
        order = np.lexsort([found[name] for name in reversed(IDENTITY)])
        columns = {name: np.asarray(values)[order] for name, values in found.items()}
        return columns, {name: int(columns[name].sum()) for name in flags}

    def combine(self, partials: Sequence[Partial]) -> Outcome:
        return merged(partials)

    def remarks(self) -> Mapping[str, str]:
        return {"variations": "jet energies, pile-up and b tagging: parametrised shifts, unverified, not those of CMS"}
