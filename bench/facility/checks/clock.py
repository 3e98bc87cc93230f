"""How far the nodes' clocks are from this machine's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..clock import Clock
from ..rows import NO_THRESHOLD, Observed, Row, Verdict, unmeasured
from ..thresholds import Thresholds

CHECK = "clock offset"


def check(observed: Observed, thresholds: Thresholds) -> Iterator[Row]:
    """A row for every node whose clock was asked."""
    clocks = observed.measured.clocks
    if clocks is None:
        return
    limit = thresholds.clock_offset_s_max
    for name, clock in clocks.values.items():
        expected = f"≤ {limit:g} s" if limit else NO_THRESHOLD
        text = f"{clock.offset_s:+.3f} ± {clock.uncertainty_s:.3f} s"
        verdict, cause = Verdict.OK, ""
        if limit and abs(clock.offset_s) - clock.uncertainty_s > limit:
            verdict, cause = Verdict.FAILED, whose(name, clocks.values, limit)
        elif limit and abs(clock.offset_s) + clock.uncertainty_s > limit:
            verdict, cause = Verdict.UNKNOWN, "the way to the node is too slow to tell"
        yield Row((name,), CHECK, expected, text, verdict, cause, clock.offset_s, "s")
    yield from unmeasured(clocks, CHECK)


def whose(name: str, clocks: Mapping[str, Clock], limit: float) -> str:
    """Whether it is the node's clock that is off, or the one it is compared with."""
    clock = clocks[name]
    way = "ahead of" if clock.offset_s > 0 else "behind"
    others = [each for other, each in clocks.items() if other != name]
    if others and all(abs(each.offset_s - clock.offset_s) <= limit for each in others):
        return f"all nodes agree, {abs(clock.offset_s):.1f} s {way} this machine: this machine's own clock is off"
    return (
        f"its clock is {abs(clock.offset_s):.1f} s {way} this machine's: chronyd does not run there, or reaches no "
        "time server (chronyc sources)"
    )
