"""up, down, reset: from any state of the machine to the one that was asked for."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import os
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from lab import engine, host, lock, paths, preflight, processes
from lab import settings as settings_module
from lab.cloud import config, databases, seed, services
from lab.console import console, step
from lab.errors import LabError
from lab.settings import Settings

# raised when a cloud of the code before cannot be used by the code from then on
FORMAT = 2


def purpose(settings: Settings) -> dict[str, object]:
    """What the data of a cloud hold for: with anything of this changed they are made anew."""
    lockfile = Path(__file__).resolve().parents[3] / "requirements.lock"
    locked = hashlib.sha256(lockfile.read_bytes()).hexdigest() if lockfile.exists() else ""
    return {
        "format": FORMAT,
        "name": settings.name,
        "python": sys.version.split()[0],
        "requirements": locked,
        "ports": settings.port_base,
        "external_cidr": settings.external_cidr,
        "hypervisors": settings.hypervisors,
    }


def _say(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _mirror() -> ModuleType | None:
    """The mirror of artefacts; None in an installation of the cloud alone."""
    if importlib.util.find_spec("lab.artifacts.mirror"):
        return importlib.import_module("lab.artifacts.mirror")
    return None


def _passwords(state: Path) -> dict[str, str]:
    file = state / "passwords.json"
    try:
        found = json.loads(file.read_text())
        if set(found) == set(config.USERS):
            return found
    except (OSError, ValueError):
        pass
    made = config.new_passwords()
    paths.write_private(file, json.dumps(made, indent=2) + "\n")
    # what was made with other passwords is of no use
    databases.discard(state)
    shutil.rmtree(state / "template", ignore_errors=True)
    return made


def _write_config(settings: Settings, passwords: dict[str, str], state: Path) -> None:
    settings_module.save(settings, state)
    for name, text in config.files(settings, passwords, state, databases.VENV).items():
        paths.private((state / "etc" / name).parent)
        paths.write_private(state / "etc" / name, text)


def write_site(settings: Settings, passwords: dict[str, str]) -> Path:
    """clouds.yaml and terraformrc for the site; returns the first."""
    site = paths.site()
    providers = paths.cache() / "mirror/files/terraform-providers"
    paths.write_private(site / "terraformrc", config.terraformrc(providers))
    clouds = site / "clouds.yaml"
    paths.write_private(clouds, config.clouds_yaml(settings, passwords))
    return clouds


# --- up ----------------------------------------------------------------------------------------------------------
def up(settings: Settings) -> None:
    """A cloud that answers, with the guests that there were."""
    preflight.root(os.geteuid())
    state = paths.state()
    started = time.monotonic()
    with lock.exclusive(state, "lab up"):
        _same_kind(settings, state)
        _check(settings, state)
        if settings.hypervisors == "docker":
            _engine_and_image()
        passwords = _passwords(state)
        _bring_up(settings, passwords, state)
        clouds = write_site(settings, passwords)
        mirror = _mirror()
        if mirror and settings.serves_mirror:
            mirror.start()
    _say(f"The cloud answers after {time.monotonic() - started:.1f} s.")
    _say(f"  export OS_CLIENT_CONFIG_FILE={clouds} OS_CLOUD={settings.name}")


def _same_kind(settings: Settings, state: Path) -> None:
    """Servers on one kind of hypervisor cannot go on on another: that is for the user to decide."""
    before = settings_module.load(state)
    if before and before.hypervisors != settings.hypervisors and databases.made_for(state / "cloud"):
        raise LabError(
            f"This lab runs with --hypervisors {before.hypervisors}; it cannot go on with {settings.hypervisors}.",
            "`lab down` first (its servers and volumes are removed), then type the same command again; or give the "
            "second cloud a name and places of its own: LAB_NAME=fake LAB_PORT_BASE=20000 "
            "LAB_EXTERNAL_CIDR=172.31.252.0/24.",
        )


def _check(settings: Settings, state: Path) -> None:
    folders = {"the lab's state": state, "caches": paths.cache()}
    if settings.hypervisors == "docker":
        folders["containers and images"] = Path("/var/lib/docker")
    preflight.check(settings, folders, [process.pid for process in processes.of(state)])


def _engine_and_image() -> None:
    engine.ensure()
    from lab.images import guest

    guest.ensure_all()


def _bring_up(settings: Settings, passwords: dict[str, str], state: Path) -> None:
    wanted, found = purpose(settings), databases.made_for(state / "cloud")
    if found is not None and found != wanted:
        changed = ", ".join(sorted(key for key in {*wanted, *found} if wanted.get(key) != found.get(key)))
        _say(f"The cloud's data were made for another version or other settings ({changed}): they are made anew.")
        found = None
    if found is not None and not services.running(state) and (bad := databases.damaged(state / "cloud")):
        _say(f"SQLite cannot read {', '.join(bad)}: the cloud's data are made anew.")
        found = None
    if found is not None:
        _go_on(settings, passwords, state)
        return
    services.stop(state)
    with step("removal of what an earlier cloud left") as show:
        if settings.hypervisors == "docker":
            host.remove_guests(settings, state, show)
        databases.discard(state)
    if databases.made_for(state / "template") == wanted:
        databases.restore_template(state)
        _go_on(settings, passwords, state)
    else:
        _first_start(settings, passwords, state, wanted)


def _prepare(settings: Settings, passwords: dict[str, str], state: Path) -> None:
    _write_config(settings, passwords, state)
    if settings.hypervisors == "docker":
        host.prepare(settings)


def _go_on(settings: Settings, passwords: dict[str, str], state: Path) -> None:
    """Start what does not run, on data that are whole."""
    _prepare(settings, passwords, state)
    databases.folders(state / "cloud")
    wanted, there = services.version(state), services.running(state)
    if "nova" not in there and settings.hypervisors == "docker":
        # not under a Nova that runs: a server that it makes right now has a container and no row yet, or the reverse
        from lab.cloud import repair

        with step("guests and volumes") as show:
            for line in repair.guests(settings, state, show):
                _say(f"  {line}")
    if all(name in there and wanted in there[name].argv for name in config.SERVICES) and all(
        services.answers(settings, name) for name in config.SERVICES
    ):
        _say("All services run.")
        cloud = seed.connect(settings, passwords)
    else:
        with step("start of the services") as show:
            started = services.start(settings, state, show)
            cloud = seed.connect(settings, passwords)
            services.warm(cloud)
            if "nova" in started:
                _fail_unfinished(cloud)
    # quotas may be others than at the last start, and older code seeded fewer images
    seed.images(cloud)
    seed.quotas(cloud, settings)


def _fail_unfinished(cloud: Any) -> None:
    """A server that no hypervisor had been chosen for when Nova ended would be built for ever."""
    for server in cloud.compute.servers(all_projects=True, status="BUILD"):
        if not server.hypervisor_hostname and not server.compute_host:
            with suppress(Exception):  # it may have been deleted just now
                cloud.compute.reset_server_state(server, "error")


def _first_start(settings: Settings, passwords: dict[str, str], state: Path, wanted: dict[str, object]) -> None:
    shutil.rmtree(state / "template", ignore_errors=True)
    _prepare(settings, passwords, state)
    with step("databases of the cloud") as show:
        databases.create(settings, passwords, state, show)
    with step("start of the services") as show:
        # the others ask for their users as soon as they run
        services.start(settings, state, show, ["keystone"])
        seed.identity(seed.connect(settings, passwords), settings, passwords)
        services.start(settings, state, show)
        cloud = seed.connect(settings, passwords)  # its token's catalogue has the services now
        services.warm(cloud)
    with step("flavors, image, quotas, external network") as show:
        seed.resources(cloud, settings)
        databases.save_template(state, wanted)
        databases.mark(state / "cloud", wanted)


# --- down and reset ----------------------------------------------------------------------------------------------
def down(settings: Settings, *, purge: bool) -> None:
    """Everything off the machine. The seeded databases stay for the next start, unless purged."""
    preflight.root(os.geteuid())
    state = paths.state()
    with lock.exclusive(state, "lab down"):
        settings = settings_module.load(state) or settings
        # a second lab has one where somebody asked for it with `lab artifacts`
        if mirror := _mirror():
            mirror.stop()
        _take_away(settings, state)
        host.remove_rules(settings)
        left = host.leftovers(settings, state)
        # guests of another lab on this machine still need the engine
        if not left and not _other_labs(settings) and engine.stop_if_ours():
            _say("Docker Engine, which the lab had started, is stopped.")
        (paths.site() / "clouds.yaml").unlink(missing_ok=True)
        (state / "settings.json").unlink(missing_ok=True)
        if purge:
            for name in ("template", "etc", "log"):
                shutil.rmtree(state / name, ignore_errors=True)
            (state / "passwords.json").unlink(missing_ok=True)
    if left:
        raise LabError(f"Still there: {'; '.join(left)}.", "Type `lab down` again; the names say what to look at.")
    _say("Nothing of the lab is left on this machine but its caches" + ("." if purge else f" and {state}."))


def _take_away(settings: Settings, state: Path) -> None:
    with step("services and guests") as show:
        services.stop(state)
        if settings.hypervisors == "docker":
            # Guests are still on the disk when the machine was restarted, and only a running engine removes them.
            if databases.made_for(state / "cloud") is not None and engine.installed():
                engine.ensure()
            host.remove_guests(settings, state, show)
        databases.discard(state)


def _other_labs(settings: Settings) -> bool:
    if not engine.answering():
        return False
    from lab.cloud import docker

    return any(container["Labels"].get(docker.LABEL) != settings.name for container in docker.containers())


def reset(settings: Settings) -> None:
    """The seeded cloud again."""
    preflight.root(os.geteuid())
    state = paths.state()
    before = settings_module.load(state)
    if before is None or not (state / "template").is_dir():
        raise LabError("There is no cloud to reset.", "`lab up` makes one.")
    started = time.monotonic()
    with lock.exclusive(state, "lab reset"):
        _take_away(before, state)
        _check(before, state)
        passwords = _passwords(state)
        _bring_up(before, passwords, state)
    _say(f"The cloud is as freshly seeded, after {time.monotonic() - started:.1f} s.")
