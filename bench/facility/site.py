"""A site's files: what was installed, and how to reach it."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .. import paths
from ..errors import BenchError, Exit
from .thresholds import Thresholds


class InstalledNode(BaseModel):
    """A node as the installation found it."""

    model_config = ConfigDict(frozen=True)

    groups: frozenset[str]
    fixed_ip: str | None = None
    floating_ip: str | None = None
    flavor: str | None = None
    vcpus: int | None = None
    memory_mib: int | None = None


class Facility(BaseModel):
    """`facility.json`: what `playbooks/site.yml` installed."""

    model_config = ConfigDict(frozen=True)

    site: str
    facility: str
    tfvars_sha256: str
    written: str
    nodes: dict[str, InstalledNode]
    versions: dict[str, str] = Field(default_factory=dict)
    analysis_image: str | None = None
    kubeconfig: str
    endpoints: dict[str, str] = Field(default_factory=dict)
    allow_overcommit: bool = False
    thresholds: Thresholds = Thresholds()

    def workers(self) -> list[str]:
        """Names of the nodes that analyses run on."""
        return sorted(name for name, node in self.nodes.items() if "worker" in node.groups)


def facility_path(site: str) -> Path:
    """Where a site's facility.json is."""
    return paths.site_runtime(site) / "facility.json"


def load_facility(site: str) -> Facility:
    """Read a site's facility.json.

    Raises
    ------
    BenchError
        It is not there, or is not what the playbook writes.
    """
    path = facility_path(site)
    playbook = f"ansible-playbook -i inventory/{site}/openstack.yml playbooks/site.yml"
    try:
        return Facility.model_validate(json.loads(path.read_text()))
    except FileNotFoundError:
        why, what_next = "there is no such file: nothing has been installed on this site", f"Run {playbook}."
    except (OSError, ValueError, ValidationError) as error:
        why, what_next = f"it cannot be read: {error}", f"Run {playbook} again; it writes the file anew."
    raise BenchError(str(path), why, what_next, Exit.CANNOT_TELL)


def kubeconfig_path(facility: Facility) -> Path:
    """The site's kubeconfig; a relative name counts from the checkout.

    Raises
    ------
    BenchError
        There is no such file.
    """
    path = Path(facility.kubeconfig)
    if not path.is_absolute():
        path = (paths.checkout() or Path.cwd()) / path
    if not path.is_file():
        raise BenchError(
            f"kubeconfig {path} of site {facility.site}",
            "there is no such file",
            "Run the playbook site.yml again; it writes the file anew.",
            Exit.CANNOT_TELL,
        )
    return path
