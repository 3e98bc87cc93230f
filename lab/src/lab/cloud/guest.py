"""What makes a container a machine: its first program, its resolver, its config drive, its container definition."""

from __future__ import annotations

import io
import ipaddress
import tarfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

INIT, RESOLV, DISKS = (f"/var/lib/lab/{name}" for name in ("init", "resolv.conf", "disks"))
CONFIG_DRIVE = "/var/lib/cloud/seed/config_drive/"
# container engines and etcd want a file system of the machine, not the layers of the image
VOLUMES = tuple(f"/var/lib/{name}" for name in ("containerd", "docker", "kubelet", "etcd"))

SCRIPT = f"""#!/bin/sh
# What a virtual machine has and a container lacks, before systemd starts.
PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin
for folder in /sys/fs/cgroup/* /sys/fs/cgroup; do mount -o remount,bind,rw "$folder"; done 2>/dev/null
mount --make-rshared /                       # kubelet's bidirectional mounts
[ -e /dev/kmsg ] || mknod /dev/kmsg c 1 11   # kubelet refuses to start without it
# a boot of its own, by which Ansible's reboot module sees that there was one
cat /proc/sys/kernel/random/uuid > /run/lab-boot_id
mount --bind /run/lab-boot_id /proc/sys/kernel/random/boot_id
mkdir -p /dev/disk/by-id                     # where udev, which does not run here, names disks
while read -r device minor link; do
    rm -f "$device"; mknod "$device" b 7 "$minor"
    ln -sfn "../../${{device##*/}}" "$link"
done < {DISKS}
# Docker binds files of its own over these; a machine has plain ones, which programs may replace
for name in resolv.conf hosts hostname; do
    cat "/etc/$name" > "/run/lab-$name"
    umount "/etc/$name" 2>/dev/null
    [ -e /var/lib/lab/booted ] || {{ rm -f "/etc/$name"; cat "/run/lab-$name" > "/etc/$name"; }}
    rm -f "/run/lab-$name"
done
if [ ! -e /var/lib/lab/booted ]; then
    cat {RESOLV} > /etc/resolv.conf
    tr -d - < /proc/sys/kernel/random/uuid > /etc/machine-id     # the image's would be the same in all guests
    [ ! -e /var/lib/dbus/machine-id ] || ln -sf /etc/machine-id /var/lib/dbus/machine-id
    : > /var/lib/lab/booted
fi
exec "$@"
"""


def resolv_conf(subnets: Iterable[Sequence[str]], host: str) -> str:
    """The name servers of the guest's subnets; when they name none, those of the host that are not on loopback."""
    servers = [server for subnet in subnets for server in subnet]
    if not servers:
        named = [line.split()[1] for line in host.splitlines() if line.startswith("nameserver ") and line.split()[1:]]
        servers = [name for name in named if not ipaddress.ip_address(name.split("%")[0]).is_loopback]
    return "".join(f"nameserver {server}\n" for server in dict.fromkeys(servers))


def first_files(config_drive: Iterable[tuple[str, bytes | str]], resolver: str) -> bytes:
    """A tar of what the guest finds at its first start: init script, resolver, config drive for cloud-init."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:

        def put(name: str, content: bytes | str, mode: int) -> None:
            data = content if isinstance(content, bytes) else content.encode()
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.size, entry.mode, entry.mtime = len(data), mode, int(time.time())
            tar.addfile(entry, io.BytesIO(data))

        for name, content in config_drive:
            put(CONFIG_DRIVE + name, content, 0o600)
        put(INIT, SCRIPT, 0o755)
        put(RESOLV, resolver, 0o644)
    return buffer.getvalue()


def definition(
    *,
    image: str,
    hostname: str,
    mac: str,
    labels: Mapping[str, str],
    limits: Mapping[str, Any],
    binds: Sequence[str],
    network: str | None,
    endpoint: Mapping[str, Any],
) -> dict[str, Any]:
    """Docker's definition of a guest's container.

    A guest is root on a machine of its own as far as it can tell, and on this one in effect: it is no boundary for
    foreign code. All capabilities but one are given one by one because `privileged` is refused where this machine's
    own bounding set lacks that one.
    """
    memory = int(limits["Memory"])
    modules = Path("/lib/modules")
    return {
        "Image": image,
        "Tty": True,  # systemd and cloud-init write to a console then
        "Entrypoint": ["/bin/sh", INIT],
        "Cmd": ["/sbin/init"],
        "Hostname": hostname,
        "StopSignal": "SIGRTMIN+3",
        "MacAddress": mac,
        "Labels": dict(labels),
        "Volumes": {volume: {} for volume in VOLUMES},
        "HostConfig": {
            "CapAdd": ["ALL"],
            "CapDrop": ["SYS_RESOURCE", "SYS_TIME"],  # guests share the machine's clock
            "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
            "MaskedPaths": [],
            "ReadonlyPaths": [],
            "CgroupnsMode": "private",
            # volumes are loop devices; Kubernetes' privileged pods want all devices. To be set at creation: a later
            # change does not reach the cgroups that systemd has made by then
            "DeviceCgroupRules": ["a *:* rwm"],
            "Tmpfs": {"/run": "exec", "/run/lock": "", "/tmp": "exec"},
            "ShmSize": memory // 2,
            "Binds": [*binds, *([f"{modules}:{modules}:ro"] if modules.is_dir() else [])],
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "20m", "max-file": "2"}},
            # a guest that reboots itself comes back
            "RestartPolicy": {"Name": "unless-stopped"},
            "NetworkMode": network or "none",
            **limits,
        },
        "NetworkingConfig": {"EndpointsConfig": {network: dict(endpoint)} if network else {}},
    }
