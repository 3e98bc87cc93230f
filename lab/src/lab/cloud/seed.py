"""What a cloud's operator sets up: users, catalogue, flavors, images, quotas and the external network.

Every function may be called again and makes only what is missing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import openstack

from lab.cloud.config import INSIDE, MEMBER, REGION
from lab.settings import COMPUTE_QUOTAS, NETWORK_QUOTAS, VOLUME_QUOTAS, Settings

# cinder under two types: older Terraform providers look for the second
CATALOGUE = {
    "placement": (("placement",), ""),
    "glance": (("image",), ""),
    "neutron": (("network",), ""),
    "nova": (("compute",), "/v2.1"),
    "cinder": (("block-storage", "volumev3"), "/v3"),
}
IMAGE_TAG = "facility-guest:rocky-8"
IMAGES = {"rocky-8": (IMAGE_TAG, "8.6"), "rocky-9": ("facility-guest:rocky-9", "9.7")}
IMAGE_DESCRIPTION = (
    "Shaped like Rocky Linux {release}, NOT Rocky Linux: a Debian 12 user space with Rocky's os-release, dnf and rpm, "
    "run as a container on this machine's kernel"
)
EXTERNAL_NETWORK = "public"


@dataclass(frozen=True)
class Flavor:
    name: str
    vcpus: int
    memory_mib: int
    disk_gib: int


FLAVORS = (
    Flavor("c1.r1", 1, 1024, 10),
    Flavor("c1.r2", 1, 2048, 10),
    Flavor("c2.r4", 2, 4096, 20),
    Flavor("c2.r6", 2, 6144, 20),
    Flavor("c4.r8", 4, 8192, 40),
    Flavor("c12.r64", 12, 65536, 100),
    Flavor("c32.r64", 32, 65536, 100),
)


def connect(settings: Settings, passwords: Mapping[str, str], user: str = "admin", project: str = "admin") -> Any:
    return openstack.connect(
        auth_url=f"{settings.url('keystone')}/v3",
        username=user,
        password=passwords[user],
        project_name=project,
        user_domain_name="Default",
        project_domain_name="Default",
        region_name=REGION,
        load_yaml_config=False,
        load_envvars=False,
    )


def identity(cloud: Any, settings: Settings, passwords: Mapping[str, str]) -> None:
    """Projects, roles, users and the catalogue; needs Keystone alone, and the others need it before they start."""
    keystone = cloud.identity
    projects = {p.name: p for p in keystone.projects()}
    for name in ("service", settings.name):
        projects[name] = projects.get(name) or keystone.create_project(name=name, domain_id="default")
    roles = {r.name: r for r in keystone.roles()}
    for name in ("service", "admin", "member", "reader"):
        roles[name] = roles.get(name) or keystone.create_role(name=name)

    def user(name: str, project: str, role_names: tuple[str, ...]) -> None:
        found = keystone.find_user(name) or keystone.create_user(
            name=name, password=passwords[name], domain_id="default", default_project_id=projects[project].id
        )
        for role in role_names:
            keystone.assign_project_role_to_user(projects[project], found, roles[role])

    user(MEMBER, settings.name, ("member", "reader"))
    services = {s.type: s for s in keystone.services()}
    endpoints = {(e.service_id, e.interface, e.region_id) for e in keystone.endpoints()}
    if INSIDE not in {region.id for region in keystone.regions()}:
        keystone.create_region(id=INSIDE, description="As guests reach the cloud")
    for name, (types, path) in CATALOGUE.items():
        user(name, "service", ("admin", "service"))
        for kind in types:
            service = services.get(kind) or keystone.create_service(name=name if kind == types[0] else kind, type=kind)
            places = [(interface, REGION, settings.url(name)) for interface in ("public", "internal", "admin")]
            for interface, region, url in [*places, ("public", INSIDE, settings.inside_url(name))]:
                if (service.id, interface, region) not in endpoints:
                    keystone.create_endpoint(
                        service_id=service.id, interface=interface, url=url + path, region_id=region
                    )


def resources(cloud: Any, settings: Settings) -> None:
    """Flavors, images, quotas and the external network."""
    present = {flavor.name for flavor in cloud.compute.flavors()}
    for flavor in FLAVORS:
        if flavor.name not in present:
            cloud.compute.create_flavor(
                name=flavor.name, vcpus=flavor.vcpus, ram=flavor.memory_mib, disk=flavor.disk_gib, is_public=True
            )
    images(cloud)
    quotas(cloud, settings)
    if not cloud.network.find_network(EXTERNAL_NETWORK):
        network = cloud.network.create_network(
            name=EXTERNAL_NETWORK,
            is_router_external=True,
            provider_network_type="flat",
            provider_physical_network=EXTERNAL_NETWORK,
            shared=False,
        )
        addresses = ipaddress.ip_network(settings.external_cidr)
        cloud.network.create_subnet(
            network_id=network.id,
            name=EXTERNAL_NETWORK,
            ip_version=4,
            cidr=settings.external_cidr,
            is_dhcp_enabled=False,
            # the first addresses are the gateway's, the mirror's and the cloud's own
            allocation_pools=[{"start": str(addresses[10]), "end": str(addresses[-6])}],
        )


def images(cloud: Any) -> None:
    """The guests' images; the bytes are in Docker Engine, Glance keeps the name under which they are found there."""
    for name, (tag, release) in IMAGES.items():
        if not cloud.image.find_image(name):
            description = IMAGE_DESCRIPTION.format(release=release)
            cloud.image.create_image(
                name=name,
                data=f"{tag}\n{description}\n".encode(),
                disk_format="raw",
                container_format="bare",
                visibility="public",
                docker_image=tag,
                description=description,
                os_distro="rocky",
            )


def quotas(cloud: Any, settings: Settings) -> None:
    """The quotas of the lab's project; a quota below what is in use is set all the same, as clouds do."""
    project = cloud.identity.find_project(settings.name).id

    def of(kind: Mapping[str, int]) -> dict[str, int]:
        return {name: value for name, value in settings.quotas.items() if name in kind}

    cloud.compute.update_quota_set(project, **of(COMPUTE_QUOTAS), force=True)
    cloud.block_storage.update_quota_set(project, **of(VOLUME_QUOTAS))
    cloud.network.update_quota(project, **of(NETWORK_QUOTAS))
