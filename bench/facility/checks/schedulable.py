"""Whether pods are placed on a node: it is not cordoned, and no taint keeps them off."""

from __future__ import annotations

from collections.abc import Iterator

from ..rows import Observed, Row, Verdict
from ..thresholds import Thresholds

CHECK = "schedulable"
CONTROL_PLANE = "node-role.kubernetes.io/control-plane:NoSchedule"
# What Kubernetes sets along with a state that another check tells.
TOLD_ELSEWHERE = (
    "node.kubernetes.io/unschedulable",
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
)
PRESSURE = {
    "disk-pressure": "its disk is nearly full: kubelet evicts pods",
    "memory-pressure": "its memory is nearly used up: kubelet evicts pods",
    "pid-pressure": "it has nearly as many processes as it may have",
    "network-unavailable": "the pods' network does not run there (flannel)",
    "out-of-service": "somebody declared it lost; the taint has to be removed when it is back",
}


def check(observed: Observed, _: Thresholds) -> Iterator[Row]:
    """A row for every node that has joined."""
    for name, declared, node in observed.joined():
        controls_only = "controlplane" in declared.groups and "worker" not in declared.groups
        expected = {CONTROL_PLANE} if controls_only else set[str]()
        taints = {each for each in node.taints if not each.startswith(TOLD_ELSEWHERE)}
        wanted = ", ".join(sorted(expected)) or "open for pods"
        if not node.schedulable:
            cause = (
                "cordoned: no pod is placed on it (kubectl uncordon), an upgrade or a drain may have stopped halfway"
            )
            yield Row((name,), CHECK, wanted, "cordoned", Verdict.FAILED, cause)
        elif surplus := sorted(taints - expected):
            words = next((text for key, text in PRESSURE.items() if f"/{key}" in surplus[0]), "")
            cause = words or "somebody set the taint, and nothing that site.yml does removes it (kubectl taint … -)"
            yield Row((name,), CHECK, wanted, f"taint {', '.join(surplus)}", Verdict.FAILED, cause)
        elif expected - taints:
            cause = "somebody removed the taint: analyses may be placed on a control plane that was not to have any"
            yield Row((name,), CHECK, wanted, "no taint", Verdict.WARNING, cause)
        else:
            yield Row((name,), CHECK, wanted, wanted)
