"""What the double keeps."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass
from typing import Any

Resource = dict[str, Any]
PROJECT = "0123456789abcdef0123456789abcdef"
TIME = "2026-01-01T00:00:00Z"
FLAVORS = {
    "small": (1, 1024), "medium": (2, 4096), "large": (8, 16384),
    # What the sites at INFN Napoli order.
    "c4.r8": (4, 8192), "c12.r64": (12, 65536), "c32.r64": (32, 65536),
}  # fmt: skip
"""Cores and MiB of memory."""
IMAGE = {
    "status": "active", "visibility": "private", "container_format": "bare", "disk_format": "qcow2", "min_disk": 0,
    "min_ram": 0, "size": 1, "checksum": "", "protected": False, "os_hidden": False, "owner": PROJECT,
    "file": "", "schema": "/v2/schemas/image",
}  # fmt: skip


class Answer(Exception):
    """A status other than 200, with a body."""

    def __init__(self, status: int, body: Any = None) -> None:
        super().__init__(status)
        self.status, self.body = status, body


@dataclass(frozen=True)
class Request:
    """A request to one of the services; `path` begins behind the service's own part."""

    method: str
    path: list[str]
    query: dict[str, str]
    body: Any
    base: str


class Cloud:
    """What a project has."""

    def __init__(self) -> None:
        self.guard = threading.RLock()
        self.resources: dict[str, dict[str, Resource]] = {}
        self.limits: dict[str, int] = {}
        self.calls: list[str] = []
        for number, (name, (vcpus, ram)) in enumerate(FLAVORS.items()):
            self.add("flavors", id=f"flavor-{number}", name=name, vcpus=vcpus, ram=ram, disk=20, swap=0, rxtx_factor=1)
        self.external = self.add("networks", name="public", **{"router:external": True})
        self.add_image(name="rocky")

    def of(self, kind: str) -> dict[str, Resource]:
        """The resources of a kind, by id."""
        return self.resources.setdefault(kind, {})

    def add(self, kind: str, **attributes: Any) -> Resource:
        """Keep a new resource, with what every API says of it."""
        made = {"id": str(uuid.uuid4()), "status": "ACTIVE", "tenant_id": PROJECT, "project_id": PROJECT}
        made |= {"admin_state_up": True, "description": "", "tags": [], "created_at": TIME, "updated_at": TIME}
        made |= attributes
        self.of(kind)[made["id"]] = made
        return made

    def add_image(self, **attributes: Any) -> Resource:
        """Keep a new image. Whatever Glance does not know of itself is a property of the image."""
        made = self.add("images", **IMAGE | attributes)
        for name in ("tenant_id", "project_id", "admin_state_up", "description"):
            del made[name]
        return made

    def get(self, kind: str, key: str) -> Resource:
        """One resource; 404 where it is not there."""
        if key not in self.of(kind):
            raise Answer(404, {"error": {"code": 404, "message": f"no {kind} {key}"}})
        return self.of(kind)[key]

    def names(self, kind: str) -> set[str]:
        return {str(each.get("name")) for each in self.of(kind).values()}

    def limit(self, what: str) -> int:
        return self.limits.get(what, -1)

    def used(self) -> dict[str, int]:
        """What counts towards the quota."""
        flavors = [self.of("flavors")[each["flavor"]["id"]] for each in self.of("servers").values()]
        volumes = self.of("volumes").values()
        return {
            "instances": len(flavors),
            "cores": sum(flavor["vcpus"] for flavor in flavors),
            "ram": sum(flavor["ram"] for flavor in flavors),
            "volumes": len(volumes),
            "gigabytes": sum(volume["size"] for volume in volumes),
            "port": len(self.of("ports")),
            "floatingip": len(self.of("floatingips")),
        }
