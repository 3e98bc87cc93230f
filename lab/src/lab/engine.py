"""Docker Engine: the one that answers, else Debian's, started here and stopped here.

The lab's guests are containers of this engine. An engine that somebody else runs is used and left alone.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import command, paths
from lab.console import console, step
from lab.errors import LabError

SOCKET = Path("/var/run/docker.sock")
START_S = 60
STOP_S = 60

# Docker's own networks stay clear of what the lab and its clusters use (10.77.0.0/24, 10.96.0.0/12, 10.244.0.0/16,
# 172.31.250.0/24): by default Docker would take 172.31.0.0/16 one day.
DOCKERD = (
    "dockerd",
    f"--host=unix://{SOCKET}",
    "--bip=172.17.0.1/16",
    "--default-address-pool=base=172.18.0.0/16,size=24",
    "--log-opt=max-size=10m",
    "--log-opt=max-file=2",
)

Runner = Callable[..., str]


@dataclass(frozen=True)
class Engine:
    """The engine that answers.

    Attributes
    ----------
    version : of Docker Engine
    ours : whether the lab started it, and so will stop it
    """

    version: str
    ours: bool


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def answering(path: Path = SOCKET, timeout: float = 5) -> str | None:
    """The version of the engine behind the socket; None when nobody answers."""
    connection = _UnixConnection(path, timeout)
    try:
        connection.request("GET", "/_ping")
        reply = connection.getresponse()
        reply.read()
        server = reply.getheader("Server", "")
        return server.removeprefix("Docker/").split()[0] if reply.status == 200 and server else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def installed() -> bool:
    """Is there a Docker Engine that could be started?"""
    return shutil.which("dockerd", path=command.search_path()) is not None


# --- Debian packages ---------------------------------------------------------------------------------------------
def missing(names: Sequence[str], run: Runner = command.run) -> list[str]:
    """Those of the packages that are not installed."""
    try:
        listed = run(["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n"])
    except command.CommandFailed as error:
        raise LabError(
            "This is not a Debian machine (dpkg-query does not run), so the lab cannot install "
            f"what it needs: {', '.join(names)}.",
            "Use Debian 12, or install these programs by hand.",
        ) from error
    present = {
        name for name, _, status in (line.partition(" ") for line in listed.splitlines()) if status == "installed"
    }
    return [name for name in names if name not in present]


def packages(
    names: Sequence[str], *, why: str, run: Runner = command.run, euid: Callable[[], int] = os.geteuid
) -> list[str]:
    """Install the Debian packages that are missing; returns their names.

    Raises
    ------
    LabError
        when this is not root, there is no apt-get, or apt-get fails (with its last lines)
    """
    absent = missing(names, run)
    if not absent:
        return []
    todo = f"apt-get install --no-install-recommends {' '.join(absent)}"
    if euid() != 0:
        raise LabError(
            f"{', '.join(absent)}: not installed ({why}), and only root may install packages.",
            f"Type the same command as root, or let an administrator type `{todo}`.",
        )
    if not shutil.which("apt-get"):
        raise LabError(
            f"{', '.join(absent)}: not installed ({why}), and this machine has no apt-get.",
            "Use Debian 12, or install these programs by hand.",
        )
    env = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    fix = f"See whether `apt-get update` and `{todo}` work by hand; then type the same command again."
    # other programs (a machine's daily upgrade) hold dpkg's lock for a while: wait instead of failing
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"]
    run([*apt, "update", "-q"], title="list of Debian packages", env=env, fix=fix)
    with _no_service_starts():
        # an earlier installation may have been interrupted
        run(["dpkg", "--configure", "-a"], env=env, fix=fix)
        run(
            [*apt, "install", "-y", "-q", "--no-install-recommends", *absent],
            title=f"Debian packages {', '.join(absent)} ({why})",
            env=env,
            fix=fix,
        )
    return absent


@contextlib.contextmanager
def _no_service_starts(policy: Path = Path("/usr/sbin/policy-rc.d")):
    """Keep installed packages from starting daemons: an engine is started by this module, or by the administrator."""
    text = "#!/bin/sh\n# made by lab for the time of an installation\nexit 101\n"
    if policy.is_symlink() or (policy.exists() and policy.read_text() != text):
        yield
        return
    policy.write_text(text)
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink(missing_ok=True)


# --- what Docker changes in the machine's network -----------------------------------------------------------------
IP_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
TABLES = ("nat", "filter")


def _network_file() -> Path:
    return paths.state() / "network-before-docker.json"


def _remember_network(run: Runner) -> None:
    """Note the settings that Docker is about to change; the note of an earlier start that was killed stays."""
    if _network_file().exists():
        return
    forward = re.search(r"(?m)^:FORWARD (\S+)", run(["iptables-save", "-t", "filter"]))
    noted = {"ip_forward": IP_FORWARD.read_text().strip(), "forward_policy": forward[1] if forward else "ACCEPT"}
    _network_file().write_text(json.dumps(noted))


def without_docker(saved: str, forward_policy: str) -> str:
    """The output of iptables-save less Docker's chains and rules, in the form that iptables-restore takes."""
    kept = [line for line in saved.splitlines() if not re.search(r"\bDOCKER|\bdocker0\b", line)]
    return "\n".join(re.sub(r"^:FORWARD \S+", f":FORWARD {forward_policy}", line) for line in kept) + "\n"


