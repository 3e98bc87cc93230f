"""Bandwidth and round trip between the pods of every pair of nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ..network import Link, Pair
from ..rows import Observed, Row, Verdict, least, most
from ..thresholds import Thresholds

BANDWIDTH, ROUND_TRIP = "bandwidth", "round trip"
NARROW = "a limit on a port (QoS, quota:vif), hosts that are far apart, or a network that others are busy on"
LOST = "flannel on either of the two, or UDP 8472 between them (security groups, firewalld)"
Slow = Callable[[Link], bool]


def check(observed: Observed, thresholds: Thresholds) -> Iterator[Row]:
    """A row for either direction of every pair, and one for the round trip."""
    links = observed.measured.links
    if links is None:
        return

    def narrow(link: Link) -> bool:
        return link.error is not None or min(link.up_mbit_s, link.down_mbit_s) < thresholds.link_mbit_s_min

    def late(link: Link) -> bool:
        return link.error is not None or 0 < thresholds.round_trip_ms_max < 1e3 * link.round_trip_s

    for (one, other), link in links.values.items():
        if link.error is not None:
            cause = f"no link: {where((one, other), links.values, lambda each: each.error is not None, LOST)}"
            yield Row((one, other), BANDWIDTH, "a connection", link.error, Verdict.FAILED, cause)
            continue
        cause, limit = f"slow link: {where((one, other), links.values, narrow)}", thresholds.link_mbit_s_min
        yield least((one, other), BANDWIDTH, link.up_mbit_s, "Mbit/s", limit, cause)
        yield least((other, one), BANDWIDTH, link.down_mbit_s, "Mbit/s", limit, cause)
        cause, limit = f"slow link: {where((one, other), links.values, late)}", thresholds.round_trip_ms_max
        yield most((one, other), ROUND_TRIP, 1e3 * link.round_trip_s, "ms", limit, cause, digits=2)
    for pair, why in links.failures.items():
        yield Row(pair, BANDWIDTH, "a measurement", "none", Verdict.UNKNOWN, why)


def where(pair: Pair, links: Mapping[Pair, Link], slow: Slow, between: str = NARROW) -> str:
    """Whether all links of one of the two are slow, which is then likely the one to look at."""
    for node in pair:
        own = [slow(link) for ends, link in links.items() if node in ends]
        rest = [slow(link) for ends, link in links.items() if node not in ends]
        if len(own) > 1 and all(own) and not all(rest or [False]):
            return f"all links of {node} are: its host's network, or a limit on its port or flavor (QoS, quota:vif)"
    return between
