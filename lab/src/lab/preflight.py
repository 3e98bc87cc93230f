"""What must hold before `lab up` changes anything; each failure says what there is, what is needed and what to do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab import addresses, engine
from lab.errors import LabError
from lab.settings import POD_CIDR, PORTS, SERVICE_CIDR, Settings

GIB = 2**30
# services 1 GiB, and a cluster of two guests in use: about 5 GiB
MEMORY_GIB = {"docker": 6.0, "fake": 2.0}
# images and artefacts take most of it, guests and volumes the rest
DISK_GIB = {"docker": 15.0, "fake": 2.0}
PROGRAMS = {
    "ip": "iproute2",
    "nft": "nftables",
    "iptables": "iptables",
    "losetup": "mount",
    "setpriv": "util-linux",
    "modprobe": "kmod",
}


@dataclass(frozen=True)
class Listener:
    """Who listens on a port of this machine."""

    port: int
    pid: int | None
    program: str


def root(euid: int) -> None:
    if euid != 0:
        raise LabError(
            "The lab must be started by root: it makes containers, bridges, filter rules and loop devices.",
            "Type the same command as root, for example with sudo.",
        )


def memory(meminfo: str, needed_gib: float) -> None:
    values = dict(line.split(":", 1) for line in meminfo.splitlines() if ":" in line)
    available = int(values["MemAvailable"].split()[0]) * 1024 / GIB
    if available < needed_gib:
        raise LabError(
            f"Too little memory: {available:.1f} GiB are available, {needed_gib:.0f} GiB are needed.",
            "End programs that use memory, or take a machine with 16 GiB.",
        )


def disk(folders: Iterable[tuple[str, Path, float]], needed_gib: float) -> None:
    """
    Parameters
    ----------
    folders : what a folder is for, its path, and the GiB that are free there
    """
    for what, path, free_gib in folders:
        if free_gib < needed_gib:
            raise LabError(
                f"Too little disk: {free_gib:.1f} GiB are free for {what} ({path}), {needed_gib:.0f} GiB are needed.",
                "Free space there, or put it on another disk (XDG_CACHE_HOME and XDG_STATE_HOME move the lab's own).",
            )


def ports(settings: Settings, listeners: Iterable[Listener], ours: Iterable[int]) -> None:
    """
    Parameters
    ----------
    ours : process ids of this lab, which may listen
    """
    by_port = {listener.port: listener for listener in listeners if listener.pid not in set(ours)}
    taken = [(service, by_port[port]) for service in PORTS if (port := settings.port(service)) in by_port]
    if taken:
        lines = [
            f"Port {found.port}, which {service} needs, is taken by "
            + (f"{found.program} (process {found.pid})." if found.pid else "a process that cannot be seen.")
            for service, found in taken
        ]
        raise LabError("\n".join(lines), "End that process, or give this lab other ports: LAB_PORT_BASE=10000 lab up.")


def external_network(settings: Settings, networks: Iterable[tuple[str, str]]) -> None:
    """
    Parameters
    ----------
    networks : what a network of this machine is, and its addresses
    """
    known = [*networks, ("Kubernetes' pods", POD_CIDR), ("Kubernetes' services", SERVICE_CIDR)]
    found = addresses.conflicts(settings.external_cidr, known)
    if found:
        raise LabError(
            f"The external network {settings.external_cidr} overlaps {', '.join(found)}.",
            "Choose a range that nothing uses: LAB_EXTERNAL_CIDR=172.30.250.0/24 lab up.",
        )


# --- what this machine says --------------------------------------------------------------------------------------
# 127.0.0.1, every address, and the same in IPv6's notation, as /proc/net/tcp writes them on a little-endian machine
CONFLICTING = ("0100007F", "00000000", "0" * 32, "0" * 16 + "FFFF0000" + "0100007F")


def sockets(tables: Iterable[str]) -> dict[str, int]:
    """Inode → port of the TCP sockets in the texts of /proc/net/tcp and tcp6 that listen where services would."""
    result = {}
    for table in tables:
        for line in table.splitlines()[1:]:
            fields = line.split()
            address, _, port = fields[1].rpartition(":")
            if fields[3] == "0A" and address in CONFLICTING:
                result[fields[9]] = int(port, 16)
    return result


def listeners(wanted: Iterable[int], proc: Path = Path("/proc")) -> list[Listener]:
    """Who listens on the wanted ports."""
    tables = [path.read_text() for name in ("tcp", "tcp6") if (path := proc / "net" / name).exists()]
    ports_wanted = set(wanted)
    inodes = {inode: port for inode, port in sockets(tables).items() if port in ports_wanted}
    if not inodes:
        return []
    owners: dict[str, int] = {}
    for descriptor in proc.glob("[0-9]*/fd/*"):
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        if target.startswith("socket:[") and target[8:-1] in inodes:
            owners.setdefault(target[8:-1], int(descriptor.parts[-3]))
    result = []
    for inode, port in inodes.items():
        pid = owners.get(inode)
        program = (proc / str(pid) / "comm").read_text().strip() if pid else ""
        result.append(Listener(port, pid, program))
    return result


def routes(listing: str, own: str) -> list[tuple[str, str]]:
    """Destinations of `ip -json route show table all`, the default route and the lab's own left out."""
    result = []
    for route in json.loads(listing or "[]"):
        destination = route.get("dst", "default")
        if destination in ("default", own) or route.get("type") in ("broadcast", "multicast"):
            continue
        result.append((f"a route by {route.get('dev', '?')}", destination))
    return result


def docker_networks(settings: Settings) -> list[tuple[str, str]]:
    if not engine.answering():
        return []
    from lab.cloud import docker

    return [(f"Docker's network {name}", subnet) for name, subnet, lab in docker.subnets() if lab != settings.name]


def check(settings: Settings, folders: Mapping[str, Path], ours: Iterable[int]) -> None:
    """All of the above, on this machine; changes nothing.

    Parameters
    ----------
    folders : what a folder is for, and its path
    ours : process ids of this lab; when there are some, memory is not asked for again
    """
    root(os.geteuid())
    running = list(ours)
    if not running:
        memory(Path("/proc/meminfo").read_text(), MEMORY_GIB[settings.hypervisors])
    free = [(what, path, shutil.disk_usage(_existing(path)).free / GIB) for what, path in folders.items()]
    disk(free, DISK_GIB[settings.hypervisors])
    ports(settings, listeners(settings.port(service) for service in PORTS), running)
    if settings.hypervisors == "docker":
        packages = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
        engine.packages(packages, why="the lab's networks and volumes")
        listing = subprocess.run(
            ["ip", "-json", "-4", "route", "show", "table", "all"], capture_output=True, text=True
        ).stdout
        own = settings.external_cidr
        external_network(settings, [*routes(listing, own), *docker_networks(settings)])


def _existing(path: Path) -> Path:
    """The path, or the nearest of its parents that is there."""
    return path if path.exists() else _existing(path.parent)
