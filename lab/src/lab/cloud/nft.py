"""One nftables table with all that the lab filters and translates, as text.

Docker's bridges pass bridged frames to the IP hooks (net.bridge.bridge-nf-call-iptables=1), so the forward hook sees
guest to guest, the output hook machine to guest, the input hook guest to machine. What is not a known port's traffic
is dropped on the lab's bridges: a guest is closed before its port's rules are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lab.settings import POD_CIDR, SERVICE_CIDR

METADATA = "169.254.169.254"  # where every cloud's guests ask who they are
PROTOCOLS = {"1": "icmp", "6": "tcp", "17": "udp", "132": "sctp"}
WITH_PORTS = ("tcp", "udp", "sctp")


@dataclass(frozen=True)
class Rule:
    """One rule of a security group, for IPv4.

    Attributes
    ----------
    ingress : whether it is about packets to the port, not from it
    group : the other side's security group
    prefix : the other side's addresses
    first, last : destination ports, or type and code of ICMP
    """

    ingress: bool
    group: str | None = None
    prefix: str | None = None
    protocol: str | None = None
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True)
class Port:
    """A guest's port.

    Attributes
    ----------
    pairs : addresses beside its own that the port may use (allowed_address_pairs)
    secured : False when port security is off: all passes
    """

    id: str
    addresses: Sequence[str]
    groups: Sequence[str] = ()
    pairs: Sequence[str] = ()
    secured: bool = True


@dataclass(frozen=True)
class Model:
    """All that the table depends on.

    Attributes
    ----------
    name : of the table
    bridges : what the names of the lab's bridges start with
    external : the external network
    mirror, mirror_ports : address of the artefact mirror in it, and what it listens on: container images, files
    inside, inside_ports : address of the cloud's services in it, for guests
    metadata_port : the port there that answers guests who ask for their metadata
    floating : floating IP → fixed IP
    rules : security group → its rules
    """

    name: str
    bridges: str
    external: str
    mirror: str
    inside: str
    mirror_ports: Sequence[int] = (5000, 8080)
    inside_ports: Sequence[int] = ()
    metadata_port: int = 8775
    ports: Sequence[Port] = ()
    rules: Mapping[str, Sequence[Rule]] = field(default_factory=dict)
    floating: Mapping[str, str] = field(default_factory=dict)


def match(rule: Rule, members: Mapping[str, Iterable[str]]) -> str | None:
    """What a rule matches; None when nothing can."""
    peer = "saddr" if rule.ingress else "daddr"
    parts = []
    if rule.group:
        addresses = sorted(set(members.get(rule.group, ())))
        if not addresses:
            return None
        parts.append(f"ip {peer} {{ {', '.join(addresses)} }}")
    elif rule.prefix and rule.prefix != "0.0.0.0/0":
        parts.append(f"ip {peer} {rule.prefix}")
    protocol = PROTOCOLS.get(rule.protocol or "", rule.protocol)
    if protocol == "icmp":
        parts.append("ip protocol icmp")
        if rule.first is not None:
            parts.append(f"icmp type {rule.first}")
        if rule.last is not None:
            parts.append(f"icmp code {rule.last}")
    elif protocol in WITH_PORTS and rule.first is not None:
        last = rule.first if rule.last is None else rule.last
        parts.append(f"{protocol} dport {rule.first}-{last}")
    elif protocol:
        parts.append(f"meta l4proto {protocol}")
    return " ".join(parts)


def _chain(port: Port, model: Model, members: Mapping[str, Iterable[str]], ingress: bool) -> str:
    name = _chain_name(port, ingress)
    if not port.secured:
        return f"chain {name} {{\n  return\n}}"
    matches = [
        text
        for group in port.groups
        for rule in model.rules.get(group, ())
        if rule.ingress == ingress and (text := match(rule, members)) is not None
    ]
    return "\n".join([f"chain {name} {{", *(f"  {text} return".rstrip() for text in matches), "  drop", "}"])


def _chain_name(port: Port, ingress: bool) -> str:
    return f"{'to' if ingress else 'from'}_{port.id}".replace("-", "_")


def _jumps(ports: Sequence[Port], ingress: bool) -> str:
    """Each guest's packets into its chain; all others on the lab's bridges are nobody's."""
    side = "daddr" if ingress else "saddr"
    jumps = {address: f"jump {_chain_name(port, ingress)}" for port in ports for address in port.addresses}
    known = f"  ip {side} vmap {{ {', '.join(f'{a} : {j}' for a, j in sorted(jumps.items()))} }}\n" if jumps else ""
    allowed = sorted({*jumps, *(pair for port in ports for pair in port.pairs)})
    return known + (f"  ip {side} != @allowed drop\n" if allowed else "  drop\n")


