"""After anything that ended in the middle: what Nova's database says and what is on the machine are made to agree."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from lab.cloud import disks, docker, loops
from lab.settings import Settings


def servers(state: Path) -> set[str]:
    """Ids of the servers that Nova knows."""
    with sqlite3.connect(f"file:{state}/cloud/db/nova.sqlite?mode=ro", uri=True) as connection:
        rows = connection.execute("select uuid from instances where deleted = 0").fetchall()
    connection.close()
    return {uuid for (uuid,) in rows}


def guests(settings: Settings, state: Path, show: Callable[[str], None]) -> list[str]:
    """Before the services start: remove what belongs to no server, attach the volumes of the others.

    Returns
    -------
    what was repaired, for people
    """
    done = []
    known = servers(state)
    instances = state / "cloud/nova/instances"
    restart = []
    for container in docker.containers(settings.name):
        labels = container["Labels"]
        name = labels.get("lab.server", container["Id"][:12])
        if labels.get("lab.uuid") not in known:
            show(f"removes {name}")
            docker.remove(f"/containers/{container['Id']}", force="1", v="1")
            done.append(f"removed guest {name}, which no server stands for")
        elif disks.reattach(instances / labels["lab.uuid"]) and container["State"] == "running":
            restart.append((name, container["Id"]))
    for name, identity in restart:
        # its init makes the device nodes and mounts what is on them
        show(f"restarts {name}")
        docker.request("POST", f"/containers/{identity}/restart", t="10")
        done.append(f"restarted guest {name}: its volumes had been detached")
    docker.remove_unused_networks(settings.name)
    in_use = {disk.path for uuid in known for disk in disks.read(instances / uuid)}
    for device, path in loops.below(state).items():
        if path not in in_use:
            loops.detach(device)
            done.append(f"detached {device}, which no guest uses")
    return done
