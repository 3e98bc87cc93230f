"""Docker Engine: found, installed, started, stopped. A stub stands for dockerd: a second real one in this machine's
network namespace would take the bridge away from the first."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from lab.errors import LabError

from lab import command, engine, paths

LAB_NETWORKS = ("10.77.0.0/24", "10.244.0.0/16", "10.96.0.0/12", "172.31.250.0/24")
PING = b"HTTP/1.1 200 OK\r\nServer: Docker/20.10.24 (linux)\r\nContent-Length: 2\r\n\r\nOK"

# answers like an engine on the socket that is its first argument
STUB = f"""
import signal, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
while True:
    peer, _ = listener.accept()
    peer.recv(4096)
    peer.sendall({PING!r})
    peer.close()
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without an engine: its own state folder, nobody's dockerd, root."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(engine, "running_dockerd", lambda: None)
    monkeypatch.setattr(engine, "_remember_network", lambda run: None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(engine.shutil, "which", lambda name, path=None: f"/usr/sbin/{name}")
    return tmp_path


def dockerd(monkeypatch: pytest.MonkeyPatch, *argv: str) -> None:
    monkeypatch.setattr(engine, "DOCKERD", argv)


class Runner:
    """Stands for the programs that are run: answers by the first words, and remembers."""

    def __init__(self, answers: dict[str, str | command.CommandFailed]) -> None:
        self.answers, self.calls = answers, []

    def __call__(self, argv: list[str], **_: object) -> str:
        line = " ".join(argv)
        self.calls.append(line)
        answer = next((value for words, value in self.answers.items() if all(w in line for w in words.split())), "")
        if isinstance(answer, command.CommandFailed):
            raise answer
        return answer


INSTALLED = "bash installed\ndebootstrap installed\nnftables config-files\n"


def test_nobody_answers(tmp_path: Path) -> None:
    assert engine.answering(tmp_path / "none.sock") is None


def test_an_engine_answers_with_its_version(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "d.sock"))
        listener.listen()

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(PING)

        thread = threading.Thread(target=serve)
        thread.start()
        assert engine.answering(tmp_path / "d.sock") == "20.10.24"
        thread.join()


