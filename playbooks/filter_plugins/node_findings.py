"""What a node says of itself, compared with what Kubernetes and the site's order need."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.basic import _PY_MIN

KIB_PER_GIB = 2**20
# A flavor's memory as the kernel counts it: what it keeps for itself is not in MemTotal.
MEMORY_SHARE = 0.9
CONTROLLERS = ("cpu", "cpuset", "memory", "pids")
NODE_PORTS = {10250: "kubelet", 10256: "kube-proxy"}
CONTROL_PORTS = {6443: "the API", 10257: "the controller manager", 10259: "the scheduler"}
ETCD_PORTS = {2379: "etcd", 2380: "etcd"}
VXLAN = 8472


def node_findings(said: str, node: str, wanted: Mapping[str, Any]) -> list[str]:
    """Everything about a node that would stop its installation: a sentence each, with what to do.

    Parameters
    ----------
    said : output of the role's probe.sh, with the controller's clock when it was asked as `asked`
    node : name of the node
    wanted : what the role's vars/main.yml says of the node
    """
    told = [line.split() for line in said.replace("\r", "").splitlines() if line.strip()]
    if ["end"] not in told:
        return [f"{node}: it did not tell what it is made of; it said {said.strip()[-300:] or 'nothing'}."]
    one = {line[0]: line[1:] for line in told if len(line) > 1}
    every = [line for line in told if len(line) > 1]
    parts = (
        clock(one, wanted),
        python(one, wanted),
        kernel(one, every, wanted),
        size(one, wanted),
        disks(one, every, wanted),
        [] if "member" in one else ports(every, wanted),
        addresses(every, wanted),
    )
    return [f"{node}: {finding}" for part in parts for finding in part]


def clock(one: Mapping[str, list[str]], wanted: Mapping[str, Any]) -> list[str]:
    offset = float(one["time"][0]) - float(one["asked"][0])
    allowed = float(wanted["clock_offset_s"])
    if abs(offset) <= allowed:
        return []
    way = "ahead of" if offset > 0 else "behind"
    return [
        f"its clock is {abs(offset):.0f} s {way} this machine's, at most {allowed:.0f} s are expected. Certificates "
        "would not be valid yet, or no longer: let chronyd reach a time server (base_time_servers), or set this "
        "machine's clock."
    ]


def python(one: Mapping[str, list[str]], wanted: Mapping[str, Any]) -> list[str]:
    version = one["python"][0]
    if version == "none":
        if wanted["python_package"]:
            return []
        return [
            f"it has no Python at {wanted['python']}. Name a package that brings it in base_python_package, or the "
            "one that is there in ansible_python_interpreter."
        ]
    lowest = tuple(_PY_MIN)
    if tuple(int(part) for part in version.split(".")) >= lowest:
        return []
    return [
        f"its {wanted['python']} is Python {version}, Ansible expects {'.'.join(map(str, lowest))} or newer. Name a "
        "newer one in ansible_python_interpreter, and its package in base_python_package."
    ]


def kernel(one: Mapping[str, list[str]], every: Sequence[list[str]], wanted: Mapping[str, Any]) -> list[str]:
    found = []
    release = one["kernel"][0]
    numbers = re.match(r"(\d+)\.(\d+)", release)
    lowest = tuple(int(part) for part in str(wanted["kernel"]).split("."))
    if numbers and (int(numbers[1]), int(numbers[2])) < lowest:
        found.append(
            f"its kernel is {release}, Kubernetes {wanted['kubernetes_version']} expects {wanted['kernel']} or newer. "
            "Take a newer image, or an older Kubernetes (kubernetes_version)."
        )
    there = {line[1] for line in every if line[0] == "module"}
    if missing := [name for name in wanted["modules"] if name not in there]:
        found.append(
            f"its kernel {release} has no module {', '.join(missing)}. Install kernel-modules-extra for that kernel, "
            "or take it out of base_kernel_modules where it is built in."
        )
    version, *controllers = one["cgroup"]
    if absent := [name for name in CONTROLLERS if name not in controllers]:
        found.append(
            f"cgroup v{version} lacks the controllers {', '.join(absent)} (it has "
            f"{', '.join(controllers) or 'none'}). Take cgroup_disable out of the kernel's command line."
        )
    return found


def size(one: Mapping[str, list[str]], wanted: Mapping[str, Any]) -> list[str]:
    found = []
    cores, memory_mib = int(one["cores"][0]), int(one["memory_kib"][0]) // 1024
    if wanted["vcpus"] and cores != int(wanted["vcpus"]):
        found.append(
            f"{cores} cores were found, its flavor has {wanted['vcpus']}. Restart it after a resize (openstack server "
            "reboot --hard), or look for cores that are offline (lscpu)."
        )
    if wanted["memory_mib"] and memory_mib < MEMORY_SHARE * int(wanted["memory_mib"]):
        found.append(
            f"{memory_mib} MiB of memory were found, its flavor has {wanted['memory_mib']} MiB. Restart it after a "
            "resize, or look for mem= or crashkernel= in the kernel's command line."
        )
    return found


def disks(one: Mapping[str, list[str]], every: Sequence[list[str]], wanted: Mapping[str, Any]) -> list[str]:
    found = []
    root = int(one["root_free_kib"][0]) / KIB_PER_GIB
    if root < float(wanted["root_free_gib"]):
        found.append(
            f"its root disk has {root:.1f} GiB free, {wanted['root_free_gib']} GiB are expected. Take a flavor with a "
            "larger disk, or make room (journalctl --vacuum-size=100M, dnf clean all)."
        )
    if not wanted["data_devices"] and "data_free_kib" not in one:
        return found
    least = float(wanted["data_free_gib"])
    if "data_free_kib" in one:
        data = int(one["data_free_kib"][0]) / KIB_PER_GIB
        if data < least:
            found.append(
                f"its data volume at {wanted['data_mount']} has {data:.1f} GiB free, {least:g} GiB are expected. Make "
                "room there (crictl rmi --prune), or enlarge data_volume_gib in terraform.tfvars."
            )
        return found
    devices = [(line[1], int(line[2]) / 2**30) for line in every if line[0] == "device"]
    if not devices:
        found.append(
            f"it has no data volume: none of {', '.join(wanted['data_devices'])} is a block device. Attach it, or "
            "name it in base_data_device for this node."
        )
    elif 0 < devices[0][1] < least:
        found.append(
            f"its data volume {devices[0][0]} has {devices[0][1]:.1f} GiB, {least:g} GiB are expected. Enlarge "
            "data_volume_gib in terraform.tfvars."
        )
    return found


def ports(every: Sequence[list[str]], wanted: Mapping[str, Any]) -> list[str]:
    needed = dict(NODE_PORTS)
    if "controlplane" in wanted["groups"]:
        needed |= CONTROL_PORTS
    if "etcd" in wanted["groups"]:
        needed |= ETCD_PORTS
    used = {int(line[1], 16) for line in every if line[0] == "tcp"}
    taken = [f"TCP {port} ({user})" for port, user in sorted(needed.items()) if port in used]
    if VXLAN in {int(line[1], 16) for line in every if line[0] == "udp"}:
        taken.append(f"UDP {VXLAN} (the pods' network)")
    if not taken:
        return []
    return [f"something listens already on {', '.join(taken)}, expected free. `ss -lntup` there names it: stop it."]


def addresses(every: Sequence[list[str]], wanted: Mapping[str, Any]) -> list[str]:
    found = []
    answers = {line[1]: line[2:] for line in every if line[0] == "address"}
    for address, variable in wanted["addresses"].items():
        said = answers.get(address, [])
        # A root need not have a page of its own; an index of packages has to be there.
        highest = 299 if address.endswith(".xml") else 499
        if not said or not said[-1].isdigit() or not 200 <= int(said[-1]) <= highest:
            text = " ".join(word for word in said if word != "000") or "nothing"
            found.append(
                f"{address} ({variable}) does not answer, it says: {text}. Is the address right, does the server run, "
                "and may this node go out to it?"
            )
    return found


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"node_findings": node_findings}
