"""What kubelet leaves to pods, of the cores and the memory that were ordered."""

from __future__ import annotations

from collections.abc import Iterator

from ..rows import Observed, Row, Verdict
from ..thresholds import Thresholds


def check(observed: Observed, thresholds: Thresholds) -> Iterator[Row]:
    """Two rows for every node that has joined."""
    for name, declared, node in observed.joined():
        if declared.size is None:
            continue
        size = declared.size
        reserved = node.capacity_cores - node.allocatable_cores
        good = node.allocatable_cores >= thresholds.allocatable_cores_share_min * size.cores
        cause = f"kubelet reserves {reserved:g} core{'' if reserved == 1 else 's'}" if reserved else "see its cores"
        yield Row(
            (name,),
            "allocatable cores",
            f"≥ {thresholds.allocatable_cores_share_min:g} of {size.cores}",
            f"{node.allocatable_cores:g}",
            Verdict.OK if good else Verdict.FAILED,
            "" if good else f"{cause} (systemReserved, kubeReserved in kubernetes_kubelet_config)",
            node.allocatable_cores,
            "cores",
        )
        mib = node.allocatable_memory_bytes / 2**20
        good = mib >= thresholds.allocatable_memory_share_min * size.memory_mib
        kept = node.capacity_memory_bytes / 2**20 - mib
        yield Row(
            (name,),
            "allocatable memory",
            f"≥ {thresholds.allocatable_memory_share_min:g} of {size.memory_mib} MiB",
            f"{mib:.0f} MiB",
            Verdict.OK if good else Verdict.FAILED,
            ""
            if good
            else f"kubelet keeps {kept:.0f} MiB (systemReserved, kubeReserved, evictionHard), or see its memory",
            mib,
            "MiB",
        )
