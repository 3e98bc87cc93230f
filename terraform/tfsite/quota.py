"""Does what a plan adds still fit into the project, beside what is used already?

Terraform itself compares the whole order with what is allowed (quota.tf). Only a plan knows which part of the order is
new, and only the cloud knows what others in the project use; here the two meet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import Problem

Flavors = Mapping[str, tuple[int, int]]
"""Cores and MiB of memory by a flavor's id."""

COUNTED = {
    "openstack_compute_instance_v2": "instances",
    "openstack_blockstorage_volume_v3": "volumes",
    "openstack_networking_port_v2": "ports",
    "openstack_networking_router_interface_v2": "ports",
    # The DHCP agent's, where there is one.
    "openstack_networking_subnet_v2": "ports",
    "openstack_networking_floatingip_v2": "floating IPs",
    "openstack_networking_network_v2": "networks",
    "openstack_networking_router_v2": "routers",
    "openstack_networking_secgroup_v2": "security groups",
}
CORES, MEMORY, VOLUME_SIZE = "cores", "RAM in MiB", "volumes' size in GiB"


@dataclass(frozen=True)
class Quota:
    """What a project may have of something, and has; `allowed` is negative where any number is."""

    used: int
    allowed: int


def added(plan: Mapping[str, Any], flavors: Flavors) -> Counter[str]:
    """What a plan (`terraform show -json`) adds; negative where it frees more than it takes."""
    total: Counter[str] = Counter()
    for change in plan.get("resource_changes", []):
        if change.get("mode") == "managed":
            before, after = change["change"].get("before"), change["change"].get("after")
            for state, sign in ((before, -1), (after, +1)):
                if state:
                    for what, number in weight(change["type"], state, flavors).items():
                        total[what] += sign * number
    return total


def weight(kind: str, state: Mapping[str, Any], flavors: Flavors) -> dict[str, int]:
    """What one resource takes of the quota."""
    taken = {COUNTED[kind]: 1} if kind in COUNTED else {}
    if kind == "openstack_compute_instance_v2":
        cores, memory = flavors.get(str(state.get("flavor_id")), (0, 0))
        taken |= {CORES: cores, MEMORY: memory}
        # Nova makes a server's boot volume, in the project's name.
        sizes = [int(disk.get("volume_size") or 0) for disk in state.get("block_device") or []]
        taken |= {"volumes": len(sizes), VOLUME_SIZE: sum(sizes)}
    if kind == "openstack_blockstorage_volume_v3":
        taken |= {VOLUME_SIZE: int(state.get("size") or 0)}
    return taken


def exceeded(wanted: Mapping[str, int], quotas: Mapping[str, Quota]) -> list[str]:
    """What does not fit, in words."""
    return [
        f"{what}: {quotas[what].used} used, {number} more asked, {quotas[what].allowed} allowed"
        for what, number in wanted.items()
        if number > 0 and what in quotas and 0 <= quotas[what].allowed < quotas[what].used + number
    ]


def check(plan: Mapping[str, Any], cloud: Cloud, shown: str) -> None:
    """Refuse a plan that does not fit."""
    if any(number > 0 for number in added(plan, {}).values()) or grows(plan.get("resource_changes", [])):
        lines = exceeded(added(plan, cloud.flavors()), cloud.quotas())
        if lines:
            raise Problem(
                "The project's quota is too small, nothing was changed. " + "; ".join(lines) + ".",
                f"Order less in {shown}, free what others in the project use, or ask the cloud's operators for more.",
            )


def grows(changes: Iterable[Mapping[str, Any]]) -> bool:
    """Is there a server that gets another flavor?"""
    return any(
        change["type"] == "openstack_compute_instance_v2" and "update" in change["change"]["actions"]
        for change in changes
    )


class Cloud:
    """The project's quota and the cloud's catalogue, by openstacksdk."""

    def __init__(self, name: str, env: Mapping[str, str]) -> None:
        # Imported when it is needed: loading it takes longer than everything else here.
        from openstack.config.loader import OpenStackConfig
        from openstack.connection import Connection

        files = [env["OS_CLIENT_CONFIG_FILE"]] if env.get("OS_CLIENT_CONFIG_FILE") else None
        config = OpenStackConfig(config_files=files, load_envvars=False).get_one(name)
        self.connection: Any = Connection(config=config)

    def flavors(self) -> dict[str, tuple[int, int]]:
        return {flavor.id: (flavor.vcpus, flavor.ram) for flavor in self.connection.compute.flavors()}

    def flavor_names(self) -> list[str]:
        listed = sorted(self.connection.compute.flavors(), key=lambda flavor: (flavor.vcpus, flavor.ram))
        return [f"{flavor.name} ({flavor.vcpus} vCPUs, {flavor.ram} MiB)" for flavor in listed]

    def image_names(self) -> list[str]:
        return sorted({image.name for image in self.connection.image.images(status="active")})

    def quotas(self) -> dict[str, Quota]:
        """Quotas by the names used here."""
        compute = self.connection.compute.get("/limits").json()["limits"]["absolute"]
        volumes = self.connection.block_storage.get("/limits").json()["limits"]["absolute"]
        project = self.connection.current_project_id
        network = self.connection.network.get(f"/quotas/{project}/details.json").json()["quota"]
        found = {
            "instances": Quota(compute["totalInstancesUsed"], compute["maxTotalInstances"]),
            CORES: Quota(compute["totalCoresUsed"], compute["maxTotalCores"]),
            MEMORY: Quota(compute["totalRAMUsed"], compute["maxTotalRAMSize"]),
            "volumes": Quota(volumes["totalVolumesUsed"], volumes["maxTotalVolumes"]),
            VOLUME_SIZE: Quota(volumes["totalGigabytesUsed"], volumes["maxTotalVolumeGigabytes"]),
        }
        names = {
            "ports": "port", "floating IPs": "floatingip", "networks": "network", "routers": "router",
            "security groups": "security_group",
        }  # fmt: skip
        return found | {ours: Quota(network[its]["used"], network[its]["limit"]) for ours, its in names.items()}
