"""What a site ordered, for playbooks: filters that read its terraform.tfvars and compare address ranges."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import hcl2

# The parser makes itself out of its grammar at the first text. Each of Ansible's tasks is a process of its own, which
# would do that again (0.2 s); what is there when this file is loaded they have in common.
hcl2.loads("")


def from_tfvars(text: str) -> dict[str, Any]:
    """The variables that a terraform.tfvars sets, by name; strings without their quotes."""
    return {name: plain(value) for name, value in hcl2.loads(text).items() if not name.startswith("__")}


def plain(value: Any) -> Any:
    """`value` as plain data: newer versions of the parser keep quotes around strings and keys."""
    if isinstance(value, str):
        return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items() if not str(key).startswith("__")}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def cidr_overlaps(ranges: Mapping[str, str]) -> list[str]:
    """Pairs of named address ranges that share addresses, each as one phrase; empty when there are none."""
    networks = {name: ipaddress.ip_network(cidr, strict=False) for name, cidr in ranges.items()}
    return [
        f"{one} ({networks[one]}) and {other} ({networks[other]})"
        for one, other in combinations(networks, 2)
        if networks[one].overlaps(networks[other])
    ]


def within(address: str, ranges: Sequence[str]) -> bool:
    """Whether an address is in one of the ranges."""
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(cidr, strict=False) for cidr in ranges)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"from_tfvars": from_tfvars, "cidr_overlaps": cidr_overlaps, "within": within}
