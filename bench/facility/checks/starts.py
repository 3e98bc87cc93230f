"""How long a pod takes to start."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from ..rows import Observed, Row, Verdict, most, unmeasured
from ..thresholds import Thresholds

HELPER = "a pod starts"
CAUSE = "a slow disk below /var/lib/containerd, a busy kubelet or API server, or pods that were waiting already"


def check_helper(observed: Observed, _: Thresholds) -> Iterator[Row]:
    """A row for every node on which a pod was wanted."""
    started = observed.measured.started
    if started is None:
        return
    for name, seconds in started.values.items():
        yield Row((name,), HELPER, "it runs", f"after {seconds:.1f} s", value=seconds, unit="s")
    for name, why in started.failures.items():
        cause = "the image cannot be pulled, the network of pods is not ready, or the node has no room"
        yield Row((name,), HELPER, "it runs", why, Verdict.FAILED, cause)


def check(observed: Observed, thresholds: Thresholds) -> Iterator[Row]:
    """Two rows for every node on which pods were started."""
    starts = observed.measured.starts
    if starts is None:
        return
    for name, times in starts.values.items():
        middle, late = statistics.median(times), percentile(times, 0.95)
        yield most((name,), "pod start, p50", middle, "s", 0, "")
        yield most((name,), "pod start, p95", late, "s", thresholds.pod_start_p95_s_max, CAUSE)
    yield from unmeasured(starts, "pod start, p95")


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share lies, between the neighbours in proportion (the usual definition, number 7)."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
