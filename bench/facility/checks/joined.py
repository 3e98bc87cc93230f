"""Built against joined: the nodes that Kubernetes has, and whether they are Ready."""

from __future__ import annotations

from collections.abc import Iterator

from ..rows import Observed, Row, Verdict
from ..thresholds import Thresholds

CHECK = "joined"


def check(observed: Observed, _: Thresholds) -> Iterator[Row]:
    """A row for every node that was ordered, and for every one too many that has no server."""
    if observed.nodes is None:
        for name in observed.declared:
            yield Row((name,), CHECK, "Ready", "not known", Verdict.UNKNOWN, "Kubernetes could not be asked")
        return
    for name in observed.declared:
        node = observed.nodes.get(name)
        if node is None:
            # what was not built cannot have joined, and is told once
            if name in (observed.servers or {}):
                cause = "built, not joined: deleted in Kubernetes, or site.yml has not run or has failed"
                yield Row((name,), CHECK, "Ready", "no such node", Verdict.FAILED, cause)
        elif not node.ready:
            cause = f"joined, but NotReady: {node.reason} (is its kubelet running?)"
            yield Row((name,), CHECK, "Ready", "NotReady", Verdict.FAILED, cause)
        else:
            yield Row((name,), CHECK, "Ready", "Ready")
    for name in observed.nodes.keys() - observed.declared.keys() - (observed.servers or {}).keys():
        if observed.servers is None:
            cause = "one node too many: joined, but not in terraform.tfvars"
        else:
            cause = "one node too many: joined, but neither ordered nor built (its server is gone: kubectl delete node)"
        yield Row((name,), CHECK, "no node", "a node", Verdict.FAILED, cause)
