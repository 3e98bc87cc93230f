"""The mirror as processes: a web server for files and one registry, twice (to write on loopback, to read for guests).

They outlive the command that started them. A process is found by its command line, which names this lab's state or
cache: a killed `start` may have started one and never written its number down.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import engine, paths, processes, settings
from lab.artifacts import debian, files
from lab.console import console
from lab.errors import LabError

START_S = 15
FILES_PORT, REGISTRY_PORT, WRITER_PORT = 8080, 5000, 5055


@dataclass(frozen=True)
class Addresses:
    """Where a mirror is had.

    Attributes
    ----------
    host : address on the external network, for guests
    network : the external network, whose addresses are this machine's own
    """

    host: str
    network: str
    files_port: int = FILES_PORT
    registry_port: int = REGISTRY_PORT
    writer_port: int = WRITER_PORT

    @property
    def files_url(self) -> str:
        return f"http://{self.host}:{self.files_port}"

    @property
    def registry(self) -> str:
        return f"{self.host}:{self.registry_port}"

    @property
    def writer_url(self) -> str:
        return f"http://127.0.0.1:{self.writer_port}"


@dataclass(frozen=True)
class Service:
    """One process of the mirror.

    Attributes
    ----------
    argv : its command line, which no other process has
    """

    name: str
    argv: tuple[str, ...]
    host: str
    port: int


def root() -> Path:
    """The folder of what is served."""
    return paths.cache() / "mirror"


def file_root() -> Path:
    return root() / "files"


def addresses() -> Addresses:
    """Those of this lab; a second lab on the machine (LAB_NAME, LAB_PORT_BASE, LAB_EXTERNAL_CIDR) has others."""
    lab = settings.from_environment()
    base = lab.port_base
    return Addresses(lab.mirror, lab.external_cidr, FILES_PORT + base, REGISTRY_PORT + base, WRITER_PORT + base)


def _folder() -> Path:
    return paths.private(paths.state() / "mirror")


def services(where: Addresses) -> list[Service]:
    """The mirror's processes; their command lines name this lab and change with their settings."""
    registry, folder = str(_registry_program()), _folder()
    options = (f"--root={file_root()}", f"--bind={where.host}", f"--port={where.files_port}", f"--lab={folder}")
    server = (sys.executable, "-m", "lab.artifacts.server", *options)
    write, read = _configuration(where, "write"), _configuration(where, "read")
    return [
        Service("files", server, where.host, where.files_port),
        Service("registry (write)", (registry, "serve", str(write)), "127.0.0.1", where.writer_port),
        Service("registry", (registry, "serve", str(read)), where.host, where.registry_port),
    ]


def _registry_program() -> Path:
    return root() / "bin/docker-registry"


def running() -> list[processes.Process]:
    """All processes of this lab's mirror, those with other settings than today's too."""
    folder, result = _folder(), []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            argv = tuple(entry.joinpath("cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0"))
        except OSError:
            continue
        ours = f"--lab={folder}" in argv or (argv[1:2] == ("serve",) and argv[-1].startswith(f"{folder}/"))
        if ours and (ticks := processes.start_ticks(int(entry.name))):
            result.append(processes.Process(int(entry.name), ticks, argv))
    return result


def find(service: Service) -> processes.Process | None:
    """The process of a service; another checkout's interpreter does as well."""
    return next((process for process in running() if process.argv[1:] == service.argv[1:]), None)


def _answers(service: Service) -> bool:
    try:
        socket.create_connection((service.host, service.port), 1).close()
    except OSError:
        return False
    return True


