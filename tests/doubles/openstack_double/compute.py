"""Nova, as far as a facility needs it."""

from __future__ import annotations

from typing import Any

from .state import PROJECT, TIME, Answer, Cloud, Request, Resource

ABSOLUTE = {
    "instances": ("totalInstancesUsed", "maxTotalInstances"),
    "cores": ("totalCoresUsed", "maxTotalCores"),
    "ram": ("totalRAMUsed", "maxTotalRAMSize"),
}


def answer(cloud: Cloud, request: Request) -> Any:
    path = request.path[1:]
    if not path:
        link = {"rel": "self", "href": f"{request.base}/compute/v2.1/"}
        return {
            "version": {"id": "v2.1", "status": "CURRENT", "version": "2.90", "min_version": "2.1", "links": [link]}
        }
    match path:
        case ["limits"]:
            used = cloud.used()
            numbers = {name: used[what] for what, (name, _) in ABSOLUTE.items()}
            return {"limits": {"absolute": numbers | {name: cloud.limit(w) for w, (_, name) in ABSOLUTE.items()}}}
        case ["os-quota-sets", *_]:
            names = ("instances", "cores", "ram", "server_group_members", "server_groups", "key_pairs")
            return {"quota_set": {"id": PROJECT} | {name: cloud.limit(name) for name in names}}
        case ["flavors", "detail"]:
            return {"flavors": list(cloud.of("flavors").values())}
        case ["flavors", key, "os-extra_specs"]:
            return {"extra_specs": {}}
        case ["flavors", key]:
            return {"flavor": cloud.get("flavors", key)}
        case ["os-keypairs", *rest]:
            return keypairs(cloud, request, rest)
        case ["os-server-groups", *rest]:
            return server_groups(cloud, request, rest)
        case ["servers", *rest]:
            return servers(cloud, request, rest)
    raise KeyError(request.path)


def keypairs(cloud: Cloud, request: Request, path: list[str]) -> Any:
    if request.method == "POST":
        given = request.body["keypair"]
        made = cloud.add("keypairs", id=given["name"], fingerprint="00", user_id="u", type="ssh", **given)
        raise Answer(201, {"keypair": made})
    if not path:
        return {"keypairs": [{"keypair": each} for each in cloud.of("keypairs").values()]}
    found = cloud.get("keypairs", path[0])
    if request.method == "DELETE":
        del cloud.of("keypairs")[path[0]]
        raise Answer(202)
    return {"keypair": found}


def server_groups(cloud: Cloud, request: Request, path: list[str]) -> Any:
    if request.method == "POST":
        return {"server_group": cloud.add("server groups", members=[], metadata={}, **request.body["server_group"])}
    if not path:
        return {"server_groups": list(cloud.of("server groups").values())}
    found = cloud.get("server groups", path[0])
    if request.method == "DELETE":
        del cloud.of("server groups")[path[0]]
        raise Answer(204)
    return {"server_group": found}


def servers(cloud: Cloud, request: Request, path: list[str]) -> Any:
    if request.method == "POST" and not path:
        raise Answer(202, {"server": create(cloud, request.body["server"])})
    if path == ["detail"]:
        return {"servers": [shown(cloud, each) for each in cloud.of("servers").values()]}
    server = cloud.get("servers", path[0])
    match (request.method, path[1:]):
        case ("GET", []):
            return {"server": shown(cloud, server)}
        case ("PUT", []):
            server |= request.body["server"]
            return {"server": shown(cloud, server)}
        case ("DELETE", []):
            delete(cloud, server)
        case (_, ["action"]):
            action(server, request.body)
        case ("POST", ["metadata"]):
            server["metadata"] |= request.body["metadata"]
            return {"metadata": server["metadata"]}
        case ("DELETE", ["metadata", key]):
            del server["metadata"][key]
            raise Answer(204)
        case (_, ["tags"]):
            return {"tags": []}
        case (_, ["os-interface"]):
            ports = [port for port in cloud.of("ports").values() if port["device_id"] == server["id"]]
            return {"interfaceAttachments": [{"port_id": each["id"], "net_id": each["network_id"]} for each in ports]}
        case (_, ["os-volume_attachments", *rest]):
            return attachments(cloud, server, request, rest)
    raise KeyError(request.path)


