"""Cores of the flavor against those that Kubernetes counts and that a pod may run on."""

from __future__ import annotations

from collections.abc import Iterator

from ..rows import Observed, Row, Verdict
from ..thresholds import Thresholds

IN_A_POD = "cores in a pod"
CAUSE = "it was not restarted after a resize, cores are offline (lscpu), or the hypervisor shows other cores"


def check(observed: Observed, _: Thresholds) -> Iterator[Row]:
    """A row for every node and for each of the two who count."""
    guests = observed.measured.guests
    for name, declared, node in observed.joined():
        if declared.size is None:
            continue
        counted = [("cores in Kubernetes", node.capacity_cores, f"kubelet counts them when it starts: {CAUSE}")]
        if guests and name in guests.values:
            limited = f"pods may not run on all of them (cpuset), or {CAUSE}"
            counted.append((IN_A_POD, guests.values[name].cores, limited))
        for what, found, cause in counted:
            good = found == declared.size.cores
            more = "more" if found > declared.size.cores else "fewer"
            words = "" if good else f"{more} than the flavor has: {cause}"
            verdict = Verdict.OK if good else Verdict.FAILED
            # a host that has fewer than it promised
            if what == IN_A_POD and found < declared.size.cores and observed.allow_overcommit:
                verdict = Verdict.WARNING
            yield Row((name,), what, f"{declared.size.cores}", f"{found:g}", verdict, words, found, "cores")