def render(model: Model) -> str:
    """The table as input of `nft -f`: replaces the one there is, all at once."""
    bridge = f'"{model.bridges}*"'
    # Kubernetes' own ranges have no place outside of the guests. Until a node knows a new service its packets leave the
    # node, and beyond this machine somebody else might answer them.
    # In the output hook a translated packet still has the interface of its first destination, which is lo: guests are
    # told by their addresses there.
    members: dict[str, list[str]] = {}
    for port in model.ports:
        for group in port.groups:
            members.setdefault(group, []).extend(port.addresses)
    chains = [_chain(port, model, members, ingress) for port in model.ports for ingress in (False, True)]
    allowed = sorted({address for port in model.ports for address in (*port.addresses, *port.pairs)})
    elements = f"elements = {{ {', '.join(allowed)} }}; " if allowed else ""
    pairs = ", ".join(f"{floating} : {fixed}" for floating, fixed in sorted(model.floating.items()))
    dnat = f"  dnat ip to ip daddr map {{ {pairs} }}\n" if pairs else ""
    mirror_ports = ", ".join(map(str, model.mirror_ports))
    inside_ports = ", ".join(map(str, (*model.inside_ports, model.metadata_port)))
    metadata = f"{model.inside}:{model.metadata_port}"
    table = f"table inet {model.name}"
    return f"""\
add {table}
delete {table}
{table} {{
set allowed {{ type ipv4_addr; flags interval; auto-merge; {elements}}}
{chr(10).join(chains)}
chain from_guest {{
{_jumps(model.ports, ingress=False)}}}
chain to_guest {{
{_jumps(model.ports, ingress=True)}}}
chain outside {{
  type filter hook prerouting priority raw
  iifname != {{ "lo", {bridge} }} ip daddr {model.external} drop
}}
chain forward {{
  type filter hook forward priority filter - 10
  ct state established,related accept
  iifname {bridge} meta nfproto ipv6 drop
  iifname {bridge} jump from_guest
  iifname {bridge} ip daddr {{ {POD_CIDR}, {SERVICE_CIDR} }} reject with icmp type net-unreachable
  oifname {bridge} iifname != {bridge} ct status & dnat == 0 drop
  oifname {bridge} jump to_guest
}}
chain output {{
  type filter hook output priority filter - 10
  ct state established,related accept
  oifname {bridge} meta nfproto ipv6 accept
  oifname {bridge} ct status & dnat == 0 reject with icmp type admin-prohibited
  ip daddr @allowed jump to_guest
}}
chain input {{
  type filter hook input priority filter - 10
  ct state established,related accept
  iifname {bridge} meta nfproto ipv6 drop
  iifname {bridge} jump from_guest
  iifname {bridge} ip daddr {model.mirror} tcp dport {{ {mirror_ports} }} accept
  iifname {bridge} ip daddr {model.inside} tcp dport {{ {inside_ports} }} accept
  iifname {bridge} icmp type echo-request accept
  iifname {bridge} reject
  ip daddr {{ {model.mirror}, {model.inside} }} accept
  ip daddr {model.external} reject with icmp type host-unreachable
}}
chain prerouting {{
  type nat hook prerouting priority dstnat
  iifname {bridge} ip daddr {METADATA} tcp dport 80 dnat ip to {metadata}
{dnat}}}
chain local {{
  type nat hook output priority -100
{dnat}}}
chain postrouting {{
  type nat hook postrouting priority srcnat
  oifname {bridge} ct status & dnat != 0 masquerade
}}
}}
"""
