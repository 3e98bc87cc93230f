"""Memory that a guest shows can be used."""

from __future__ import annotations

from collections.abc import Iterator

from ..rows import Observed, Row, Verdict, unmeasured
from ..thresholds import Thresholds

CHECK = "memory touched"
CAUSE = "the kernel did not give it: another server has the memory (a balloon), or a control group limits pods"


def check(observed: Observed, _: Thresholds) -> Iterator[Row]:
    """A row for every node on which memory was touched; of the time nothing is expected."""
    touched = observed.measured.touched
    if touched is None:
        return
    for name, found in touched.values.items():
        good = found.touched_mib == found.wanted_mib
        text = f"{found.touched_mib} MiB in {found.wall_s:.2f} s"
        verdict, cause = (Verdict.OK, "") if good else (Verdict.FAILED, CAUSE)
        yield Row((name,), CHECK, f"{found.wanted_mib} MiB", text, verdict, cause, found.wall_s, "s")
    yield from unmeasured(touched, CHECK)
