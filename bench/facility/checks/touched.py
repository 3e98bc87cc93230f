"""Memory that a guest shows can be used."""

from __future__ import annotations

from collections.abc import Iterator

from ..rows import NO_THRESHOLD, Observed, Row, unmeasured
from ..thresholds import Thresholds

CHECK = "memory touched"


def check(observed: Observed, _: Thresholds) -> Iterator[Row]:
    """A row for every node on which memory was touched; the time is reported."""
    touched = observed.measured.touched
    if touched is None:
        return
    for name, found in touched.values.items():
        text = f"{found.touched_mib} MiB in {found.wall_s:.2f} s"
        yield Row((name,), CHECK, NO_THRESHOLD, text, value=found.wall_s, unit="s")
    yield from unmeasured(touched, CHECK)
