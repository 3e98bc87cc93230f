"""How long a Dask cluster takes until its workers are there."""

from __future__ import annotations

from collections.abc import Iterator

from ..rows import Observed, Row, most, unmeasured
from ..thresholds import Thresholds

CHECK = "Dask workers start"
CAUSE = "the scheduler of Kubernetes or the Dask operator is busy, or the import of the analysis image is slow"


def check(observed: Observed, thresholds: Thresholds) -> Iterator[Row]:
    """One row for the facility."""
    dask_s = observed.measured.dask_s
    if dask_s is None:
        return
    for seconds in dask_s.values.values():
        yield most((), CHECK, seconds, "s", thresholds.dask_workers_s_max, CAUSE)
    yield from unmeasured(dask_s, CHECK)
