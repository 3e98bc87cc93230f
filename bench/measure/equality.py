"""Whether two results of the same analysis on the same input are the same physics.

Entries, cut flows, tallies and unweighted histograms have to agree exactly. Weighted histograms are sums of floating
point numbers whose order differs between one loop and many tasks: per bin the contents may differ by 1e-10 of the
bin's sum of |w| (of the best known lower bound on it), and the sums of w² by 1e-10 of themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from ..workloads import Histogram, Outcome

WEIGHTED_TOLERANCE = 1e-10
MEANING = (
    f"entries, counts and unweighted contents exactly, weighted contents within {WEIGHTED_TOLERANCE:g} of Σ|w| in a bin"
)


class Physics(StrEnum):
    """Verdict on the physics of a run."""

    EQUAL = "equal"
    UNEQUAL = "unequal"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Difference:
    """A number that differs by more than it may."""

    what: str
    reference: float
    found: float
    allowed: float

    def __str__(self) -> str:
        return f"{self.what}: {self.found:.17g} instead of {self.reference:.17g} (allowed deviation {self.allowed:g})"


@dataclass(frozen=True)
class Comparison:
    """All numbers of a result against those of the reference.

    `largest_deviation` is the largest |found - reference| of any bin content or sum of w², in events (or in weights);
    `largest_deviation_at` says where.
    """

    compared_with: str
    verdict: Physics
    numbers_compared: int
    largest_deviation: float
    largest_deviation_at: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class _Pair:
    what: str
    reference: float
    found: float
    allowed: float = 0.0


def compare(reference: Outcome, found: Outcome, compared_with: str, scale: int = 1) -> Comparison:
    """Compare a result with `scale` times the reference.

    Parameters
    ----------
    reference, found : Outcome
        Results of the same workload. Tallies that only one of them has are left out.
    compared_with : str
        What the reference is, for people.
    scale : int
        How often the reference's input stands in the input of `found`.
    """
    pairs = list(_pairs(reference, found, scale))
    differences = tuple(
        Difference(pair.what, pair.reference, pair.found, pair.allowed)
        for pair in pairs
        # Written so that a NaN on either side is a difference.
        if not abs(pair.found - pair.reference) <= pair.allowed
    )
    worst = max(pairs, key=lambda pair: abs(pair.found - pair.reference))
    deviation = abs(worst.found - worst.reference)
    return Comparison(
        compared_with=compared_with,
        verdict=Physics.UNEQUAL if differences else Physics.EQUAL,
        numbers_compared=len(pairs),
        largest_deviation=deviation,
        largest_deviation_at=worst.what if deviation else "",
        differences=differences,
    )


def _pairs(reference: Outcome, found: Outcome, scale: int) -> Iterator[_Pair]:
    yield _Pair("entries", scale * reference.entries, found.entries)
    yield _Pair("steps of the cut flow", len(reference.cutflow), len(found.cutflow))
    for expected, actual in zip(reference.cutflow, found.cutflow, strict=False):
        yield _Pair(f"events after {expected.name}", scale * expected.events, actual.events)
    for name in reference.tallies.keys() & found.tallies.keys():
        yield _Pair(name, scale * reference.tallies[name], found.tallies[name])
    yield _Pair("histograms", len(reference.histograms), len(found.histograms))
    for expected, actual in zip(reference.histograms, found.histograms, strict=False):
        yield from _histogram_pairs(expected, actual, scale)


def _histogram_pairs(reference: Histogram, found: Histogram, scale: int) -> Iterator[_Pair]:
    name = reference.name
    yield _Pair(f"{name}: entries", scale * reference.entries, found.entries)
    yield _Pair(f"{name}: same name and edges", 1, (reference.name, reference.edges) == (found.name, found.edges))
    yield _Pair(f"{name}: bins", len(reference.contents), len(found.contents))
    for i, (expected, actual) in enumerate(zip(reference.contents, found.contents, strict=False)):
        # Neither |Σw| nor √Σw² is ever above Σ|w|, which is not known where weights of both signs cancel.
        at_least = max(scale * abs(expected), math.sqrt(scale * reference.sumw2[i]))
        allowed = WEIGHTED_TOLERANCE * at_least if reference.weighted else 0.0
        yield _Pair(f"{name}: content of bin {i}", scale * expected, actual, allowed)
    for i, (expected, actual) in enumerate(zip(reference.sumw2, found.sumw2, strict=False)):
        allowed = WEIGHTED_TOLERANCE * abs(scale * expected) if reference.weighted else 0.0
        yield _Pair(f"{name}: sum of w² of bin {i}", scale * expected, actual, allowed)
