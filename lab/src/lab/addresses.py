"""Networks that must not overlap."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable


def overlap(one: str, other: str) -> bool:
    """Whether two networks share an address; networks of different versions never do."""
    first, second = ipaddress.ip_network(one, strict=False), ipaddress.ip_network(other, strict=False)
    return first.version == second.version and first.overlaps(second)


def conflicts(cidr: str, others: Iterable[tuple[str, str]]) -> list[str]:
    """What a network overlaps.

    Parameters
    ----------
    others : what each network is, for people, and the network
    """
    return [f"{network} ({what})" for what, network in others if overlap(cidr, network)]
