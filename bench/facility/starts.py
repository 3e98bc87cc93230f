"""How long pods take to start."""

from __future__ import annotations

from collections.abc import Sequence

from .answers import Answers
from .kube import Kube
from .pods import Shape, each_helper

ROUNDS = 5
TIMEOUT_S = 60.0


def measure_starts(kube: Kube, nodes: Sequence[str], image: str) -> Answers[str, tuple[float, ...]]:
    """Seconds from the request for a pod to its being ready, some times on every node, the image being there.

    Looked at every 0.1 s. The pods are bound to their nodes: a scheduler's time is not in it.
    """
    times: dict[str, list[float]] = {node: [] for node in nodes}
    failures: dict[str, str] = {}
    for _ in range(ROUNDS):
        left = [node for node in nodes if node not in failures]
        if not left:
            break
        with each_helper(kube, left, image, "start", Shape(), TIMEOUT_S) as started:
            for node, seconds in started.started_s.items():
                times[node].append(seconds)
            failures.update(started.failures)
    return Answers({node: tuple(found) for node, found in times.items() if node not in failures}, failures)
