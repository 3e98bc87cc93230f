"""Empty databases and keys of a new cloud, and the copy of a seeded one that `lab reset` goes back to."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import command, paths
from lab.cloud import config
from lab.settings import Settings

VENV = Path(sys.prefix)
MARKER = "complete.json"  # in a data folder that is whole: tells what it was made for
FOLDERS = (
    "db",
    "keystone/fernet",
    "keystone/credential",
    "glance/images",
    "glance/staging",
    "glance/tasks",
    "glance/locks",
    "neutron/locks",
    "nova/instances",
    "nova/locks",
    "cinder/volumes",
    "cinder/locks",
    "cinder/coordination",
)
# what a seeded cloud consists of; the rest of its data folder is made anew
SEEDED = ("db", "glance/images", "keystone")


def made_for(folder: Path) -> dict[str, object] | None:
    """What a data folder was made for; None when it is not whole."""
    try:
        return json.loads((folder / MARKER).read_text())
    except (OSError, ValueError):
        return None


def mark(folder: Path, purpose: Mapping[str, object]) -> None:
    paths.write_private(folder / MARKER, json.dumps(purpose, indent=2) + "\n")


def folders(data: Path) -> None:
    for name in FOLDERS:
        (data / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    compute_id = data / "nova/compute_id"
    if not compute_id.exists():  # nova-compute refuses a restart without this file
        compute_id.write_text(f"{uuid.uuid4()}\n")


def create(settings: Settings, passwords: Mapping[str, str], state: Path, show: Callable[[str], None]) -> None:
    """Tables of all services, keystone's keys and its administrator."""
    data, etc = state / "cloud", state / "etc"
    folders(data)

    def tool(program: str, service: str, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        show(f"{program} {arguments[0]}")
        # ends with this process, so that a killed `lab up` leaves nothing that still writes
        argv = ["setpriv", "--pdeathsig=KILL", f"{VENV}/bin/{program}"]
        command.run(
            [*argv, "--config-file", f"{etc}/{service}/{config.CONFIG_FILE[service]}", *arguments],
            env={"LAB_STATE": str(state), **(env or {})},
            fix="Type `lab up` again; when it fails at the same place, `lab down --purge` and `lab up` start afresh.",
        )

    def nova() -> None:
        cell0 = f"sqlite:///{data}/db/nova_cell0.sqlite?timeout=60"
        tool("nova-manage", "nova", "api_db", "sync")
        tool("nova-manage", "nova", "cell_v2", "map_cell0", "--database_connection", cell0)
        tool("nova-manage", "nova", "db", "sync")
        tool("nova-manage", "nova", "cell_v2", "create_cell", "--name", "cell1")

    def others() -> None:
        owner = ("--keystone-user", "root", "--keystone-group", "root")
        url = f"{settings.url('keystone')}/v3"
        tool("keystone-manage", "keystone", "db_sync")
        tool("keystone-manage", "keystone", "fernet_setup", *owner)
        tool("keystone-manage", "keystone", "credential_setup", *owner)
        endpoints = [part for kind in ("public", "internal", "admin") for part in (f"--bootstrap-{kind}-url", url)]
        tool(
            *("keystone-manage", "keystone", "bootstrap", "--bootstrap-region-id", config.REGION, *endpoints),
            env={"OS_BOOTSTRAP_PASSWORD": passwords["admin"]},  # an argument would show in the list of processes
        )
        tool("placement-manage", "placement", "db", "sync")
        tool("cinder-manage", "cinder", "db", "sync")
        tool("glance-manage", "glance", "db_sync")
        show("tables of neutron")
        command.run(
            ["setpriv", "--pdeathsig=KILL", sys.executable, "-m", "lab.cloud.neutron_db", f"{etc}/neutron/neutron.conf"]
        )

    _side_by_side([nova, others])
    for database in sorted((data / "db").glob("*.sqlite")):
        with sqlite3.connect(database) as connection:
            connection.execute("pragma journal_mode=wal")
        connection.close()


def _side_by_side(jobs: Sequence[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(len(jobs)) as pool:
        for job in [pool.submit(job) for job in jobs]:
            job.result()


def damaged(data: Path) -> list[str]:
    """Names of the databases that SQLite itself finds unreadable."""
    result = []
    for path in sorted((data / "db").glob("*.sqlite")):
        try:
            connection = sqlite3.connect(path)
            (answer,) = connection.execute("pragma quick_check(1)").fetchone()
            connection.close()
        except sqlite3.DatabaseError as error:
            answer = str(error)
        if answer != "ok":
            result.append(path.name)
    return result


def save_template(state: Path, purpose: Mapping[str, object]) -> None:
    """Keep the seeded cloud as it runs now: SQLite copies a database in use without a torn page."""
    data, template = state / "cloud", state / "template"
    part = state / "template.part"
    shutil.rmtree(part, ignore_errors=True)
    for name in SEEDED[1:]:
        shutil.copytree(data / name, part / name)
    (part / "db").mkdir()
    for path in (data / "db").glob("*.sqlite"):
        source, target = sqlite3.connect(path), sqlite3.connect(part / "db" / path.name)
        source.backup(target)
        source.close()
        target.close()
    mark(part, purpose)
    shutil.rmtree(template, ignore_errors=True)
    part.replace(template)


def restore_template(state: Path) -> None:
    """Put the seeded cloud in the place of whatever data there are; all at once."""
    data, part = state / "cloud", state / "cloud.part"
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(state / "template", part)
    folders(part)
    discard(state)
    part.replace(data)


def discard(state: Path) -> None:
    """Remove the data of the cloud: first out of the way, so that a half-removed folder is never taken for data."""
    data, old = state / "cloud", state / "cloud.old"
    shutil.rmtree(old, ignore_errors=True)
    if data.exists():
        data.rename(old)
        shutil.rmtree(old, ignore_errors=True)
