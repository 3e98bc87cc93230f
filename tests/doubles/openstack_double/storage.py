"""Cinder and Glance, as far as a facility needs them."""

from __future__ import annotations

import hashlib
from typing import Any

from .state import PROJECT, Answer, Cloud, Request

ABSOLUTE = {
    "volumes": ("totalVolumesUsed", "maxTotalVolumes"),
    "gigabytes": ("totalGigabytesUsed", "maxTotalVolumeGigabytes"),
}
# Cinder tells times without their zone.
UNZONED = "2026-01-01T00:00:00.000000"


def volumes(cloud: Cloud, request: Request) -> Any:
    """Cinder."""
    path = [part for part in request.path[1:] if part != PROJECT]
    if not path:
        link = {"rel": "self", "href": f"{request.base}/volume/v3/"}
        return {"versions": [{"id": "v3.0", "status": "CURRENT", "version": "3.70", "links": [link]}]}
    if path == ["limits"]:
        used = cloud.used()
        numbers = {name: used[what] for what, (name, _) in ABSOLUTE.items()}
        return {"limits": {"absolute": numbers | {name: cloud.limit(what) for what, (_, name) in ABSOLUTE.items()}}}
    if request.path[1] == "os-quota-sets" or path[0] == "os-quota-sets":
        names = ("volumes", "snapshots", "gigabytes", "per_volume_gigabytes", "backups", "backup_gigabytes", "groups")
        return {"quota_set": {"id": PROJECT} | {name: cloud.limit(name) for name in names}}
    if request.method == "POST" and path == ["volumes"]:
        given = request.body["volume"]
        empty = {"attachments": [], "bootable": "false", "multiattach": False, "volume_type": "", "metadata": {}}
        empty |= {"created_at": UNZONED, "updated_at": UNZONED}
        raise Answer(202, {"volume": cloud.add("volumes", **empty | given | {"status": "available"})})
    if path == ["volumes", "detail"]:
        return {"volumes": list(cloud.of("volumes").values())}
    volume = cloud.get("volumes", path[1])
    if path[2:] == ["action"]:
        volume["size"] = request.body["os-extend"]["new_size"]
        raise Answer(202)
    if request.method == "PUT":
        volume |= request.body["volume"]
    if request.method == "DELETE":
        del cloud.of("volumes")[path[1]]
        raise Answer(202)
    return {"volume": volume}


def images(cloud: Cloud, request: Request) -> Any:
    """Glance."""
    path = request.path[1:]
    if not path:
        link = {"rel": "self", "href": f"{request.base}/image/v2/"}
        return {"versions": [{"id": "v2.9", "status": "CURRENT", "links": [link]}]}
    if request.method == "POST" and path == ["images"]:
        raise Answer(201, cloud.add_image(**{"status": "queued"} | request.body))
    if path == ["images"]:
        name = request.query.get("name")
        return {"images": [each for each in cloud.of("images").values() if name in (None, each["name"])]}
    image = cloud.get("images", path[1])
    if path[2:] == ["file"]:
        # Glance's `checksum` is MD5, whatever one thinks of it.
        checksum = hashlib.md5(request.body, usedforsecurity=False).hexdigest()
        image |= {"status": "active", "size": len(request.body), "checksum": checksum}
        raise Answer(204)
    if request.method == "DELETE":
        del cloud.of("images")[path[1]]
        raise Answer(204)
    return image
