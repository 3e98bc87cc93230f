"""The volumes of one guest: remembered beside it, so that they are there again after any restart."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lab import paths
from lab.cloud import loops


@dataclass(frozen=True)
class Disk:
    """A volume in a guest.

    Attributes
    ----------
    device : its name there, for example /dev/vdb
    path : its file on this machine
    minor : number of its loop device
    volume : its id in Cinder
    """

    device: str
    path: str
    minor: int
    volume: str

    @property
    def link(self) -> str:
        """The name that udev gives a disk of KVM's after its serial number, which is the volume's id."""
        return f"/dev/disk/by-id/virtio-{self.volume[:20]}"


def read(folder: Path) -> list[Disk]:
    try:
        return [Disk(**entry) for entry in json.loads((folder / "volumes.json").read_text())]
    except FileNotFoundError:
        return []


def write(folder: Path, disks: list[Disk]) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    paths.write_private(folder / "volumes.json", json.dumps([asdict(disk) for disk in disks]) + "\n")
    # the guest has this very file bound: its inode must stay
    with (folder / "disks").open("a+") as file:
        file.truncate(0)
        file.writelines(f"{disk.device} {disk.minor} {disk.link}\n" for disk in disks)


def bind(folder: Path, target: str) -> str:
    """Docker's bind of the list that the guest reads when it starts."""
    write(folder, read(folder))
    return f"{folder}/disks:{target}:ro"


def reattach(folder: Path) -> bool:
    """Attach what is not attached (after the machine was started anew); returns whether anything changed."""
    before = read(folder)
    after, changed = [], False
    for disk in before:
        if not Path(disk.path).exists():
            changed = True
            continue
        attached = bool(loops.of_file(disk.path))
        minor = loops.attach(disk.path, disk.minor)
        changed = changed or not attached or minor != disk.minor
        after.append(replace(disk, minor=minor))
    if changed:
        write(folder, after)
    return changed
