"""Ordered against built: the servers that Nova has."""

from __future__ import annotations

from collections.abc import Iterator

from ..rows import Observed, Row, Verdict
from ..thresholds import Thresholds

CHECK = "built"


def check(observed: Observed, _: Thresholds) -> Iterator[Row]:
    """A row for every node that was ordered, and for every server too many."""
    if observed.servers is None:
        for name in observed.declared:
            yield Row((name,), CHECK, "a server", "not known", Verdict.UNKNOWN, "Nova could not be asked")
        return
    for name in observed.declared:
        server = observed.servers.get(name)
        if server is None:
            listed = ", while Kubernetes still lists it" if name in (observed.nodes or {}) else ""
            cause = f"ordered, not built: deleted, or terraform was not applied{listed}"
            yield Row((name,), CHECK, "a server", "none", Verdict.FAILED, cause)
        elif server.status != "ACTIVE":
            cause = "built, but it does not run: see `openstack server show` for its fault or its last action"
            yield Row((name,), CHECK, "ACTIVE", server.status, Verdict.FAILED, cause)
        else:
            yield Row((name,), CHECK, "ACTIVE", server.status)
    for name in observed.servers.keys() - observed.declared.keys():
        joined = " and joined" if name in (observed.nodes or {}) else ""
        cause = f"one node too many: built{joined}, but not in terraform.tfvars (removed there and not applied?)"
        yield Row((name,), CHECK, "no server", observed.servers[name].status, Verdict.FAILED, cause)