# --- start and stop ----------------------------------------------------------------------------------------------
@contextmanager
def _one_at_a_time() -> Iterator[None]:
    with (_folder() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def start(where: Addresses | None = None) -> Addresses:
    """The mirror, answering: what runs stays, what does not is started.

    Raises
    ------
    LabError
        when a port is taken or a process ends at once, with its last lines
    """
    where = where or addresses()
    with _one_at_a_time():
        _install_registry()
        file_root().mkdir(parents=True, exist_ok=True)
        _route(where)
        _write_configurations(where)
        wanted = services(where)
        lines = [service.argv[1:] for service in wanted]
        processes.end([process for process in running() if process.argv[1:] not in lines])
        for service in wanted:
            if not find(service):
                _launch(service)
                console.print(f"mirror: {service.name} serves on {service.host}:{service.port}", highlight=False)
    return where


def stop() -> None:
    """End the mirror's processes; the files stay. The route to its address belongs to the cloud."""
    with _one_at_a_time():
        processes.end(running())


def status(where: Addresses | None = None) -> dict[str, bool]:
    """Service → whether it runs and answers."""
    return {service.name: bool(find(service)) and _answers(service) for service in services(where or addresses())}


def _launch(service: Service) -> None:
    if _answers(service):
        raise LabError(
            f"Port {service.port} of {service.host} is taken by {_holder(service.port)}: the mirror's {service.name} "
            "cannot start there.",
            "End that program, or give this lab other ports (LAB_PORT_BASE); then type the same command again.",
        )
    log = _folder() / f"{service.name.replace(' ', '-').strip('()')}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            service.argv, cwd=_folder(), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    deadline = time.monotonic() + START_S
    while not _answers(service):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
            raise LabError(
                f"The mirror's {service.name} did not start on {service.host}:{service.port}:\n{tail}",
                f"Its output is in {log}; after mending the cause, type the same command again.",
            )
        time.sleep(0.05)


def _holder(port: int) -> str:
    """Who listens on a port, for people."""
    run = subprocess.run(["ss", "-Hltnp", f"sport = :{port}"], capture_output=True, text=True)
    _, _, users = run.stdout.partition("users:")
    return users.strip("() \n").replace('"', "") or "another program"


def _route(where: Addresses) -> None:
    """Make the mirror's address one of this machine's, as the cloud does for the whole external network."""
    if not shutil.which("ip"):
        engine.packages(["iproute2"], why="gives the mirror its address")
    found = subprocess.run(["ip", "route", "get", where.host], capture_output=True, text=True)
    if found.stdout.startswith("local "):
        return
    made = subprocess.run(
        ["ip", "route", "replace", "local", where.network, "dev", "lo"], capture_output=True, text=True
    )
    if made.returncode:
        raise LabError(
            f"The mirror's address {where.host} cannot be made one of this machine: {made.stderr.strip()}",
            "Type the same command as root.",
        )


# --- the registry ------------------------------------------------------------------------------------------------
def _install_registry() -> None:
    """Debian's docker-registry, taken out of its package: nothing is installed on the machine."""
    program = _registry_program()
    if program.exists():
        return
    work = root() / ".registry"
    shutil.rmtree(work, ignore_errors=True)
    try:
        debian.unpack([debian.package("docker-registry")], work)
        with files.whole(program, 0o755) as part:
            shutil.copyfile(work / "usr/bin/docker-registry", part)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write_configurations(where: Addresses) -> None:
    """Write the registries' settings, and remove those of other addresses."""
    (root() / "registry").mkdir(parents=True, exist_ok=True)
    wanted = {kind: _configuration(where, kind) for kind in ("write", "read")}
    for stale in set(_folder().glob("*.json")) - set(wanted.values()):
        stale.unlink()
    for kind, path in wanted.items():
        if not path.exists():
            paths.write_private(path, _settings(where, kind))


def _configuration(where: Addresses, kind: str) -> Path:
    """The file of a registry's settings; other settings have another name, so a process shows which it runs with."""
    sha256 = hashlib.sha256(_settings(where, kind).encode()).hexdigest()
    return _folder() / f"{kind}-{sha256[:12]}.json"


def _settings(where: Addresses, kind: str) -> str:
    """A registry's settings: YAML contains JSON. Both processes share the secret, as they share the storage."""
    secret = _folder() / "secret"
    if not secret.exists():
        paths.write_private(secret, secrets.token_hex())
    readonly = kind == "read"
    address = where.registry if readonly else f"127.0.0.1:{where.writer_port}"
    return json.dumps(
        {
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(root() / "registry")},
                "delete": {"enabled": not readonly},
                "maintenance": {"readonly": {"enabled": readonly}},
            },
            "http": {"addr": address, "secret": secret.read_text()},
        },
        indent=1,
    )
