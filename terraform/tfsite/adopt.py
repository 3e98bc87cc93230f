"""What a killed apply left behind is taken into the state, so that the same command goes on from there.

Terraform writes a resource down when it is ready. A run that is killed (SIGKILL, a power cut: not Ctrl-C, which ends in
good order) leaves those it was waiting for in the cloud and not in its state; the next run would make them again beside
the old ones, or fail where a name is taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import lock
from .site import Site

BETWEEN = " between nodes"


@dataclass(frozen=True)
class Found:
    """A resource of the facility in the cloud."""

    address: str
    id: str
    """As Terraform's state and import know it."""


def mark(site: Site) -> None:
    """Remember that a run did not end: Terraform's lock file is still there, and the next command will remove it."""
    if lock.info_file(site).exists() and site.root.is_dir() and not lock.held(site):
        marker(site).touch()


def marker(site: Site) -> Path:
    return site.root / "interrupted"


def missing(found: Iterable[Found], state: dict[str, Any]) -> tuple[list[Found], list[Found]]:
    """Of what is in the cloud: what is to be taken into the state, and what is there twice."""
    known, addresses = contents(state)
    adopt: list[Found] = []
    surplus: list[Found] = []
    for each in found:
        if each.id not in known:
            (surplus if each.address in addresses else adopt).append(each)
            addresses.add(each.address)
    return adopt, surplus


def contents(state: dict[str, Any]) -> tuple[set[str], set[str]]:
    """Ids and addresses of what a state holds."""
    ids: set[str] = set()
    addresses: set[str] = set()
    for resource in state.get("resources", []):
        if resource["mode"] == "managed":
            for instance in resource["instances"]:
                key = instance.get("index_key")
                address = f"{resource['type']}.{resource['name']}"
                addresses.add(address if key is None else f"{address}[{json.dumps(key)}]")
                ids.add(str(instance.get("attributes", {}).get("id")))
    return ids, addresses


def read_state(site: Site) -> dict[str, Any]:
    """The site's local state; empty where there is none."""
    text = site.state.read_text() if site.state.is_file() else ""
    state: dict[str, Any] = json.loads(text) if text else {}
    return state


def take_in(site: Site, cloud: Any, facility: str, public_key: str, run: Callable[[Found], bool]) -> list[str]:
    """Adopt with `run` whatever an interrupted run left; returns lines about what is left over."""
    mark(site)
    if not marker(site).exists():
        return []
    adopt, surplus = missing(listing(cloud, facility, public_key), read_state(site))
    failed = [each for each in adopt if not run(each)]
    if not failed:
        marker(site).unlink(missing_ok=True)
    return [f"{each.address.split('.')[0]} {each.id}" for each in (*surplus, *failed)]


def listing(cloud: Any, facility: str, public_key: str) -> list[Found]:
    """The facility's resources in the cloud, by the marks that the module gives them."""
    text = f"facility {facility}"

    def key_of(name: str, suffix: str = "") -> str:
        return json.dumps(name.removeprefix(f"{facility}-").removesuffix(suffix))

    def marked(resources: Iterable[Any]) -> list[Any]:
        return [each for each in resources if re.fullmatch(re.escape(text) + "(:.*)?", each.description or "")]

    network, compute = cloud.network, cloud.compute
    found: list[Found] = []
    for kind, resources in (
        ("network", network.networks()),
        ("subnet", network.subnets()),
        ("router", network.routers()),
    ):
        found += [Found(f"openstack_networking_{kind}_v2.nodes[0]", each.id) for each in marked(resources)]
    for router in marked(network.routers()):
        for port in network.ports(device_id=router.id, device_owner="network:router_interface"):
            found.append(Found("openstack_networking_router_interface_v2.nodes[0]", port.id))
    for group in marked(network.security_groups()):
        name = group.name.removeprefix(f"{facility}-")
        found.append(Found(f"openstack_networking_secgroup_v2.{name}[0]", group.id))
        for rule in network.security_group_rules(security_group_id=group.id):
            if address := rule_address(rule.description or "", name):
                found.append(Found(address, rule.id))
    for port in marked(network.ports()):
        found.append(Found(f"openstack_networking_port_v2.node[{key_of(port.name)}]", port.id))
    for floating in marked(network.ips()):
        server = floating.description.removeprefix(f"{text}: ")
        found.append(Found(f"openstack_networking_floatingip_v2.controlplane[{key_of(server)}]", floating.id))
    for pair in compute.keypairs():
        if pair.name == facility and pair.public_key.split()[:2] == public_key.split()[:2]:
            found.append(Found("openstack_compute_keypair_v2.admin[0]", pair.name))
    servers = list(compute.servers(details=True, metadata={"facility": facility}))
    ours = {server.id for server in servers}
    for group in compute.server_groups():
        if group.name == facility and ours.issuperset(group.member_ids or []):
            found.append(Found("openstack_compute_servergroup_v2.nodes", group.id))
    for server in servers:
        found.append(Found(f"openstack_compute_instance_v2.node[{key_of(server.name)}]", server.id))
    for volume in cloud.block_storage.volumes(details=True):
        if (volume.metadata or {}).get("facility") == facility:
            name = f"data[{key_of(volume.name, '-data')}]"
            if "volume" in volume.metadata:
                name = f"further[{json.dumps(volume.metadata['node'] + '/' + volume.metadata['volume'])}]"
            found.append(Found(f"openstack_blockstorage_volume_v3.{name}", volume.id))
            for attachment in volume.attachments or []:
                pair = f"{attachment['server_id']}/{volume.id}"
                found.append(Found(f"openstack_compute_volume_attach_v2.{name}", pair))
    for image in cloud.image.images(status="active"):
        mark = image.properties or {}
        if mark.get("facility") == facility and "facility_sha256" in mark:
            found.append(Found(f"openstack_images_image_v2.upload[{json.dumps(mark['facility_sha256'])}]", image.id))
    return found


def rule_address(description: str, group: str) -> str | None:
    """The address of a security group's rule; None for Neutron's own."""
    if group == "controlplane":
        name = f"public[{json.dumps(description)}]" if " from " in description else ""
    elif description == f"icmp{BETWEEN}":
        name = "icmp_between_nodes[0]"
    elif description.endswith(BETWEEN):
        name = f"between_nodes[{json.dumps(description.removesuffix(BETWEEN))}]"
    else:
        name = f"ssh[{json.dumps(description.removeprefix('ssh from '))}]" if description else ""
    return f"openstack_networking_secgroup_rule_v2.{name}" if name else None
