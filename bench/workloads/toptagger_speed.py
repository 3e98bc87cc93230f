"""What scoring in batches saves against a call for each event, as a ratio within one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .nano_objects import Objects
from .numeric import library
from .toptagger import TRAINED, Features, mixed, resolved, tagger


@dataclass(frozen=True)
class Batching:
    """Seconds for candidates, features and scores of the same events, and for the calls of the networks alone."""

    events: int
    candidates: int
    batched_s: float
    by_event_s: float
    network_batched_s: float
    network_by_event_s: float
    largest_difference: float

    @property
    def ratio(self) -> float:
        """How much quicker batches are, with the making of the candidates."""
        return self.by_event_s / self.batched_s

    @property
    def network_ratio(self) -> float:
        """How much quicker batches are, calls of the networks alone."""
        return self.network_by_event_s / self.network_batched_s

    @property
    def candidates_per_s(self) -> float:
        """Candidates made and scored in batches, by one core in a second."""
        return self.candidates / self.batched_s


def features(found: Objects) -> list[Features]:
    """What the networks see of all candidates."""
    return [resolved(found.jets).features, mixed(found.jets, found.fat_jets).features]


def measured(found: Objects) -> Batching:
    """Score the candidates of all events together, and then those of each event for itself.

    Parameters
    ----------
    found : Objects
        The objects of one or more events.
    """
    ak = library("awkward")
    networks = [tagger(kind) for kind in TRAINED]
    n = len(ak.num(found.jets))
    events = [Objects(**{name: values[i : i + 1] for name, values in vars(found).items()}) for i in range(n)]

    def batched() -> list[Features]:
        return [network.score(rows) for network, rows in zip(networks, features(found), strict=True)]

    def by_event() -> list[Features]:
        rows = [[network.call(x) for network, x in zip(networks, features(each), strict=True)] for each in events]
        return [np.concatenate([each[i] for each in rows]) for i in range(len(networks))]

    together = features(found)
    apart = [features(each) for each in events]
    # The first call of everything is dearer than those that follow.
    batched()
    batched_s, scores = timed(batched)
    by_event_s, alone = timed(by_event)
    network_s, _ = timed(lambda: [a.score(x) for a, x in zip(networks, together, strict=True)])
    network_by_event_s, _ = timed(lambda: [[a.call(x) for a, x in zip(networks, e, strict=True)] for e in apart])
    return Batching(
        events=n,
        candidates=sum(map(len, scores)),
        batched_s=batched_s,
        by_event_s=by_event_s,
        network_batched_s=network_s,
        network_by_event_s=network_by_event_s,
        largest_difference=max(float(np.max(np.abs(a - b), initial=0)) for a, b in zip(scores, alone, strict=True)),
    )


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds of this process, which neighbours on the machine do not lengthen, and the result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result