def create(cloud: Cloud, given: Resource) -> Resource:
    disks = [disk for disk in given.get("block_device_mapping_v2", []) if disk["destination_type"] == "volume"]
    server = cloud.add(
        "servers",
        name=given["name"], metadata=given.get("metadata", {}), flavor={"id": given["flavorRef"]},
        key_name=given.get("key_name"), image={"id": given["imageRef"]} if given.get("imageRef") else "",
        boots_from=disks,
    )  # fmt: skip
    for network in given["networks"]:
        cloud.get("ports", network["port"]).update(device_id=server["id"], device_owner="compute:nova")
    for disk in disks:
        root = cloud.add("volumes", name="", size=disk["volume_size"], status="in-use", metadata={}, bootable="true")
        attach(root, server, "/dev/vda")
    return server


def shown(cloud: Cloud, server: Resource) -> Resource:
    """As Nova shows it, with the addresses of its ports."""
    addresses: dict[str, list[Resource]] = {}
    for port in cloud.of("ports").values():
        if port["device_id"] == server["id"]:
            name = cloud.get("networks", port["network_id"])["name"]
            for each in port["fixed_ips"]:
                entry = {"addr": each["ip_address"], "version": 4, "OS-EXT-IPS:type": "fixed"}
                addresses.setdefault(name, []).append(entry | {"OS-EXT-IPS-MAC:mac_addr": port["mac_address"]})
    extra = {"addresses": addresses, "created": TIME, "updated": TIME, "user_id": "u", "hostId": "h", "progress": 100}
    extra |= {"OS-EXT-STS:vm_state": "active", "OS-EXT-STS:power_state": 1, "OS-EXT-AZ:availability_zone": "nova"}
    return server | extra | {"security_groups": [], "accessIPv4": "", "accessIPv6": "", "links": []}


def action(server: Resource, asked: Resource) -> None:
    if "resize" in asked:
        server |= {"flavor": {"id": asked["resize"]["flavorRef"]}, "status": "VERIFY_RESIZE"}
    elif "confirmResize" in asked:
        server["status"] = "ACTIVE"
    else:
        raise KeyError(*asked)
    raise Answer(202)


def delete(cloud: Cloud, server: Resource) -> None:
    for port in cloud.of("ports").values():
        if port["device_id"] == server["id"]:
            port |= {"device_id": "", "device_owner": ""}
    for volume in list(cloud.of("volumes").values()):
        if any(each["server_id"] == server["id"] for each in volume["attachments"]):
            detach(volume)
            if volume.get("bootable") == "true":
                del cloud.of("volumes")[volume["id"]]
    del cloud.of("servers")[server["id"]]
    raise Answer(204)


def attachments(cloud: Cloud, server: Resource, request: Request, path: list[str]) -> Any:
    def seen(volume: Resource) -> Resource:
        device = volume["attachments"][0]["device"]
        return {"id": volume["id"], "volumeId": volume["id"], "serverId": server["id"], "device": device}

    ours = [
        each
        for each in cloud.of("volumes").values()
        if any(attached["server_id"] == server["id"] for attached in each["attachments"])
    ]
    if request.method == "POST":
        volume = cloud.get("volumes", request.body["volumeAttachment"]["volumeId"])
        attach(volume, server, f"/dev/vd{chr(ord('b') + len(ours))}")
        return {"volumeAttachment": seen(volume)}
    if not path:
        return {"volumeAttachments": [seen(each) for each in ours]}
    if path[0] not in {each["id"] for each in ours}:
        raise Answer(404, {"itemNotFound": {"code": 404, "message": "not attached"}})
    volume = cloud.get("volumes", path[0])
    if request.method == "DELETE":
        detach(volume)
        raise Answer(202)
    return {"volumeAttachment": seen(volume)}


def attach(volume: Resource, server: Resource, device: str) -> None:
    entry = {"id": volume["id"], "volume_id": volume["id"], "attachment_id": volume["id"], "host_name": None}
    entry |= {"server_id": server["id"], "device": device, "attached_at": "2026-01-01T00:00:00.000000"}
    volume |= {"status": "in-use", "attachments": [entry]}


def detach(volume: Resource) -> None:
    volume |= {"status": "available", "attachments": []}
