"""First contact with servers: keys from consoles, files for ssh, and what is refused."""

from __future__ import annotations

import base64
import importlib.util
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

PATH = Path(__file__).resolve().parents[2] / "ansible" / "plugins" / "action" / "server_access.py"
spec = importlib.util.spec_from_file_location("server_access", PATH)
assert spec is not None
assert spec.loader is not None
access = importlib.util.module_from_spec(spec)
sys.modules["server_access"] = access
spec.loader.exec_module(access)

CP0 = access.Server("lab-cp0", "id-0", "10.77.0.10", "172.31.250.20")
W0 = access.Server("lab-w0", "id-1", "10.77.0.11", jump="lab-cp0")


def key(kind: str, seed: bytes = b"1") -> str:
    """A key that says of itself that it is of that kind."""
    name = kind.encode()
    return base64.b64encode(len(name).to_bytes(4, "big") + name + b"\0\0\0 " + seed * 32).decode()


ED25519, OTHER = key("ssh-ed25519"), key("ssh-ed25519", b"2")
ECDSA = key("ecdsa-sha2-nistp256")


def block(*lines: str) -> str:
    return "\n".join(["-----BEGIN SSH HOST KEY KEYS-----", *lines, "-----END SSH HOST KEY KEYS-----", ""])


# --- keys ---------------------------------------------------------------------------------------------------------
def test_keys_are_found_among_other_lines() -> None:
    console = "[  OK  ] Started.\r\n" + block(
        f"ecdsa-sha2-nistp256 {ECDSA} root@lab", f"ssh-ed25519 {ED25519} root@lab"
    )
    assert access.console_keys(console) == {"ecdsa-sha2-nistp256": ECDSA, "ssh-ed25519": ED25519}


def test_keys_are_found_behind_the_prefix_of_a_journal() -> None:
    lines = block(f"ssh-ed25519 {ED25519} root@lab").splitlines()
    console = "\n".join(f"[   12.345678] cloud-init[812]: {line}" for line in lines)
    assert access.console_keys(console) == {"ssh-ed25519": ED25519}


def test_the_last_whole_block_counts() -> None:
    console = block(f"ssh-ed25519 {OTHER} a") + block(f"ssh-ed25519 {ED25519} b") + block(f"ssh-ed25519 {OTHER} c")[:60]
    assert access.console_keys(console) == {"ssh-ed25519": ED25519}


@pytest.mark.parametrize(
    "console",
    [
        "",
        "login: ",
        block(),
        block("ssh-ed25519 AAAA root@lab"),
        block(f"ssh-ed25519 {ED25519[:-12]}\nkernel: something"),
        block(f"ssh-rsa {ED25519} not what it says"),
        block(f"ssh-ed25519 {ED25519}")[:-20],
    ],
)
def test_what_is_no_key_is_not_taken_for_one(console: str) -> None:
    # A key that is torn in the middle is as long as it says, but for its end: ssh-keygen is the judge of that one.
    found = access.console_keys(console)
    assert found == {} or found == {"ssh-ed25519": ED25519[:-12]}


def test_known_hosts_is_read_back() -> None:
    keys = {"id-0": {"ssh-ed25519": ED25519, "ecdsa-sha2-nistp256": ECDSA}, "id-1": {"ssh-ed25519": OTHER}}
    text = access.known_hosts_text([W0, CP0], keys)
    assert text.splitlines()[1].startswith("lab-cp0,10.77.0.10,172.31.250.20 ecdsa-sha2-nistp256 ")
    assert text.splitlines()[-1] == f"lab-w0,10.77.0.11 ssh-ed25519 {OTHER} id-1"
    assert access.known_keys(text) == keys
    assert access.known_keys("@revoked * ssh-rsa A id\n# a comment of four\n\nhost ssh-rsa A\n") == {}


def learn(server: object, console: str, known: dict[str, str]) -> dict[str, str]:
    return access.learn(server, lambda _: console, known, "known_hosts", time.monotonic() - 1)


