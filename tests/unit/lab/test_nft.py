"""The table of nftables: what it lets through, as text."""

from __future__ import annotations

import pytest
from lab.cloud.nft import Model, Port, Rule, match, render

WEB = Port("11111111-aaaa", ["10.77.0.5"], ["web"])
OPEN = Port("22222222-bbbb", ["10.77.0.6"], secured=False)


def model(**changes: object) -> Model:
    values = {"name": "lab", "bridges": "lab-", "external": "172.31.250.0/24", "mirror": "172.31.250.2"}
    values |= {"inside": "172.31.250.3", "inside_ports": [5000, 8776], **changes}
    return Model(**values)


def chain(text: str, name: str) -> list[str]:
    body = text.split(f"chain {name} {{\n")[1].split("\n}")[0]
    return [line.strip() for line in body.splitlines()]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule(ingress=True), ""),
        (Rule(ingress=True, prefix="0.0.0.0/0"), ""),
        (Rule(ingress=True, prefix="10.0.0.0/8"), "ip saddr 10.0.0.0/8"),
        (Rule(ingress=False, prefix="10.0.0.0/8"), "ip daddr 10.0.0.0/8"),
        (Rule(ingress=True, group="g"), "ip saddr { 10.77.0.5, 10.77.0.6 }"),
        (Rule(ingress=True, protocol="tcp", first=22, last=22), "tcp dport 22-22"),
        (Rule(ingress=True, protocol="17", first=8472, last=8472), "udp dport 8472-8472"),
        (Rule(ingress=True, protocol="icmp"), "ip protocol icmp"),
        (Rule(ingress=True, protocol="icmp", first=8, last=0), "ip protocol icmp icmp type 8 icmp code 0"),
        (Rule(ingress=True, protocol="tcp"), "meta l4proto tcp"),
        (Rule(ingress=True, protocol="112"), "meta l4proto 112"),
    ],
)
def test_rule_matches_what_it_says(rule: Rule, expected: str):
    assert match(rule, {"g": ["10.77.0.6", "10.77.0.5"]}) == expected


def test_rule_about_an_empty_group_matches_nothing():
    assert match(Rule(ingress=True, group="nobody"), {}) is None


def test_port_without_a_matching_rule_is_closed():
    text = render(model(ports=[WEB], rules={"web": [Rule(ingress=True, group="nobody")]}))
    assert chain(text, "to_11111111_aaaa") == ["drop"]


def test_rules_of_one_direction_stay_in_it():
    rules = {"web": [Rule(ingress=False), Rule(ingress=True, protocol="tcp", first=80, last=81)]}
    text = render(model(ports=[WEB], rules=rules))
    assert chain(text, "from_11111111_aaaa") == ["return", "drop"]
    assert chain(text, "to_11111111_aaaa") == ["tcp dport 80-81 return", "drop"]


def test_port_without_port_security_is_open():
    assert chain(render(model(ports=[OPEN])), "to_22222222_bbbb") == ["return"]


def test_addresses_of_no_port_are_dropped():
    assert chain(render(model()), "from_guest") == ["drop"]
    assert chain(render(model(ports=[WEB])), "from_guest")[-1] == "ip saddr != @allowed drop"


def test_allowed_address_pairs_pass_beside_the_port_own_address():
    port = Port("33", ["10.77.0.7"], pairs=["10.244.0.0/16"])
    assert "elements = { 10.244.0.0/16, 10.77.0.7 }" in render(model(ports=[port]))


def test_floating_addresses_lead_to_fixed_ones_from_guests_and_from_the_machine():
    text = render(model(ports=[WEB], floating={"172.31.250.20": "10.77.0.5"}))
    wanted = "dnat ip to ip daddr map { 172.31.250.20 : 10.77.0.5 }"
    assert wanted in chain(text, "prerouting")
    assert wanted in chain(text, "local")


def test_external_network_is_closed_to_other_interfaces():
    assert 'iifname != { "lo", "lab-*" } ip daddr 172.31.250.0/24 drop' in render(model())


def test_machine_reaches_guests_by_floating_address_only():
    assert 'oifname "lab-*" ct status & dnat == 0 reject with icmp type admin-prohibited' in render(model())


def test_table_replaces_the_one_before_at_once():
    assert render(model()).startswith("add table inet lab\ndelete table inet lab\ntable inet lab {")


def test_packets_to_services_that_a_node_does_not_know_yet_are_refused():
    """Else they leave the machine, and whoever answers there is taken for the service."""
    rule = 'iifname "lab-*" ip daddr { 10.244.0.0/16, 10.96.0.0/12 } reject with icmp type net-unreachable'
    assert rule in chain(render(model()), "forward")


def test_guests_reach_the_cloud_and_their_metadata_and_nothing_else_of_the_machine():
    text = render(model())
    opened = [line for line in chain(text, "input") if line.startswith('iifname "lab-*" ip daddr')]
    assert opened == [
        'iifname "lab-*" ip daddr 172.31.250.2 tcp dport { 5000, 8080 } accept',
        'iifname "lab-*" ip daddr 172.31.250.3 tcp dport { 5000, 8776, 8775 } accept',
    ]
    wanted = 'iifname "lab-*" ip daddr 169.254.169.254 tcp dport 80 dnat ip to 172.31.250.3:8775'
    assert wanted in chain(text, "prerouting")
