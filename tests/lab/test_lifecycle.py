"""up, down, reset, and what they make good, on a second lab beside the first: its own name, ports, addresses, state."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openstack
import pytest

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(900)]

NAME, PORT_BASE, EXTERNAL, TENANT = "labtest", 20000, "172.31.249.0/24", "10.176.15.0/24"


class Lab:
    """The second lab's command line."""

    def __init__(self, repo: Path, home: Path) -> None:
        self.repo, self.home = repo, home
        self.state = home / "facility-testbed" / NAME
        self.clouds = repo / ".facility" / NAME / "clouds.yaml"
        self.env = {
            **os.environ,
            "LAB_NAME": NAME,
            "LAB_PORT_BASE": str(PORT_BASE),
            "LAB_EXTERNAL_CIDR": EXTERNAL,
            "XDG_STATE_HOME": str(home),
        }

    def argv(self, *arguments: str) -> list[str]:
        return [str(self.repo / ".venv-lab/bin/lab"), *arguments]

    def __call__(self, *arguments: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        run = subprocess.run(
            self.argv(*arguments), env={**self.env, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert not check or run.returncode == 0, run.stdout
        return run

    def connect(self, cloud: str = NAME) -> Any:
        config = openstack.config.OpenStackConfig(config_files=[str(self.clouds)])
        return openstack.connection.Connection(config=config.get_one(cloud))

    def processes(self) -> list[int]:
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if f"{self.state}/" in line and ".venv-lab" in line:
                found.append(int(entry.parent.name))
        return found

    def service(self, name: str) -> int | None:
        for pid in self.processes():
            line = Path(f"/proc/{pid}/cmdline").read_text()
            if "lab.cloud.serve" in line and f"{self.state}/etc/{name}" in line:
                return pid
        return None


def output(*argv: str) -> list[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()


def on_the_machine(lab: Lab) -> list[str]:
    """Everything of the second lab that can be seen from outside."""
    seen = [f"process {pid}" for pid in lab.processes()]
    seen += output("docker", "ps", "-aq", "--filter", f"label=lab={NAME}")
    seen += output("docker", "network", "ls", "-q", "--filter", f"label=lab={NAME}")
    commands = (
        ("nft", "list", "tables"),
        ("iptables-save",),
        ("ip", "route", "show", "table", "all"),
        ("ip", "-oneline", "link"),
        ("losetup", "--list", "--noheadings", "--output", "BACK-FILE"),
    )
    marks = (NAME, EXTERNAL, TENANT, str(lab.state))
    seen += [line for command in commands for line in output(*command) if any(mark in line for mark in marks)]
    return seen


@pytest.fixture(scope="module")
def second(lab: dict[str, str], repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A second lab; the first one is up, so Docker Engine stays when this one goes."""
    beside = Lab(repo, tmp_path_factory.mktemp("state"))
    yield beside
    beside("down", "--purge")
    shutil.rmtree(beside.clouds.parent, ignore_errors=True)


@pytest.fixture
def up(second: Lab) -> Lab:
    second("up")
    return second


def make_server(cloud: Any, name: str) -> Any:
    network = cloud.network.find_network(NAME)
    if network is None:
        network = cloud.network.create_network(name=NAME)
        cloud.network.create_subnet(network_id=network.id, name=NAME, ip_version=4, cidr=TENANT)
    server = cloud.compute.create_server(
        name=name,
        image_id=cloud.image.find_image("rocky-8").id,
        flavor_id=cloud.compute.find_flavor("c1.r1").id,
        networks=[{"uuid": network.id}],
    )
    try:
        return cloud.compute.wait_for_server(server, interval=0.3, wait=60)
    except openstack.exceptions.ResourceFailure:
        pytest.fail(f"{name}: {cloud.compute.get_server(server).fault}")


def container_of(server: Any) -> str:
    (found,) = output("docker", "ps", "-aq", "--filter", f"label=lab.uuid={server.id}")
    return found


# --- killed -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("after_s", [0.5, 3, 8, 14, 20])
def test_first_start_killed_at_any_moment_is_repaired(second: Lab, after_s: float):
    second("down", "--purge")
    with subprocess.Popen(
        second.argv("up"), env=second.env, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    ) as run:
        time.sleep(after_s)
        run.send_signal(signal.SIGKILL)
    second("up")
    assert make_server(second.connect(), "after").status == "ACTIVE"


def test_services_killed_while_they_start_are_started_again(second: Lab):
    second("down")
    killed = threading.Event()

    def kill() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if pid := second.service("nova"):
                os.kill(pid, signal.SIGKILL)
                killed.set()
                return
            time.sleep(0.05)

    thread = threading.Thread(target=kill)
    thread.start()
    first = second("up", check=False)
    thread.join()
    assert killed.is_set()
    assert first.returncode == 1, first.stdout
    assert "nova ended" in first.stdout
    second("up")
    assert list(second.connect().compute.servers()) == []


def test_guests_live_through_the_end_of_all_services(up: Lab):
    cloud = up.connect()
    server = make_server(cloud, "survivor")
    volume = cloud.block_storage.create_volume(name="data", size=1)
    cloud.block_storage.wait_for_status(volume, "available", interval=0.3, wait=30)
    cloud.compute.create_volume_attachment(server, volume_id=volume.id)
    deadline = time.monotonic() + 30
    while cloud.block_storage.get_volume(volume.id).status != "in-use":
        assert time.monotonic() < deadline
        time.sleep(0.3)
    container = container_of(server)
    started = output("docker", "inspect", "--format", "{{.State.StartedAt}}", container)
    for pid in up.processes():
        os.kill(pid, signal.SIGKILL)
    up("up")
    assert up.connect().compute.get_server(server).status == "ACTIVE"
    assert output("docker", "inspect", "--format", "{{.State.StartedAt}}", container) == started
    assert "yes" in output("docker", "exec", container, "sh", "-c", "test -b /dev/vdb && echo yes")


def test_machine_that_was_started_anew_gets_its_guests_and_volumes_back(up: Lab):
    cloud = up.connect()
    server = next(cloud.compute.servers(name="survivor"))
    container = container_of(server)
    for pid in up.processes():
        os.kill(pid, signal.SIGKILL)
    # what a start of the machine leaves: stopped guests, no loop devices, no rules, no routes
    output("docker", "stop", "--time", "2", container)
    for line in output("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE"):
        if str(up.state) in line:
            output("losetup", "--detach", line.split()[0])
    output("nft", "delete", "table", "inet", NAME)
    output("ip", "route", "del", "local", EXTERNAL, "dev", "lo")
    # what the end of the checkout that made the lab leaves, when another one goes on
    paste = up.state / "etc/nova/api-paste.ini"
    paste.unlink()
    paste.symlink_to("/nonexistent/api-paste.ini")
    up("up")
    assert cloud.compute.get_server(server).status == "ACTIVE"
    assert output("docker", "inspect", "--format", "{{.State.Running}}", container) == ["true"]
    assert "1073741824" in output("docker", "exec", container, "blockdev", "--getsize64", "/dev/vdb")
    assert f"table inet {NAME}" in output("nft", "list", "tables")


def test_guest_that_somebody_removed_is_shown_as_lost(up: Lab):
    cloud = up.connect()
    server = make_server(cloud, "lost")
    output("docker", "rm", "-f", container_of(server))
    for pid in up.processes():
        os.kill(pid, signal.SIGKILL)
    up("up")
    assert cloud.compute.get_server(server).status == "ERROR"
    cloud.compute.delete_server(server)
    cloud.compute.wait_for_delete(server, interval=0.3, wait=60)


def test_guest_that_no_server_stands_for_is_removed(up: Lab):
    stray = output(
        *("docker", "create", "--label", f"lab={NAME}", "--label", "lab.uuid=none", "facility-guest:rocky-8", "true")
    )[0]
    for pid in up.processes():
        os.kill(pid, signal.SIGKILL)
    up("up")
    assert stray not in output("docker", "ps", "-aq", "--no-trunc")


# --- typed again --------------------------------------------------------------------------------------------------
def test_up_again_changes_nothing(up: Lab):
    before = sorted(up.processes())
    assert "All services run" in up("up").stdout
    assert sorted(up.processes()) == before


def test_two_commands_at_once_are_not_mixed(up: Lab):
    for pid in up.processes():
        os.kill(pid, signal.SIGKILL)
    with subprocess.Popen(up.argv("up"), env=up.env, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT) as first:
        time.sleep(1.5)
        refused = up("up", check=False)
        assert first.wait() == 0
    assert refused.returncode == 1
    assert f"`lab up` (process {first.pid})" in refused.stdout


def test_reset_is_fast_and_leaves_no_server(up: Lab):
    make_server(up.connect(), "gone")
    started = time.monotonic()
    up("reset")
    assert time.monotonic() - started < 60
    cloud = up.connect()
    assert list(cloud.compute.servers()) == []
    assert list(cloud.block_storage.volumes()) == []
    assert cloud.image.find_image("rocky-8")
    assert output("docker", "ps", "-aq", "--filter", f"label=lab={NAME}") == []


def test_state_of_another_version_is_made_anew(up: Lab):
    marker = up.state / "cloud/complete.json"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "format": 0}))
    assert "made for another version or other settings (format)" in up("up").stdout
    assert make_server(up.connect(), "new").status == "ACTIVE"


def test_data_of_long_ago_give_a_cloud_with_hosts(second: Lab):
    """The scheduler wants hosts that were heard from within a minute, and seeded data keep the hour of the seed."""
    second("down")
    with sqlite3.connect(second.state / "template/db/nova.sqlite") as nova:
        nova.execute("update services set created_at = '2020-01-01 00:00:00'")
    nova.close()
    second("up")
    assert make_server(second.connect(), "at-once").status == "ACTIVE"


def test_secrets_are_for_their_owner_only(up: Lab):
    assert up.state.stat().st_mode & 0o077 == 0
    for path in [up.clouds, up.state / "passwords.json", *(up.state / "etc").rglob("*.conf")]:
        assert path.stat().st_mode & 0o077 == 0, path
    passwords = json.loads((up.state / "passwords.json").read_text()).values()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_text(errors="replace")
        except OSError:
            continue
        assert not any(password in line for password in passwords)


# --- refused and taken away ---------------------------------------------------------------------------------------
def test_taken_port_is_named_with_its_process(second: Lab):
    second("down")
    with socket.create_server(("127.0.0.1", PORT_BASE + 9696)):
        run = second("up", check=False)
    assert run.returncode == 1
    assert f"Port {PORT_BASE + 9696}, which neutron needs, is taken by" in run.stdout
    assert f"(process {os.getpid()})" in run.stdout
    assert on_the_machine(second) == []


def test_external_network_of_docker_is_refused(second: Lab):
    (subnet,) = output("docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Subnet}}")
    run = second("up", check=False, LAB_EXTERNAL_CIDR=subnet)
    assert run.returncode == 1
    assert f"{subnet} overlaps" in run.stdout
    assert on_the_machine(second) == []


def test_down_leaves_nothing(up: Lab):
    make_server(up.connect(), "guest")
    assert on_the_machine(up)
    up("down")
    assert on_the_machine(up) == []
    assert not up.clouds.exists()
    assert up("status", check=False).returncode == 1
    up("down")


def test_down_takes_along_the_mirror_that_was_asked_for(up: Lab):
    def serving() -> list[str]:
        return [line for line in output("ps", "-ww", "-eo", "args") if f"{up.state}/mirror" in line]

    up("artifacts", "--only", "pause")
    assert len(serving()) == 3
    up("down")
    assert serving() == []


def test_fake_hypervisors_hold_the_largest_facility(second: Lab):
    second("down")
    second("up", "--hypervisors", "fake")
    cloud = second.connect()
    network = cloud.network.create_network(name=NAME)
    cloud.network.create_subnet(network_id=network.id, name=NAME, ip_version=4, cidr=TENANT)
    for name, flavor in [("cp", "c12.r64"), *((f"w{number}", "c32.r64") for number in range(5))]:
        cloud.compute.create_server(
            name=name,
            image_id=cloud.image.find_image("rocky-8").id,
            flavor_id=cloud.compute.find_flavor(flavor).id,
            networks=[{"uuid": network.id}],
        )
    for server in cloud.compute.servers():
        assert cloud.compute.wait_for_server(server, interval=0.3, wait=60).status == "ACTIVE"
    refused = second("up", check=False)
    assert refused.returncode == 1
    assert "--hypervisors fake" in refused.stdout
    second("down")
    assert on_the_machine(second) == []
