"""What a workload is, and what it gives back: plain values, no ROOT objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Protocol

# ROOT's name for what is not varied.
NOMINAL = "nominal"


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
    """Results that are booked and not yet computed, of one tree or several.

    Results of one tree are computed in one event loop, whichever of them is asked for. `varied` are histograms that
    depend on columns with systematic variations (`Vary`): each gives as many histograms as there are variations,
    named `<name>/nominal` and `<name>/<variation>`, with ROOT's colon between a variation's name and its tag.
    """

    cutflow: tuple[tuple[str, str, Any], ...]
    tallies: Mapping[str, Any]
    histograms: tuple[tuple[HistogramSpec, Any], ...]
    varied: tuple[tuple[HistogramSpec, Any], ...] = ()

    @classmethod
    def joined(cls, bookings: Iterable[Booking]) -> Booking:
        """All results of several bookings, one after the other."""
        each = tuple(bookings)
        return cls(
            tuple(chain.from_iterable(booking.cutflow for booking in each)),
            dict(chain.from_iterable(booking.tallies.items() for booking in each)),
            tuple(chain.from_iterable(booking.histograms for booking in each)),
            tuple(chain.from_iterable(booking.varied for booking in each)),
        )

    def results(self) -> list[Any]:
        """All results, in an order that `with_results` takes them back in."""
        return [
            *(count for _, _, count in self.cutflow),
            *self.tallies.values(),
            *(value for _, value in self.histograms),
            *(value for _, value in self.varied),
        ]

    def with_results(self, results: Iterable[Any]) -> Booking:
        """The same booking with other results in place of its own."""
        left = iter(results)
        return Booking(
            tuple((name, label, next(left)) for name, label, _ in self.cutflow),
            {name: next(left) for name in self.tallies},
            tuple((spec, next(left)) for spec, _ in self.histograms),
            tuple((spec, next(left)) for spec, _ in self.varied),
        )

    def trigger(self, run_graphs: Callable[[list[Any]], Any] | None = None) -> None:
        """Run the event loop; where there are several, all at once by ROOT's function for the kind of RDataFrame."""
        if run_graphs:
            run_graphs(self.results())
        # RunGraphs of a distributed RDataFrame keeps exceptions to itself: what has failed is tried once more here,
        # and tells. What has been computed costs nothing.
        for result in self.results()[: len(self.results()) - len(self.varied)]:
            result.GetValue()
        for _, values in self.varied:
            values[NOMINAL]

    def with_variations(self, variations_for: Callable[[Any], Any]) -> Booking:
        """The same booking with the variations of what is varied, by ROOT's function for the kind of RDataFrame."""
        return replace(self, varied=tuple((spec, variations_for(value)) for spec, value in self.varied))

    def collect(self) -> Outcome:
        """The computed values (runs the event loop if that has not been done)."""
        cutflow = tuple(CutStep(name, label, int(count.GetValue())) for name, label, count in self.cutflow)
        return Outcome(
            entries=cutflow[0].events,
            cutflow=cutflow,
            tallies={name: int(value.GetValue()) for name, value in self.tallies.items()},
            histograms=(
                *(to_histogram(spec, value.GetValue()) for spec, value in self.histograms),
                *(each for spec, values in self.varied for each in to_variations(spec, values)),
            ),
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


def to_variations(spec: HistogramSpec, values: Any) -> list[Histogram]:
    """Copy a map from variations to TH1s into plain values, the nominal one first."""
    names = sorted((str(key) for key in values.GetKeys()), key=lambda name: (name != NOMINAL, name))
    return [to_histogram(replace(spec, name=f"{spec.name}/{name}"), values[name]) for name in names]


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
        """Name of the TTree that is read; where there are several, of the nominal one."""
        ...

    @property
    def trees(self) -> tuple[str, ...]:
        """Names of all TTrees that are read, the nominal one first. Every file has to hold all of them."""
        ...

    @property
    def code(self) -> str:
        """C++ source of the helpers, with an include guard; declared in every process that runs the graph."""
        ...

    @property
    def mass_histogram(self) -> str:
        """Name of the histogram whose mean and width sum up the result; "" for none."""
        ...

    def book(self, tree: str, frame: Any, columns: Iterable[str]) -> Booking:
        """Book the analysis of one tree on an RDataFrame (local or distributed) with the given column names.

        The booking of the nominal tree begins the cut flow, whose first step counts all entries.

        Raises
        ------
        LookupError
            The input has not the columns that are needed; the message names them.
        """
        ...
