"""What one lab is: its name, addresses, hypervisors and quotas."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lab import paths
from lab.errors import LabError

PORTS = {"keystone": 5000, "placement": 8778, "glance": 9292, "neutron": 9696, "nova": 8774, "cinder": 8776}
HYPERVISORS = ("docker", "fake")
METADATA_PORT = 8775  # of what guests ask at 169.254.169.254
POD_CIDR, SERVICE_CIDR = "10.244.0.0/16", "10.96.0.0/12"  # Kubernetes' networks inside the guests

COMPUTE_QUOTAS = {"instances": 20, "cores": 40, "ram": 81920, "server_groups": 20}
VOLUME_QUOTAS = {"volumes": 20, "snapshots": 20, "gigabytes": 500}
NETWORK_QUOTAS = {
    "networks": 50,
    "subnets": 50,
    "ports": 200,
    "routers": 20,
    "floating_ips": 20,
    "security_groups": 50,
    "security_group_rules": 500,
}
QUOTAS = {**COMPUTE_QUOTAS, **VOLUME_QUOTAS, **NETWORK_QUOTAS}
# the largest facility that ships (5+1 nodes, 172 cores, 384 GiB) fits: nothing runs on these hypervisors
FAKE_QUOTAS = {**QUOTAS, "cores": 256, "ram": 512 * 1024, "gigabytes": 5000}


@dataclass(frozen=True)
class Settings:
    """One lab.

    Attributes
    ----------
    name : prefix or label of all that this lab makes on the machine; at most 8 letters and digits
    port_base : added to the usual port of each service
    external_cidr : floating IPs and, at its second address, the mirror of artefacts, at its third the cloud for guests
    hypervisors : "docker" (a server is a container) or "fake" (a server is a row in a table)
    quotas : of the lab's project
    """

    name: str = "lab"
    port_base: int = 0
    external_cidr: str = "172.31.250.0/24"
    hypervisors: str = "docker"
    quotas: Mapping[str, int] = field(default_factory=lambda: dict(QUOTAS))

    def port(self, service: str) -> int:
        return PORTS[service] + self.port_base

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.port(service)}"

    @property
    def inside(self) -> str:
        """Address at which guests find the cloud's services."""
        return str(ipaddress.ip_network(self.external_cidr)[3])

    @property
    def metadata_port(self) -> int:
        return METADATA_PORT + self.port_base

    def inside_url(self, service: str) -> str:
        return f"http://{self.inside}:{self.port(service)}"

    @property
    def mirror(self) -> str:
        """Address of the artefact mirror on the external network."""
        return str(ipaddress.ip_network(self.external_cidr)[2])

    @property
    def bridges(self) -> str:
        """What the names of this lab's bridges start with; no other lab's name can start so."""
        return f"{self.name}-"

    @property
    def serves_mirror(self) -> bool:
        """Only the lab itself has the mirror beside it; a second one is for tests of the cloud alone."""
        return self.name == "lab" and self.hypervisors == "docker"


def from_environment(hypervisors: str = "docker", environ: Mapping[str, str] | None = None) -> Settings:
    """The settings that LAB_NAME, LAB_PORT_BASE, LAB_EXTERNAL_CIDR and LAB_QUOTAS ask for.

    Raises
    ------
    LabError
        naming the variable, its value and what it may be
    """
    env = os.environ if environ is None else environ
    name = env.get("LAB_NAME") or "lab"
    if not re.fullmatch(r"[a-z][a-z0-9]{0,7}", name):
        raise LabError(f"LAB_NAME={name}: not a name for a lab.", "Use at most 8 small letters and digits.")
    try:
        port_base = int(env.get("LAB_PORT_BASE") or 0)
    except ValueError:
        port_base = -1
    if not 0 <= port_base <= 50000:
        raise LabError(
            f"LAB_PORT_BASE={env.get('LAB_PORT_BASE')}: not a number from 0 to 50000.",
            "It is added to the ports 5000, 8774, 8776, 8778, 9292 and 9696.",
        )
    cidr = env.get("LAB_EXTERNAL_CIDR") or Settings.external_cidr
    try:
        network = ipaddress.IPv4Network(cidr)
    except ValueError as error:
        raise LabError(f"LAB_EXTERNAL_CIDR={cidr}: {error}.", "Give a network like 172.31.250.0/24.") from error
    if not 16 <= network.prefixlen <= 26:
        raise LabError(f"LAB_EXTERNAL_CIDR={cidr}: too small or too large.", "Its prefix is /16 to /26.")
    if hypervisors not in HYPERVISORS:
        raise LabError(f"--hypervisors {hypervisors}: no such kind.", f"There are: {', '.join(HYPERVISORS)}.")
    return Settings(name, port_base, cidr, hypervisors, _quotas(env.get("LAB_QUOTAS", ""), hypervisors))


def _quotas(text: str, hypervisors: str) -> dict[str, int]:
    result = dict(FAKE_QUOTAS if hypervisors == "fake" else QUOTAS)
    for part in text.split():
        key, _, value = part.partition("=")
        if key not in result or not re.fullmatch(r"-1|\d+", value):
            raise LabError(
                f"LAB_QUOTAS: {part!r} is not understood.",
                f'Write for example LAB_QUOTAS="cores=4 volumes=2"; there are: {", ".join(result)}.',
            )
        result[key] = int(value)
    return result


def save(settings: Settings, state: Path) -> None:
    paths.write_private(state / "settings.json", json.dumps(asdict(settings), indent=2) + "\n")


def load(state: Path) -> Settings | None:
    """The settings that a lab was last started with; None when there are none that can be read."""
    try:
        return Settings(**json.loads((state / "settings.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def of_this_process() -> tuple[Settings, Path]:
    """Settings and state folder inside a service, which `lab up` started with LAB_STATE."""
    state = Path(os.environ["LAB_STATE"])
    settings = load(state)
    if settings is None:
        raise LabError(f"{state}/settings.json cannot be read.", "Services are started by `lab up` only.")
    return settings, state
