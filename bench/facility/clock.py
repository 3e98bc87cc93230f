"""How far the clock of a node is from this machine's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import BenchError
from .kube import Kube
from .scripted import command

QUESTIONS = 8


@dataclass(frozen=True)
class Clock:
    """Seconds that a node's clock is ahead of this machine's, known to `uncertainty_s`: half of a round trip."""

    offset_s: float
    uncertainty_s: float


def read_clock(kube: Kube, pod: str, clock: Sequence[str] | None = None) -> Clock:
    """Ask some times; the quickest answer counts.

    Parameters
    ----------
    clock : sequence of str, optional
        The command that answers every line with the time.
    """
    found: list[Clock] = []
    for asked, said, answered in kube.converse(pod, list(clock or command("clock")), QUESTIONS):
        try:
            offset = float(said) - (asked + answered) / 2
        except ValueError:
            raise BenchError(f"the clock in pod {pod}", f"it says {said!r}", "Run this again.") from None
        found.append(Clock(offset, (answered - asked) / 2))
    if not found:
        raise BenchError(f"the clock in pod {pod}", "it says nothing", "Run this again.")
    return min(found, key=lambda each: each.uncertainty_s)
