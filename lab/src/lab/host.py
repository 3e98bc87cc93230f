"""What the lab makes on this machine outside its own folders, and how it is taken away again."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab import engine, paths
from lab.cloud import docker, loops
from lab.errors import LabError
from lab.settings import Settings

BRIDGE_FILTER = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
SYSCTLS = {
    BRIDGE_FILTER: "1",
    Path("/proc/sys/net/ipv4/ip_forward"): "1",
    # a guest asks name servers that nobody runs, and must hear each time at once that there is nobody; the limit
    # over all peers (icmp_msgs_per_sec) stays
    Path("/proc/sys/net/ipv4/icmp_ratelimit"): "0",
}
# to the kernel all guests are one user: with the usual 128, kubelet in about the seventh finds "too many open files"
WATCHERS, WATCHERS_AT_LEAST = Path("/proc/sys/fs/inotify/max_user_instances"), 1024

SYSCTL_NOTE = Path("/run") / paths.NAME / "sysctl.json"


def _run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True)


def _must(*argv: str) -> str:
    run = _run(*argv)
    if run.returncode:
        raise LabError(
            f"`{' '.join(argv)}` failed: {run.stderr.strip()}",
            "The lab needs root's full rights over this machine's network; see that the command works by hand.",
        )
    return run.stdout


# --- rules and routes --------------------------------------------------------------------------------------------
def _docker_user_rule(settings: Settings) -> tuple[str, ...]:
    """Lets translated packets cross from one of Docker's bridges to another, which Docker forbids on its own."""
    comment = ("-m", "comment", "--comment", settings.name)
    return ("DOCKER-USER", "-m", "conntrack", "--ctstate", "DNAT", *comment, "-j", "ACCEPT")


def prepare(settings: Settings) -> None:
    """The external network as addresses of this machine, and bridged frames shown to the filters."""
    if not BRIDGE_FILTER.exists():
        _run("modprobe", "br_netfilter")
    _set_sysctls(settings)
    # "local": every address of the network is this machine's, with no interface of its own that anyone could reach
    _must("ip", "route", "replace", "local", settings.external_cidr, "dev", "lo")
    rule = _docker_user_rule(settings)
    if _run("iptables", "-w", "-C", *rule).returncode:
        _must("iptables", "-w", "-I", *rule)


def _set_sysctls(settings: Settings) -> None:
    """Set what must be set, and note the values before, which the last lab of this machine gives back.

    The note is gone with the next start of the machine, as the values are.
    """
    note = _noted()
    note["labs"] = sorted({*note["labs"], settings.name})
    try:
        watchers = str(max(WATCHERS_AT_LEAST, int(WATCHERS.read_text())))
        for sysctl, wanted in {**SYSCTLS, WATCHERS: watchers}.items():
            value = sysctl.read_text().strip()
            if value != wanted:
                note["before"].setdefault(str(sysctl), value)
            _note(note)
            if value != wanted:
                sysctl.write_text(f"{wanted}\n")
    except OSError as error:
        raise LabError(
            f"{error.filename} cannot be set to {SYSCTLS.get(Path(error.filename), WATCHERS_AT_LEAST)} "
            f"({error.strerror}); the lab's guests need it.",
            "Load the kernel module br_netfilter (`modprobe br_netfilter`), let root write there, and type the same "
            "command again.",
        ) from error


def _noted() -> dict[str, Any]:
    try:
        return json.loads(SYSCTL_NOTE.read_text())
    except (OSError, ValueError):
        return {"labs": [], "before": {}}


def _note(note: dict[str, Any]) -> None:
    SYSCTL_NOTE.parent.mkdir(exist_ok=True)
    paths.write_private(SYSCTL_NOTE, json.dumps(note) + "\n")


def _give_back_sysctls(settings: Settings) -> None:
    note = _noted()
    note["labs"] = [name for name in note["labs"] if name != settings.name]
    if note["labs"]:
        _note(note)
        return
    for path, value in note["before"].items():
        with contextlib.suppress(FileNotFoundError):
            Path(path).write_text(f"{value}\n")
    shutil.rmtree(SYSCTL_NOTE.parent, ignore_errors=True)


def remove_rules(settings: Settings) -> None:
    if shutil.which("nft"):
        _run("nft", "delete", "table", "inet", settings.name)
    if shutil.which("iptables"):
        while _run("iptables", "-w", "-D", *_docker_user_rule(settings)).returncode == 0:
            pass
    _run("ip", "route", "del", "local", settings.external_cidr, "dev", "lo")
    _give_back_sysctls(settings)


# --- guests ------------------------------------------------------------------------------------------------------
def remove_guests(settings: Settings, state: Path, show: Callable[[str], None] = lambda _: None) -> int:
    """Containers, networks and loop devices of this lab; returns how many containers there were."""
    count = 0
    if engine.answering():
        for container in docker.containers(settings.name):
            show(f"removes guest {container['Labels'].get('lab.server', container['Names'][0])}")
            docker.remove(f"/containers/{container['Id']}", force="1", v="1")
            count += 1
        for network in docker.networks(settings.name):
            docker.remove(f"/networks/{network['Id']}")
    detach_volumes(state)
    return count


def detach_volumes(state: Path) -> None:
    for device in loops.below(state):
        loops.detach(device)


# --- what is left ------------------------------------------------------------------------------------------------
def leftovers(settings: Settings, state: Path) -> list[str]:
    """What of this lab is still on the machine, for people; empty after `lab down`."""
    result = []
    if engine.answering():
        result += [f"container {container['Names'][0][1:]}" for container in docker.containers(settings.name)]
        result += [f"Docker network {network['Name']}" for network in docker.networks(settings.name)]
    result += [f"loop device {device} of {path}" for device, path in loops.below(state).items()]
    if f"table inet {settings.name}\n" in _run("nft", "list", "tables").stdout:
        result.append(f"nftables table inet {settings.name}")
    if shutil.which("iptables") and not _run("iptables", "-w", "-C", *_docker_user_rule(settings)).returncode:
        result.append("iptables rule in DOCKER-USER")
    if _run("ip", "route", "show", "table", "local", settings.external_cidr).stdout.strip():
        result.append(f"route to {settings.external_cidr}")
    return result