def _restore_network(run: Runner) -> None:
    """Take Docker's default bridge and its packet filter rules off the machine; dockerd leaves both behind."""
    if not _network_file().exists():
        return
    noted = json.loads(_network_file().read_text())
    for table in TABLES:
        rules = paths.state() / f"{table}.rules"
        rules.write_text(without_docker(run(["iptables-save", "-t", table]), noted["forward_policy"]))
        run(["iptables-restore", str(rules)])
        rules.unlink()
    if Path("/sys/class/net/docker0").exists():
        run(["ip", "link", "delete", "docker0"])
    IP_FORWARD.write_text(noted["ip_forward"])
    _network_file().unlink()


# --- the daemon --------------------------------------------------------------------------------------------------
def log_file() -> Path:
    return paths.state() / "dockerd.log"


def _pid_file() -> Path:
    return paths.state() / "dockerd.pid"


def _start_ticks(pid: int, proc: Path = Path("/proc")) -> str | None:
    """When the process started, in clock ticks since boot: with the pid it names one process for good."""
    try:
        stat = (proc / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def _recorded() -> tuple[int, str] | None:
    """Process id and start of the dockerd that the lab started last, running or not."""
    try:
        pid, ticks = _pid_file().read_text().split()
        return int(pid), ticks
    except (OSError, ValueError):
        return None


def our_pid() -> int | None:
    """The process id of the dockerd that the lab started, when it still runs."""
    recorded = _recorded()
    return recorded[0] if recorded and _start_ticks(recorded[0]) == recorded[1] else None


def running_dockerd(proc: Path = Path("/proc")) -> int | None:
    """The process id of a dockerd in this machine's own network namespace; a guest's dockerd has another.

    Two engines in one namespace would undo each other's bridges and packet filter.
    """
    own = (proc / "self/ns/net").readlink()
    for folder in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (folder / "comm").read_text() == "dockerd\n" and (folder / "ns/net").readlink() == own:
                return int(folder.name)
    return None


def tail(path: Path, lines: int = 15) -> str:
    text = path.read_text(errors="replace") if path.exists() else ""
    return "".join(f"\n    {line}" for line in text.splitlines()[-lines:])


def ensure(socket_path: Path = SOCKET, run: Runner = command.run) -> Engine:
    """An answering Docker Engine; installs and starts Debian's when there is none.

    Raises
    ------
    LabError
        when it cannot be installed or does not answer within a minute of its start
    """
    version = answering(socket_path)
    if version:
        if not shutil.which("docker", path=command.search_path()):
            raise LabError(
                f"Docker Engine {version} answers on {socket_path}, but there is no `docker` command.",
                "Install the command line of that engine's version, then type the same command again.",
            )
        return Engine(version, our_pid() is not None)
    if not installed():
        packages(["docker.io", "iptables"], why="no Docker Engine answers and none is installed", run=run)
    if not shutil.which("iptables-save", path=command.search_path()):
        packages(["iptables"], why="Docker's packet filter", run=run)
    if os.geteuid() != 0:
        raise LabError(
            f"No Docker Engine answers on {socket_path}, and only root may start one.",
            "Start Docker Engine, or type the same command as root.",
        )
    with step("start of Docker Engine") as show:
        pid = our_pid() or running_dockerd() or _start(run)
        deadline = time.monotonic() + START_S
        while not (version := answering(socket_path, timeout=1)):
            if _start_ticks(pid) is None or time.monotonic() > deadline:
                raise _no_answer(pid, socket_path)
            show("waits for an answer")
            time.sleep(0.2)
    return Engine(version, our_pid() is not None)


def _no_answer(pid: int, socket_path: Path) -> LabError:
    state = (
        "ended right after its start"
        if _start_ticks(pid) is None
        else f"gave no answer on {socket_path} in {START_S} s"
    )
    recorded = _recorded()
    if not recorded or recorded[0] != pid:
        return LabError(
            f"dockerd (process {pid}, not started by the lab) {state}.",
            "See that `docker info` works, or stop that process; then type the same command again.",
        )
    return LabError(
        f"dockerd (process {pid}) {state}; its log ({log_file()}) ends with:{tail(log_file())}",
        "Mend what the log names, then type the same command again.",
    )


def _start(run: Runner) -> int:
    """Start dockerd in a session of its own, so that it outlives this command and its terminal."""
    _remember_network(run)
    # a pid file left by a killed dockerd would stop the new one when another process has that number by now
    own_pid_file = paths.state() / "dockerd.own.pid"
    own_pid_file.unlink(missing_ok=True)
    with log_file().open("ab") as log:
        process = subprocess.Popen(
            [*DOCKERD, f"--pidfile={own_pid_file}"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env={**os.environ, "PATH": command.search_path()},
        )
    temporary = _pid_file().with_suffix(".tmp")
    temporary.write_text(f"{process.pid} {_start_ticks(process.pid)}\n")
    temporary.replace(_pid_file())
    return process.pid


def stop_if_ours(run: Runner = command.run) -> bool:
    """Stop the engine when the lab started it and take its network off the machine; returns whether it was stopped.

    An engine that by now runs containers of others is left to them.

    Raises
    ------
    LabError
        when it still runs after a minute
    """
    pid = our_pid()
    if pid is None:
        _pid_file().unlink(missing_ok=True)
        # killed, and nobody started another one since: what it left is still the lab's to clear
        if running_dockerd() is None:
            _restore_network(run)
        return False
    containers = run(["docker", f"--host=unix://{SOCKET}", "ps", "--quiet"]).split() if answering() else []
    if containers:
        console.print(f"Docker Engine goes on: {len(containers)} containers that are not the lab's run on it.")
        return False
    with step("stop of Docker Engine") as show:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        while _start_ticks(pid) is not None:
            if time.monotonic() > deadline:
                raise LabError(
                    f"dockerd (process {pid}) still runs {STOP_S} s after it was asked to stop; "
                    f"its log ({log_file()}) ends with:{tail(log_file())}",
                    f"Look into the log; `kill -9 {pid}` as the last resort.",
                )
            show("waits for its end")
            time.sleep(0.2)
    _restore_network(run)
    _pid_file().unlink(missing_ok=True)
    return True
