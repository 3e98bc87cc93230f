"""The six services as processes: started together, waited for, ended."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab import engine, paths, processes
from lab.cloud.config import SERVICES
from lab.errors import LabError
from lab.processes import Process
from lab.settings import Settings

START_S = 180
SOURCES = Path(__file__).parent
# what no service reads of this folder, and what they read outside it
OURS = ("databases.py", "lifecycle.py", "neutron_db.py", "repair.py", "status.py")
SHARED = tuple(SOURCES.parent / name for name in ("settings.py", "paths.py", "engine.py", "addresses.py"))


def version(state: Path) -> str:
    """A hash over code and configuration: a service that was started with another is started anew."""
    total = hashlib.sha256()
    code = [path for path in sorted(SOURCES.glob("*.py")) if path.name not in OURS]
    for path in [*code, *SHARED, *sorted((state / "etc").glob("*/*.conf"))]:
        total.update(path.name.encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:16]


def running(state: Path) -> dict[str, Process]:
    """Service → its process."""
    result = {}
    for process in processes.of(state):
        if "lab.cloud.serve" in process.argv:
            etc = next(argument for argument in process.argv if argument.startswith(f"{state}/"))
            result[Path(etc).name] = process
    return result


def answers(settings: Settings, service: str) -> bool:
    try:
        path = "/v3" if service == "keystone" else "/"
        urllib.request.urlopen(settings.url(service) + path, timeout=2).close()
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
    return True


def wait_for(settings: Settings, names: Sequence[str]) -> None:
    """Return when these answer.

    Raises
    ------
    TimeoutError
        One does not.
    """
    deadline = time.monotonic() + START_S
    while silent := [name for name in names if not answers(settings, name)]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{', '.join(silent)}: no answer after {START_S} s")
        time.sleep(0.1)


def start(
    settings: Settings, state: Path, show: Callable[[str], None], names: Sequence[str] = SERVICES
) -> dict[str, Process]:
    """Start those that do not run, or run with other code; returns when all answer.

    Returns
    -------
    those that were started
    """
    wanted = version(state)
    there = running(state)
    outdated = [there.pop(name) for name in names if name in there and wanted not in there[name].argv]
    processes.end(outdated)
    started = {name: _start(name, state, wanted) for name in names if name not in there}
    deadline = time.monotonic() + START_S
    waiting = list(names)
    while waiting:
        for name in list(waiting):
            if answers(settings, name):
                waiting.remove(name)
            elif name in started and started[name].poll() is not None:
                raise _failed(name, state, f"ended with status {started[name].returncode}")
            elif name not in started and not there[name].alive():
                raise _failed(name, state, "ended")
        if waiting and time.monotonic() > deadline:
            raise _failed(waiting[0], state, f"does not answer on {settings.url(waiting[0])} after {START_S} s")
        if waiting:
            show(f"waits for {', '.join(waiting)}")
            time.sleep(0.1)
    now = running(state)
    return {name: now[name] for name in started}


def _start(name: str, state: Path, wanted: str) -> subprocess.Popen[bytes]:
    paths.private(state / "log")
    with (state / f"log/{name}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "lab.cloud.serve", f"{state}/etc/{name}", wanted],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            umask=0o077,
            env={**_environment(), "LAB_STATE": str(state)},
        )


def _environment() -> Mapping[str, str]:
    # a user's OS_* variables would reach into oslo.config and keystoneauth, a proxy between the services
    dropped = ("OS_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(dropped)}


def _failed(name: str, state: Path, what: str) -> LabError:
    log = state / f"log/{name}.log"
    return LabError(
        f"{name} {what}; its log ({log}) ends with:{engine.tail(log)}",
        "Type `lab up` again; when it fails at the same place, `lab down --purge` and `lab up` start afresh.",
    )


def warm(cloud: Any) -> None:
    """One request of each kind, alone: the first loads policies, which two threads at once spoil (spurious 403)."""
    for listing in (
        cloud.identity.users,
        cloud.image.images,
        cloud.network.networks,
        cloud.network.security_groups,
        cloud.network.routers,
        cloud.network.ips,
        cloud.network.ports,
        cloud.compute.flavors,
        cloud.compute.servers,
        cloud.compute.keypairs,
        cloud.block_storage.volumes,
    ):
        list(listing())


def stop(state: Path) -> int:
    """End all processes of the lab's environment, unfinished tools of a killed start included; returns how many."""
    found = processes.of(state)
    processes.end(found)
    return len(found)
