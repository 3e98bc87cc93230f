"""Cores that were ordered against those that a burn of all of them got."""

from __future__ import annotations

from collections.abc import Iterator

from ..burn import Delivered
from ..rows import Observed, Row, Verdict, unmeasured
from ..thresholds import Thresholds

ALONE, TOGETHER = "cores delivered alone", "cores delivered, all nodes at once"
# Less is the noise of the kernel's hundredths of seconds.
STOLEN_CORES = 0.1


def check(observed: Observed, thresholds: Thresholds) -> Iterator[Row]:
    """Two rows for every node that burned."""
    for answers, what in ((observed.measured.alone, ALONE), (observed.measured.together, TOGETHER)):
        if answers is None:
            continue
        for name, found in answers.values.items():
            declared = observed.declared.get(name)
            if declared is None or declared.size is None:
                continue
            yield row(name, what, declared.size.cores, found, observed, thresholds)
        yield from unmeasured(answers, what)


def row(name: str, what: str, cores: int, found: Delivered, observed: Observed, thresholds: Thresholds) -> Row:
    """Of one node; a site whose nodes may share cores is warned."""
    least = thresholds.cores_share_min * cores
    stolen = f", {found.stolen_cores:.2f} stolen" if found.stolen_cores >= STOLEN_CORES else ""
    verdict = Verdict.OK
    if found.cores < least:
        verdict = Verdict.WARNING if observed.allow_overcommit else Verdict.FAILED
    cause = "" if verdict is Verdict.OK else likely(name, what, cores, found, observed)
    expected = f"≥ {least:g} of {cores}"
    return Row((name,), what, expected, f"{found.cores:.2f} of {cores}{stolen}", verdict, cause, found.cores, "cores")


def likely(name: str, what: str, cores: int, found: Delivered, observed: Observed) -> str:
    """Why cores are missing, as far as can be seen from outside."""
    delivered = f"delivered {found.cores:.2f} of {cores}"
    guests = observed.measured.guests
    guest = guests.values.get(name) if guests else None
    if guest and guest.quota_cores is not None and guest.quota_cores < cores and found.cores < guest.quota_cores * 1.1:
        return f"a control group limits it to {guest.quota_cores:.2f} cores: {delivered}"
    alone = observed.measured.alone
    own = alone.values.get(name) if alone else None
    if what == TOGETHER and own is not None and found.cores < 0.9 * own.cores:
        return f"nodes share cores of their hosts (overcommit): {delivered}, alone {own.cores:.2f}"
    shared = max(1, round(found.cores))
    if shared < cores:
        return f"{cores} vCPUs share {'one core' if shared == 1 else f'{shared} cores'}: {delivered}"
    if found.stolen_cores >= STOLEN_CORES:
        return f"the hypervisor kept {found.stolen_cores:.2f} cores from it (steal): {delivered}"
    return f"something else computes on the node (a pod, kubelet, an API server) or on its host: {delivered}"
