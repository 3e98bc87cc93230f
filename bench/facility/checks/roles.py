"""The groups of a node in terraform.tfvars against its role labels in Kubernetes."""

from __future__ import annotations

from collections.abc import Iterator

from ..rows import Observed, Row, Verdict
from ..thresholds import Thresholds

CHECK = "roles"
# The group's name, and the label's.
LABELS = {"controlplane": "control-plane", "etcd": "etcd", "worker": "worker"}


def check(observed: Observed, _: Thresholds) -> Iterator[Row]:
    """A row for every node that has joined."""
    for name, declared, node in observed.joined():
        expected = {LABELS[group] for group in declared.groups if group in LABELS}
        found = node.roles & set(LABELS.values())
        words = [f"it is not labelled {role}" for role in sorted(expected - found)]
        words += [f"it is labelled {role} and was not ordered as one" for role in sorted(found - expected)]
        cause = f"{'; '.join(words)} (groups changed in terraform.tfvars, or a label by hand: run site.yml)"
        verdict = Verdict.FAILED if words else Verdict.OK
        told = ", ".join(sorted(expected)) or "none", ", ".join(sorted(found)) or "none"
        yield Row((name,), CHECK, *told, verdict, cause if words else "")