def test_a_socket_without_http_behind_it_is_no_engine(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "d.sock"))
        listener.listen()

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(b"what?\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        assert engine.answering(tmp_path / "d.sock") is None
        thread.join()


def test_started_found_again_and_stopped(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = machine / "d.sock"
    monkeypatch.setattr(
        engine, "answering", lambda where=path, timeout=5.0, real=engine.answering: real(where, timeout)
    )
    dockerd(monkeypatch, sys.executable, "-c", STUB, str(path))
    assert engine.ensure(path) == engine.Engine("20.10.24", ours=True)
    pid = engine.our_pid()
    assert pid is not None
    assert os.getsid(pid) == pid, "it must outlive the terminal it was started from"
    assert engine.ensure(path).ours
    assert engine.our_pid() == pid, "a second call must not start a second engine"
    assert paths.state().stat().st_mode & 0o777 == 0o700
    assert not engine.stop_if_ours(Runner({"ps --quiet": "0123\n"})), "others' containers run on it"
    assert engine.our_pid() == pid
    assert engine.stop_if_ours(Runner({}))
    assert engine.our_pid() is None
    assert not engine.stop_if_ours(Runner({}))


def test_an_engine_without_its_command_line_is_no_use(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "answering", lambda path: "28.0")
    monkeypatch.setattr(engine.shutil, "which", lambda name, path=None: None)
    with pytest.raises(LabError, match="no `docker` command"):
        engine.ensure(machine / "d.sock")


def test_an_engine_of_others_is_left_alone(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = machine / "d.sock"
    other = subprocess.Popen([sys.executable, "-c", STUB, str(path)])
    try:
        while not path.exists() or not engine.answering(path):
            time.sleep(0.02)
        assert engine.ensure(path) == engine.Engine("20.10.24", ours=False)
        assert not engine.stop_if_ours()
        assert other.poll() is None
    finally:
        other.send_signal(signal.SIGTERM)
        other.wait()


def test_a_pid_that_another_process_has_by_now_is_not_ours(machine: Path) -> None:
    (paths.state() / "dockerd.pid").write_text(f"{os.getpid()} 1\n")
    assert engine.our_pid() is None
    assert not engine.stop_if_ours()


def test_a_daemon_that_ends_at_once_shows_its_log(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dockerd(monkeypatch, "/bin/sh", "-c", "echo the disk is full >&2; exit 1")
    with pytest.raises(LabError) as error:
        engine.ensure(machine / "d.sock")
    assert "ended right after its start" in error.value.what
    assert "the disk is full" in error.value.what


def test_no_second_daemon_beside_one_that_gives_no_answer(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "running_dockerd", os.getpid)
    monkeypatch.setattr(engine, "START_S", 0)
    monkeypatch.setattr(engine, "_start", lambda run: pytest.fail("a second dockerd"))
    with pytest.raises(LabError, match="not started by the lab"):
        engine.ensure(machine / "d.sock")


def test_only_root_may_start_it(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="only root") as error:
        engine.ensure(machine / "d.sock")
    assert "as root" in error.value.fix


def test_networks_of_docker_stay_clear_of_the_labs() -> None:
    own = [
        ipaddress.ip_network(word, strict=False)
        for option in engine.DOCKERD
        for word in option.replace("base=", "").replace(",", "=").split("=")
        if word.count(".") == 3 and "/" in word
    ]
    assert len(own) == 2
    assert not [(a, b) for a in own for b in map(ipaddress.ip_network, LAB_NETWORKS) if a.overlaps(b)]


SAVED = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [3:180]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
:MINE - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -j MINE
-A DOCKER-USER -j RETURN
-A MINE -s 192.0.2.0/24 -j ACCEPT
COMMIT
"""


def test_the_packet_filter_is_left_as_it_was_before_docker() -> None:
    assert engine.without_docker(SAVED, "ACCEPT") == (
        "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [3:180]\n:OUTPUT ACCEPT [0:0]\n:MINE - [0:0]\n"
        "-A FORWARD -j MINE\n-A MINE -s 192.0.2.0/24 -j ACCEPT\nCOMMIT\n"
    )


def test_a_stop_without_a_start_touches_no_network(machine: Path) -> None:
    run = Runner({})
    assert not engine.stop_if_ours(run)
    assert run.calls == []


def test_only_missing_packages_are_installed() -> None:
    run = Runner({"dpkg-query": INSTALLED})
    policy = Path("/usr/sbin/policy-rc.d")
    before = policy.exists()
    assert engine.missing(["debootstrap", "nftables", "skopeo"], run) == ["nftables", "skopeo"]
    assert engine.packages(["debootstrap"], why="test", run=run) == []
    assert not [call for call in run.calls if call.startswith("apt-get")]
    assert policy.exists() == before


def test_packages_need_root(machine: Path) -> None:
    with pytest.raises(LabError, match="only root may install") as error:
        engine.packages(["skopeo"], why="test", run=Runner({"dpkg-query": INSTALLED}), euid=lambda: 1000)
    assert "apt-get install --no-install-recommends skopeo" in error.value.fix


def test_packages_need_apt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.shutil, "which", lambda *_: None)
    with pytest.raises(LabError, match="no apt-get"):
        engine.packages(["skopeo"], why="test", run=Runner({"dpkg-query": INSTALLED}), euid=lambda: 0)


def test_another_system_than_debian_is_named() -> None:
    run = Runner({"dpkg-query": command.CommandFailed(["dpkg-query"], 127, [], "")})
    with pytest.raises(LabError, match="not a Debian machine"):
        engine.missing(["skopeo"], run)


def test_a_failed_installation_shows_apts_last_lines() -> None:
    failure = command.CommandFailed(["apt-get", "update"], 100, ["E: Could not resolve the mirror"], "see")
    run = Runner({"dpkg-query": INSTALLED, "apt-get update": failure})
    with pytest.raises(LabError, match="Could not resolve the mirror"):
        engine.packages(["skopeo"], why="test", run=run, euid=lambda: 0)


def test_installed_packages_start_no_daemons(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with engine._no_service_starts(policy):
        assert subprocess.run([str(policy)]).returncode == 101
    assert not policy.exists()
    policy.write_text("the administrator's own\n")
    with engine._no_service_starts(policy):
        assert policy.read_text() == "the administrator's own\n"
    assert policy.exists()


def test_a_failed_command_shows_its_last_lines_and_its_status() -> None:
    with pytest.raises(command.CommandFailed) as error:
        command.run(["/bin/sh", "-c", "for i in $(seq 99); do echo line $i; done; exit 7"], fix="do this")
    assert error.value.status == 7
    assert error.value.lines[-1] == "line 99"
    assert len(error.value.lines) == command.TAIL_LINES
    assert error.value.fix == "do this"


def test_a_program_that_is_not_there_is_a_clear_error() -> None:
    with pytest.raises(command.CommandFailed, match="no-such-program"):
        command.run(["/no-such-program"])
