"""Memory of the flavor against what Kubernetes counts and what a guest shows."""

from __future__ import annotations

from collections.abc import Iterator

from ..rows import Observed, Row, Verdict
from ..thresholds import Thresholds

CAUSE = "it was not restarted after a resize, mem= or crashkernel= on its kernel's command line, or a memory balloon"


def check(observed: Observed, thresholds: Thresholds) -> Iterator[Row]:
    """A row for every node and for each of the two who count."""
    guests = observed.measured.guests
    for name, declared, node in observed.joined():
        if declared.size is None or not declared.size.memory_mib:
            continue
        counted = [("memory in Kubernetes", node.capacity_memory_bytes)]
        if guests and name in guests.values:
            counted.append(("memory in the guest", guests.values[name].memory_bytes))
        for what, found in counted:
            mib, wanted = found / 2**20, declared.size.memory_mib
            share = mib / wanted
            good = share >= thresholds.memory_share_min
            cause = f"{share:.2f} of what the flavor has: {CAUSE}"
            expected = f"≥ {thresholds.memory_share_min:g} of {wanted} MiB"
            verdict = Verdict.OK if good else Verdict.FAILED
            yield Row((name,), what, expected, f"{mib:.0f} MiB", verdict, "" if good else cause, mib, "MiB")
