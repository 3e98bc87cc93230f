"""Versions of kubelet and container runtime: those that were installed, and the same on all nodes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from ..rows import Observed, Row, Verdict
from ..thresholds import Thresholds


def check(observed: Observed, _: Thresholds) -> Iterator[Row]:
    """Two rows for every node that has joined."""
    joined = [(name, node) for name, _, node in observed.joined()]
    kubelets = {name: numbers(node.kubelet) for name, node in joined if node.kubelet}
    runtimes = {name: numbers(node.runtime) for name, node in joined if node.runtime}
    yield from compare("kubelet", kubelets, observed.versions.get("kubernetes"))
    yield from compare("container runtime", runtimes, observed.versions.get("containerd"))


def numbers(version: str) -> str:
    """The numbers alone, as site.yml writes them down: builds of distributions add words of their own."""
    found = re.search(r"\d+\.\d+\.\d+", version)
    return found[0] if found else version


def compare(check: str, found: dict[str, str], installed: str | None) -> Iterator[Row]:
    """A row for every node; what most nodes have is expected where nothing was written down."""
    if not found:
        return
    usual = Counter(found.values()).most_common(1)[0][0]
    expected = installed or usual
    for name, version in found.items():
        if version == expected:
            yield Row((name,), check, expected, version)
            continue
        apart = "the others have another version" if version != usual else "all nodes have it"
        cause = f"{apart}: an upgrade has stopped halfway, or facility.json is older than the nodes (run site.yml)"
        yield Row((name,), check, expected, version, Verdict.FAILED, cause)
