"""Medians of few repeated times, with intervals that assume nothing about how the times are distributed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
RESAMPLES = 5000
# The same intervals come from the same times.
SEED = 20240521

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A value with the limits of its bootstrap interval (percentiles, 95 %) and the number of times behind it.

    Of fewer than three times no interval can be had: its limits are the value itself.
    """

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]" if self.n > 2 else f"{self.value:.3g}"


def median_of(times: Sequence[float]) -> Estimate:
    """Median of repeated times, in their unit."""
    return _estimate(lambda resampled: np.median(resampled[0], axis=1), times)


def ratio_of_medians(numerator: Sequence[float], denominator: Sequence[float]) -> Estimate:
    """Ratio of two medians of times that were taken in turns; both are resampled on their own."""
    return _estimate(lambda each: np.median(each[0], axis=1) / np.median(each[1], axis=1), numerator, denominator)


def _estimate(statistic: Callable[[list[Floats]], Floats], *samples: Sequence[float]) -> Estimate:
    rng = np.random.default_rng(SEED)
    arrays = [np.asarray(sample, dtype=np.float64) for sample in samples]
    n = min(len(array) for array in arrays)
    if n == 0:
        raise ValueError("no times to take the median of")
    value = float(statistic([array[np.newaxis] for array in arrays])[0])
    if n < 3:
        return Estimate(value, value, value, n)
    resampled = [array[rng.integers(0, len(array), (RESAMPLES, len(array)))] for array in arrays]
    low, high = np.quantile(statistic(resampled), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(value, float(low), float(high), n)


def gini(shares: Sequence[float]) -> float:
    """Gini coefficient of non-negative shares: 0 where all are equal, near 1 where one has everything."""
    ordered = np.sort(np.asarray(shares, dtype=np.float64))
    total = float(ordered.sum())
    if not total:
        return 0.0
    n = len(ordered)
    ranks = np.arange(1, n + 1)
    return float((2 * (ranks * ordered).sum() / (n * total)) - (n + 1) / n)