def test_first_contact_takes_the_console_at_its_word() -> None:
    assert learn(W0, block(f"ssh-ed25519 {ED25519}"), {}) == {"ssh-ed25519": ED25519}


def test_a_known_server_needs_no_console() -> None:
    assert learn(W0, "scrolled away", {"ssh-ed25519": ED25519}) == {"ssh-ed25519": ED25519}


def test_a_changed_key_of_the_same_server_names_it() -> None:
    with pytest.raises(access.AccessError, match=r"lab-w0 \(id-1\) shows another host key \(ssh-ed25519\)"):
        learn(W0, block(f"ssh-ed25519 {OTHER}"), {"ssh-ed25519": ED25519})


def test_a_console_without_keys_is_an_error_in_the_end() -> None:
    with pytest.raises(access.AccessError, match=r"console of lab-w0 .* shows no ssh host keys"):
        learn(W0, "nothing", {})


# --- ssh ----------------------------------------------------------------------------------------------------------
def test_ssh_reads_the_configuration_as_it_is_meant(tmp_path: Path) -> None:
    path = tmp_path / "ssh_config"
    path.write_text(access.ssh_config_text([W0, CP0], "rocky", "/keys/id", "/keys/known hosts"))

    def option(host: str, name: str) -> str:
        shown = subprocess.run(["ssh", "-G", "-F", str(path), host], capture_output=True, text=True, check=True).stdout
        return dict(line.partition(" ")[::2] for line in shown.splitlines()).get(name, "")

    for host in ("lab-w0", "10.77.0.11"):
        assert (option(host, "hostname"), option(host, "proxyjump")) == ("10.77.0.11", "lab-cp0")
    for host in ("lab-cp0", "10.77.0.10", "172.31.250.20"):
        assert (option(host, "hostname"), option(host, "proxyjump")) == ("172.31.250.20", "")
    assert option("lab-cp0", "stricthostkeychecking") in ("yes", "true")
    assert option("lab-w0", "user") == "rocky"
    assert option("lab-w0", "userknownhostsfile") == "/keys/known hosts"


def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, status: int) -> None:
    program = tmp_path / "ssh"
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit {status}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def test_login_waits_for_nothing_when_it_is_let_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ssh(tmp_path, monkeypatch, "", 0)
    access.login(W0, "ssh_config", time.monotonic() - 1)


def test_another_key_stops_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ssh(tmp_path, monkeypatch, "Host key verification failed.", 255)
    with pytest.raises(access.AccessError, match=r"lab-w0 \(id-1\), or the way to it, answers with another host key"):
        access.login(W0, "ssh_config", time.monotonic() + 60)


def test_a_closed_door_is_named_with_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ssh(tmp_path, monkeypatch, "Connection timed out", 255)
    with pytest.raises(
        access.AccessError, match=r"lab-w0 \(10.77.0.11 through lab-cp0\) lets nobody in: Connection timed"
    ):
        access.login(W0, "ssh_config", time.monotonic() - 1)


# --- the whole ----------------------------------------------------------------------------------------------------
def test_all_that_is_wrong_is_said_at_once() -> None:
    def work(server: object) -> None:
        raise access.AccessError(f"wrong with {server.name}")  # type: ignore[attr-defined]

    with pytest.raises(access.AccessError, match="wrong with lab-cp0\nwrong with lab-w0"):
        access.all_of(work, [CP0, W0])


def test_servers_that_the_inventory_lacks_are_named() -> None:
    running = SimpleNamespace(name="lab-cp0", id="id-0", status="ACTIVE", fault=None)
    broken = SimpleNamespace(name="lab-w0", id="id-1", status="ERROR", fault={"message": "no valid host"})
    access.complete([running], [CP0], "lab")
    with pytest.raises(access.AccessError, match=r"lab-w0 \(id-1\) is ERROR: no valid host"):
        access.complete([running, broken], [CP0], "lab")


def test_files_are_for_their_owner_and_written_only_when_they_differ(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    assert access.write(path, "a\n")
    assert not access.write(path, "a\n")
    assert access.write(path, "b\n")
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
