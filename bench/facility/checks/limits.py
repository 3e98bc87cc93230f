"""Limits of control groups, of the node and of all its pods together, that are below what was ordered."""

from __future__ import annotations

from collections.abc import Iterator

from ..rows import Observed, Row, Verdict
from ..thresholds import Thresholds

CHECK = "limits"


def check(observed: Observed, thresholds: Thresholds) -> Iterator[Row]:
    """A row for every node that was looked at from inside."""
    guests = observed.measured.guests
    for name, declared, _ in observed.joined():
        if not guests or name not in guests.values or declared.size is None:
            continue
        guest, size, found = guests.values[name], declared.size, list[str]()
        if guest.quota_cores is not None and guest.quota_cores < thresholds.cores_share_min * size.cores:
            found.append(f"{guest.quota_cores:.2f} cores")
        least_bytes = thresholds.allocatable_memory_share_min * size.memory_mib * 2**20
        if guest.limit_bytes is not None and guest.limit_bytes < least_bytes:
            found.append(f"{guest.limit_bytes >> 20} MiB")
        expected = f"none below {size.cores} cores, {size.memory_mib} MiB"
        if found:
            whose = "kubelet's settings (systemReserved, kubeReserved), or a limit on the machine itself"
            cause = f"a control group holds it, or all its pods, to {' and '.join(found)}: {whose}"
            yield Row((name,), CHECK, expected, ", ".join(found), Verdict.FAILED, cause)
        else:
            yield Row((name,), CHECK, expected, "none")
