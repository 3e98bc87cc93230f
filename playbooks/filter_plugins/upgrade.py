"""Which versions of Kubernetes a cluster runs, and whether the one that is wanted may follow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# On a node that an upgrade has cordoned: the version that it is to get.
NOTE = "facility/upgrade"
# Flags of the API server that etcd below 3.6 does not know come with this minor version.
ETCD_36_MINOR = 34


def number(version: str) -> tuple[int, int, int]:
    """A version as numbers: v1.26.3 is (1, 26, 3)."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    if not found:
        raise ValueError(f"{version!r} is not a version of Kubernetes")
    return int(found[1]), int(found[2]), int(found[3])


def upgrade_plan(
    wanted: str,
    nodes: Sequence[Mapping[str, Any]],
    servers: Sequence[Mapping[str, Any]],
    inventory: Sequence[str],
    first: str,
    table: Iterable[str],
    *,
    noted: str = "",
    etcd_image_tag: str = "",
) -> dict[str, Any]:
    """What an upgrade has to do, or why it may not begin.

    Parameters
    ----------
    wanted : version that the cluster is to have
    nodes : the cluster's nodes, as the API returns them
    servers : pods of the API servers
    inventory : nodes that the site has
    first : the control plane that begins
    table : versions with known checksums
    noted : version of the last kubeadm init or upgrade that came to its end on the first control plane
    etcd_image_tag : tag of etcd's image that the site has chosen

    Returns
    -------
    refused (sentences, each with what to do), running (version of the first control plane), control_plane (whether the
    first control plane is to be upgraded), nodes (those that are to be upgraded), cordoned (those of them that a former
    run has cordoned), set_aside (others that somebody has cordoned).
    """
    kubelets = {node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"].lstrip("v") for node in nodes}
    apis = {pod["spec"]["nodeName"]: tag(pod) for pod in servers}
    notes = {node["metadata"]["name"]: node["metadata"].get("annotations", {}).get(NOTE, "") for node in nodes}
    refused = members(list(kubelets), inventory) + unready(nodes, notes)
    if first not in apis:
        refused.append(f"No API server is seen on {first}: look at `crictl ps -a` there.")
    versions = sorted({*kubelets.values(), *apis.values()}, key=number)
    refused += transition(wanted, versions, running(kubelets, apis), notes, table)
    if etcd_image_tag and number(wanted)[1] >= ETCD_36_MINOR and re.match(r"3\.[0-5]\.", etcd_image_tag):
        refused.append(
            f"Kubernetes {wanted} needs etcd 3.6, and kubernetes_etcd_image_tag is {etcd_image_tag}: take it out, or "
            "name a newer one."
        )
    due = [
        name
        for name in inventory
        if name in kubelets and (kubelets[name] != wanted or apis.get(name, wanted) != wanted or notes[name])
    ]
    return {
        "refused": refused,
        "running": apis.get(first, ""),
        "control_plane": bool(due) and (apis.get(first) != wanted or noted != wanted),
        "nodes": due,
        "cordoned": sorted(name for name, note in notes.items() if note),
        "set_aside": sorted(
            node["metadata"]["name"]
            for node in nodes
            if node["spec"].get("unschedulable") and not notes[node["metadata"]["name"]]
        ),
    }


def tag(pod: Mapping[str, Any]) -> str:
    """Version of the program in a pod of the control plane."""
    return str(pod["spec"]["containers"][0]["image"]).partition("@")[0].rpartition(":")[2].lstrip("v")


def members(known: Sequence[str], inventory: Sequence[str]) -> list[str]:
    """Nodes that only one of the two has."""
    refused = []
    if absent := sorted(set(inventory) - set(known)):
        refused.append(
            f"{', '.join(absent)} of the inventory is no node of the cluster: let it join with the version that runs "
            "(playbooks/site.yml with the former kubernetes_version), or take it out of the order."
        )
    if strange := sorted(set(known) - set(inventory)):
        refused.append(
            f"{', '.join(strange)} is a node of the cluster and not of the inventory, and would stay behind: let it "
            f"leave with playbooks/scale.yml -e scale_remove={','.join(strange)}."
        )
    return refused


def unready(nodes: Sequence[Mapping[str, Any]], notes: Mapping[str, str]) -> list[str]:
    """Nodes that are not Ready, but for those that an unfinished upgrade was at work on."""
    refused = []
    for node in nodes:
        name = node["metadata"]["name"]
        ready = [each for each in node["status"].get("conditions", []) if each["type"] == "Ready"]
        if not notes[name] and (not ready or ready[0]["status"] != "True"):
            why = ready[0].get("message", "") if ready else ""
            refused.append(
                f"{name} is not Ready ({why or 'nothing is known of it'}): look at `journalctl -u kubelet` there first."
            )
    return refused


def transition(
    wanted: str, versions: Sequence[str], runs: str, notes: Mapping[str, str], table: Iterable[str]
) -> list[str]:
    """Why one may not go from the versions that run, in ascending order, to the one that is wanted."""
    lowest, highest = versions[0], versions[-1]
    begun = highest if lowest != highest else next((note for note in notes.values() if note), "")
    if begun and begun != wanted:
        held = ", ".join(sorted(name for name, note in notes.items() if note))
        return [
            f"An upgrade to {begun} has not come to its end ({runs}{f'; cordoned: {held}' if held else ''}), and "
            f"kubernetes_version is {wanted}. Set it to {begun} and type the same command again; then go on."
        ]
    if number(wanted) < number(highest):
        return [
            f"{runs}, and kubernetes_version is {wanted}: Kubernetes does not go back. Set it to {highest}, or restore "
            "a backup of that version onto a fresh control plane (playbooks/restore.yml)."
        ]
    step = number(wanted)[1] - number(lowest)[1]
    if number(wanted)[0] != number(lowest)[0] or step > 1:
        between = [each for each in table if number(each)[:2] == (number(lowest)[0], number(lowest)[1] + 1)]
        to = max(between, key=number) if between else f"a {number(lowest)[0]}.{number(lowest)[1] + 1}"
        return [
            f"{runs}, and kubernetes_version is {wanted}: an upgrade goes one minor version at a time. Set it to {to} "
            "first."
        ]
    return []


def running(kubelets: Mapping[str, str], apis: Mapping[str, str]) -> str:
    """Who runs which version, in words."""
    parts: dict[str, list[str]] = {}
    for name, version in kubelets.items():
        parts.setdefault(version, []).append(name)
    for name, version in apis.items():
        if version != kubelets.get(name):
            parts.setdefault(version, []).append(f"the API server of {name}")
    said = [
        f"{', '.join(names)} run{'s' if len(names) == 1 else ''} {version}"
        for version, names in sorted(parts.items(), key=lambda item: number(item[0]))
    ]
    return "; ".join(said)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"upgrade_plan": upgrade_plan}
