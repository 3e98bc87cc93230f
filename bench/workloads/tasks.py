"""Workloads that are not one graph of a distributed RDataFrame: snapshots, scoring in batches, scans.

They are a list of tasks, each done in one go by one process, whatever the engine; their partial results are put
together in the order of the tasks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .model import CutStep, Histogram, HistogramSpec, Outcome

if TYPE_CHECKING:
    from ..engines.model import Job

# Tasks per slot: enough for the quicker worker to take over from the slower one, few enough for the cost of a task
# (about 10 ms) not to count.
TASKS_PER_SLOT = 3

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Chunk:
    """Whole clusters of one file: the entries from `first` up to, and not including, `last`.

    `number` is its place among all chunks of a pass. `copy` says which of a job's replicas of the input it belongs
    to; it is a part of the sample's identity where random numbers are drawn.
    """

    file: str
    tree: str
    first: int
    last: int
    number: int
    copy: int = 0

    @property
    def entries(self) -> int:
        return self.last - self.first


@dataclass(frozen=True)
class Part:
    """A file that a task has written, under its final name in the folder of the pass."""

    file_name: str
    entries: int
    size_bytes: int
    sha256: str


@dataclass(frozen=True, eq=False)
class Filled:
    """A histogram that one task has filled.

    `contents` and `sumw2` have n_bins + 2 values: underflow, the bins, overflow. `moments` are Σw, Σw², Σwx and Σwx²
    of the values between the edges.
    """

    spec: HistogramSpec
    contents: Floats
    sumw2: Floats
    entries: int
    moments: Floats

    def __add__(self, other: Filled) -> Filled:
        if self.spec != other.spec:
            raise ValueError(f"histogram {self.spec.name} cannot be added to {other.spec.name}")
        return Filled(
            self.spec,
            self.contents + other.contents,
            self.sumw2 + other.sumw2,
            self.entries + other.entries,
            self.moments + other.moments,
        )

    def histogram(self) -> Histogram:
        """The plain values of the result."""
        sum_w, _, sum_wx, sum_wx2 = (float(each) for each in self.moments)
        mean = sum_wx / sum_w if sum_w else 0.0
        variance = sum_wx2 / sum_w - mean**2 if sum_w else 0.0
        spec = self.spec
        return Histogram(
            name=spec.name,
            title=spec.title,
            unit=spec.unit,
            weighted=spec.weighted,
            edges=tuple(float(edge) for edge in np.linspace(spec.low, spec.high, spec.n_bins + 1)),
            contents=tuple(float(each) for each in self.contents),
            sumw2=tuple(float(each) for each in self.sumw2),
            entries=self.entries,
            mean=mean,
            std_dev=math.sqrt(max(0.0, variance)),
        )


@dataclass(frozen=True)
class Partial:
    """What one task gives back; small and picklable.

    `tallies` are whole numbers that are summed over the tasks. `values` are for a workload's own `combine`, and are no
    part of a sum.
    """

    entries: int
    cutflow: tuple[CutStep, ...]
    tallies: Mapping[str, int] = field(default_factory=dict[str, int])
    histograms: tuple[Filled, ...] = ()
    parts: tuple[Part, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict[str, float])

    def __add__(self, other: Partial) -> Partial:
        if [cut.name for cut in self.cutflow] != [cut.name for cut in other.cutflow]:
            raise ValueError("partial results have different cut flows")
        names = dict.fromkeys([*self.tallies, *other.tallies])
        return Partial(
            self.entries + other.entries,
            tuple(replace(a, events=a.events + b.events) for a, b in zip(self.cutflow, other.cutflow, strict=True)),
            {name: self.tallies.get(name, 0) + other.tallies.get(name, 0) for name in names},
            tuple(a + b for a, b in zip(self.histograms, other.histograms, strict=True)),
            self.parts + other.parts,
        )


@runtime_checkable
class TaskWorkload(Protocol):
    """An analysis as a list of tasks. Inherit from it: what has a value here need not be given.

    It is sent to the workers by pickle, once for each, and has to carry what they need.
    """

    name: str
    title: str
    # The tree whose layout is looked at; "" where there is no file to read.
    tree: str
    # Name of the histogram whose mean and width sum up the result; "" for none.
    mass_histogram: str = ""
    # Whether the input may be rewritten in small clusters before it is read (`bench data repack`).
    repackable: bool = True
    # Whether its tasks write files, which are worth a folder to keep them in.
    writes: bool = False

    def tasks(self, job: Job, slots: int) -> Sequence[Any]:
        """The tasks for a job, picklable; mostly `chunks(job, slots)`.

        Raises
        ------
        LookupError
            The input has not the columns that are needed; the message names them.
        """
        ...

    def warm_up(self) -> None:
        """Load or compile what tasks need: called once in every process, before its first task."""
        ...

    def process(self, task: Any, folder: Path) -> Partial:
        """Do one task. The same task gives the same result in any process, also when it is done twice at once.

        What it writes goes into `folder`, under a temporary name first, then under one that depends on nothing but
        the task (`datasets.files.replacing`).
        """
        ...

    def combine(self, partials: Sequence[Partial]) -> Outcome:
        """Put the results together; they come in the order of the tasks. Mostly `merged(partials)`."""
        ...

    def attachments(self) -> tuple[Path, ...]:
        """Files beside the input that have to go wherever the workload runs: what was compiled on this machine."""
        return ()

    def with_attachments(self, paths: Sequence[Path]) -> TaskWorkload:
        """The same workload with these files as they lie on another machine, their checksums checked."""
        return self

    def remarks(self) -> Mapping[str, str]:
        """What has to be known about files that were written; goes into their manifest."""
        return {}


def n_tasks(slots: int, clusters: int, tasks_per_slot: int = TASKS_PER_SLOT) -> int:
    """Number of tasks: `tasks_per_slot` for each slot, but not more than there are clusters to make them of."""
    return max(1, min(tasks_per_slot * slots, clusters))


def chunks(job: Job, slots: int) -> tuple[Chunk, ...]:
    """Cut the files of a job at the edges of their clusters, each file for itself."""
    share = n_tasks(slots, job.clusters) / job.clusters
    cut: list[Chunk] = []
    for copy in range(job.replicas):
        for path, each in zip(job.paths, job.layouts, strict=True):
            edges = [*each.cluster_starts, each.entries]
            pieces = max(1, min(each.n_clusters, math.ceil(each.n_clusters * share)))
            for piece in range(pieces):
                first = edges[each.n_clusters * piece // pieces]
                last = edges[each.n_clusters * (piece + 1) // pieces]
                cut.append(Chunk(str(path), job.workload.tree, first, last, len(cut), copy))
    return tuple(cut)


def filled(spec: HistogramSpec, values: Floats, weights: Floats | None = None) -> Filled:
    """Fill a histogram as ROOT's TH1::Fill does: values that are no number are overflow.

    Parameters
    ----------
    values, weights : array, shape (n,)
        What is filled; without weights each value counts as one.
    """
    values = np.asarray(values, dtype=np.float64)
    w = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    inside = (values >= spec.low) & (values < spec.high)
    bins = np.where(values < spec.low, 0, spec.n_bins + 1)
    bins[inside] = 1 + (spec.n_bins * (values[inside] - spec.low) / (spec.high - spec.low)).astype(np.int64)
    x, wx = values[inside], w[inside]
    return Filled(
        spec,
        np.bincount(bins, weights=w, minlength=spec.n_bins + 2).astype(np.float64),
        np.bincount(bins, weights=w * w, minlength=spec.n_bins + 2).astype(np.float64),
        len(values),
        np.array([wx.sum(), (wx * wx).sum(), (wx * x).sum(), (wx * x * x).sum()]),
    )


def merged(partials: Sequence[Partial]) -> Outcome:
    """The sum of partial results: entries, cut flows, tallies and histograms.

    Raises
    ------
    ValueError
        They are not results of the same analysis.
    """
    total = reduce(add, partials)
    histograms = tuple(each.histogram() for each in total.histograms)
    return Outcome(total.entries, total.cutflow, total.tallies, histograms)
