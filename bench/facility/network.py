"""Bandwidth and round trip between the pods of every pair of nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .answers import Answers, ask_each
from .kube import Kube, PodState
from .pods import LIFETIME_S, Shape
from .scripted import Found, command, run_script

PORT = 7077
MOST_BYTES = 256 << 20
MOST_S = 1.0
Pair = tuple[str, str]


class Link(Found):
    """A pair of nodes: `up` is what the first sent to the second, `down` the other way; or why nothing came through."""

    round_trip_s: float = 0.0
    up_bytes: int = 0
    up_s: float = 1.0
    down_bytes: int = 0
    down_s: float = 1.0
    error: str | None = None

    @property
    def up_mbit_s(self) -> float:
        """10⁶ bits in a second from the first to the second."""
        return 8e-6 * self.up_bytes / self.up_s

    @property
    def down_mbit_s(self) -> float:
        """10⁶ bits in a second from the second to the first."""
        return 8e-6 * self.down_bytes / self.down_s


def serving(shape: Shape) -> Shape:
    """The same pod, with the other end of a connection instead of its sleep."""
    return Shape(tuple(command("link", "serve", PORT, LIFETIME_S)), shape.volumes, shape.mounts, shape.root)


def rounds(nodes: Sequence[str]) -> list[list[Pair]]:
    """Every pair once, in rounds in which no node is in two pairs (a tournament's schedule)."""
    ring: list[str | None] = [*nodes] if len(nodes) % 2 == 0 else [*nodes, None]
    plan: list[list[Pair]] = []
    for _ in range(len(ring) - 1):
        half = len(ring) // 2
        meeting = zip(ring[:half], reversed(ring[half:]), strict=True)
        plan.append([(one, other) for one, other in meeting if one is not None and other is not None])
        ring = [ring[0], ring[-1], *ring[1:-1]]
    return plan


def measure_links(kube: Kube, pods: Mapping[str, PodState]) -> Answers[Pair, Link]:
    """Measure every pair; pairs that share no node at the same time."""

    def measure(pair: Pair) -> Link:
        here, there = pods[pair[0]], pods[pair[1]]
        return run_script(kube, here.name, Link, "link", "measure", there.ip, PORT, MOST_BYTES, MOST_S)

    values: dict[Pair, Link] = {}
    failures: dict[Pair, str] = {}
    for pairs in rounds(list(pods)):
        found = ask_each(pairs, measure)
        values.update(found.values)
        failures.update(found.failures)
    return Answers(values, failures)
