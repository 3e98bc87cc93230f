"""What a workload is, and what it gives back: plain values, no ROOT objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class HistogramSpec:
    """Binning and labels of a one-dimensional histogram."""

    name: str
    title: str
    unit: str
    n_bins: int
    low: float
    high: float
    weighted: bool = False


@dataclass(frozen=True)
class Histogram:
    """Contents of a one-dimensional histogram.

    `contents` and `sumw2` have n_bins + 2 values: underflow, the bins, overflow. `edges` has n_bins + 1.
    `mean` and `std_dev` are those of the filled values, not of the binned ones, that lie between the edges.
    """

    name: str
    title: str
    unit: str
    weighted: bool
    edges: tuple[float, ...]
    contents: tuple[float, ...]
    sumw2: tuple[float, ...]
    entries: int
    mean: float
    std_dev: float


@dataclass(frozen=True)
class CutStep:
    """Events left after a step of the selection, in the order in which the steps are applied."""

    name: str
    label: str
    events: int


@dataclass(frozen=True)
class Outcome:
    """The physics result of one pass over the input.

    `tallies` are whole numbers summed over all entries (data quality, checksums over the entries read).
    """

    entries: int
    cutflow: tuple[CutStep, ...]
    tallies: Mapping[str, int]
    histograms: tuple[Histogram, ...]

    def events(self, step: str) -> int:
        """Events left after the step of that name."""
        return next(cut.events for cut in self.cutflow if cut.name == step)

    def histogram(self, name: str) -> Histogram:
        """The histogram of that name."""
        return next(h for h in self.histograms if h.name == name)


@dataclass(frozen=True)
class Booking:
    """Results that are booked and not yet computed: triggering any one computes all in one event loop."""

    cutflow: tuple[tuple[str, str, Any], ...]
    tallies: Mapping[str, Any]
    histograms: tuple[tuple[HistogramSpec, Any], ...]

    def results(self) -> list[Any]:
        """All results, in an order that `with_results` takes them back in."""
        return [
            *(count for _, _, count in self.cutflow),
            *self.tallies.values(),
            *(value for _, value in self.histograms),
        ]

    def with_results(self, results: Iterable[Any]) -> Booking:
        """The same booking with other results in place of its own."""
        left = iter(results)
        return Booking(
            tuple((name, label, next(left)) for name, label, _ in self.cutflow),
            {name: next(left) for name in self.tallies},
            tuple((spec, next(left)) for spec, _ in self.histograms),
        )

    def trigger(self) -> None:
        """Run the event loop."""
        self.cutflow[0][2].GetValue()

    def collect(self) -> Outcome:
        """The computed values (runs the event loop if that has not been done)."""
        cutflow = tuple(CutStep(name, label, int(count.GetValue())) for name, label, count in self.cutflow)
        return Outcome(
            entries=cutflow[0].events,
            cutflow=cutflow,
            tallies={name: int(value.GetValue()) for name, value in self.tallies.items()},
            histograms=tuple(to_histogram(spec, value.GetValue()) for spec, value in self.histograms),
        )


def to_histogram(spec: HistogramSpec, th1: Any) -> Histogram:
    """Copy a TH1 into plain values."""
    cells = range(spec.n_bins + 2)
    contents = tuple(float(th1.GetBinContent(i)) for i in cells)
    return Histogram(
        name=spec.name,
        title=spec.title,
        unit=spec.unit,
        weighted=spec.weighted,
        edges=tuple(float(th1.GetXaxis().GetBinLowEdge(i)) for i in range(1, spec.n_bins + 2)),
        contents=contents,
        sumw2=tuple(float(th1.GetBinError(i)) ** 2 for i in cells) if spec.weighted else contents,
        entries=int(th1.GetEntries()),
        mean=float(th1.GetMean()),
        std_dev=float(th1.GetStdDev()),
    )


class Workload(Protocol):
    """An analysis: which columns it needs, its C++ helpers, and the graph it books."""

    @property
    def name(self) -> str:
        """Name on the command line."""
        ...

    @property
    def title(self) -> str:
        """One line for people."""
        ...

    @property
    def tree(self) -> str:
        """Name of the TTree that is read."""
        ...

    @property
    def code(self) -> str:
        """C++ source of the helpers, with an include guard; declared in every process that runs the graph."""
        ...

    @property
    def mass_histogram(self) -> str:
        """Name of the histogram whose mean and width sum up the result."""
        ...

    def book(self, frame: Any, columns: Iterable[str]) -> Booking:
        """Book the whole analysis on an RDataFrame (local or distributed) with the given column names.

        Raises
        ------
        LookupError
            The input has not the columns that are needed; the message names them.
        """
        ...
