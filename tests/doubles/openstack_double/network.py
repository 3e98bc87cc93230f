"""Neutron, as far as a facility needs it."""

from __future__ import annotations

import ipaddress
from typing import Any

from .state import Answer, Cloud, Request, Resource

KINDS = {
    "networks": "network", "subnets": "subnet", "routers": "router", "ports": "port", "floatingips": "floatingip",
    "security-groups": "security_group", "security-group-rules": "security_group_rule",
}  # fmt: skip
QUOTAS = ("network", "subnet", "router", "port", "floatingip", "security_group", "security_group_rule")
# What a query says about the answer, not about the resources.
PAGING = {"limit", "marker", "fields", "sort_key", "sort_dir"}


def answer(cloud: Cloud, request: Request) -> Any:
    if request.path in ([], ["v2.0"]):
        link = {"rel": "self", "href": f"{request.base}/network/v2.0"}
        return {"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]}
    kind, path = request.path[1], request.path[2:]
    if kind == "quotas":
        return quotas(cloud, path)
    one = KINDS[kind]
    if not path:
        if request.method == "POST":
            raise Answer(201, {one: create(cloud, kind, request.body[one])})
        return {kind.replace("-", "_"): matching(cloud.of(kind), request.query)}
    resource = cloud.get(kind, path[0])
    if path[1:] in (["add_router_interface"], ["remove_router_interface"]):
        return interface(cloud, resource, request)
    if path[1:] == ["tags"]:
        resource["tags"] = request.body.get("tags", [])
        return {"tags": resource["tags"]}
    if request.method == "PUT":
        resource |= request.body[one]
    if request.method == "DELETE":
        del cloud.of(kind)[path[0]]
        raise Answer(204)
    return {one: resource}


def quotas(cloud: Cloud, path: list[str]) -> Any:
    used = cloud.used()
    if len(path) > 1:
        return {"quota": {n: {"used": used.get(n, 0), "limit": cloud.limit(n), "reserved": 0} for n in QUOTAS}}
    return {"quota": {name: cloud.limit(name) for name in QUOTAS}}


def matching(resources: dict[str, Resource], query: dict[str, str]) -> list[Resource]:
    """Those that have what the query asks for; what a resource has not is not looked at."""
    asked = {name: value for name, value in query.items() if name not in PAGING}
    return [
        each
        for each in resources.values()
        if all(str(each[name]).lower() == value.lower() for name, value in asked.items() if name in each)
    ]


def create(cloud: Cloud, kind: str, given: Resource) -> Resource:
    if kind == "networks":
        return cloud.add(kind, **{"router:external": False, "subnets": [], "mtu": 1500, "shared": False} | given)
    if kind == "subnets":
        hosts = ipaddress.ip_network(given["cidr"])
        pool = [{"start": str(hosts[2]), "end": str(hosts[-2])}]
        made = cloud.add(kind, gateway_ip=str(hosts[1]), enable_dhcp=True, allocation_pools=pool, host_routes=[])
        made |= given
        return made
    if kind == "ports":
        addresses = given.get("fixed_ips") or [{}]
        fixed = [{"subnet_id": each.get("subnet_id"), "ip_address": address(cloud, each)} for each in addresses]
        made = cloud.add(kind, device_id="", device_owner="", mac_address="fa:16:3e:00:00:01", allowed_address_pairs=[])
        made |= given | {"fixed_ips": fixed}
        return made
    if kind == "floatingips":
        made = cloud.add(kind, port_id=None, router_id=None, fixed_ip_address=None)
        made |= given | {"floating_ip_address": f"203.0.113.{len(cloud.of(kind)) + 1}"}
        return made
    return cloud.add(kind, **given)


def address(cloud: Cloud, wanted: Resource) -> str:
    """The address that was asked for, or the next free one of the subnet."""
    if "ip_address" in wanted:
        return str(wanted["ip_address"])
    subnet = cloud.get("subnets", wanted["subnet_id"])
    taken = {each["ip_address"] for port in cloud.of("ports").values() for each in port["fixed_ips"]}
    hosts = list(ipaddress.ip_network(subnet["cidr"]).hosts())[1:]
    return next(str(host) for host in hosts if str(host) not in taken)


def interface(cloud: Cloud, router: Resource, request: Request) -> Any:
    """A router's port in a subnet is made or taken away."""
    subnet = cloud.get("subnets", request.body["subnet_id"]) if "subnet_id" in request.body else None
    if request.path[-1].startswith("add"):
        assert subnet is not None
        fixed = [{"subnet_id": subnet["id"], "ip_address": subnet["gateway_ip"]}]
        port = create(cloud, "ports", {"name": "", "network_id": subnet["network_id"], "fixed_ips": fixed})
        port |= {"device_id": router["id"], "device_owner": "network:router_interface"}
        return {"id": router["id"], "port_id": port["id"], "subnet_id": subnet["id"]}
    gone = [
        port["id"]
        for port in cloud.of("ports").values()
        if port["device_id"] == router["id"] and port["id"] == request.body.get("port_id", port["id"])
    ]
    for port_id in gone:
        del cloud.of("ports")[port_id]
    return {"id": router["id"], "port_id": gone[0], "subnet_id": request.body.get("subnet_id")}
