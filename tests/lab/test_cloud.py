"""The embedded cloud as its users see it, and its guests from inside: flavors, networks, volumes, restarts."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openstack
import pytest

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

NAME = "cloudtest"
CIDR, GATEWAY = "10.176.14.0/24", "10.176.14.1"
BEGIN, END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"


def wait_for(what: str, true: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline, f"no {what} within {seconds:.0f} s"
        time.sleep(0.5)
    return value


@dataclass
class Guest:
    """A server of these tests with its floating IP, reached by ssh with the host keys of its console log."""

    cloud: Any
    server: Any
    flavor: str
    fixed: str
    floating: str
    folder: Path

    def console(self) -> str:
        return self.cloud.compute.get_server_console_output(self.server)["output"]

    def host_keys(self) -> list[str]:
        text = wait_for("host keys on the console", lambda: END in (text := self.console()) and text)
        block = text[text.index(BEGIN) + len(BEGIN) : text.index(END)]
        return [" ".join(line.split()[:2]) for line in block.splitlines() if line.strip()]

    def ssh(self, command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        known = self.folder / f"known_hosts-{self.server.name}"
        if not known.exists():
            known.write_text("".join(f"{self.floating} {key}\n" for key in self.host_keys()))
        options = ["ConnectTimeout=5", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={known}", "BatchMode=yes"]
        arguments = ["-i", str(self.folder / "key"), *(f"-o{option}" for option in options)]
        argv = ["ssh", *arguments, f"rocky@{self.floating}", command]
        return subprocess.run(argv, capture_output=True, text=True, check=check, timeout=60)

    def says(self, command: str) -> str:
        return self.ssh(command).stdout.strip()

    def answers(self) -> bool:
        return self.ssh("true", check=False).returncode == 0

    def opens(self, address: str, port: int) -> bool:
        """Whether a TCP connection from this guest comes about."""
        return self.ssh(f"timeout 3 bash -c '</dev/tcp/{address}/{port}'", check=False).returncode == 0


def opens(address: str, port: int) -> bool:
    """Whether a TCP connection from this machine comes about."""
    return (
        subprocess.run(["timeout", "3", "bash", "-c", f"</dev/tcp/{address}/{port}"], capture_output=True).returncode
        == 0
    )


@pytest.fixture(scope="module")
def cloud(lab: dict[str, str]) -> Any:
    return openstack.config.OpenStackConfig(config_files=[lab["OS_CLIENT_CONFIG_FILE"]]).get_one("lab")


@pytest.fixture(scope="module")
def connection(cloud: Any) -> Iterator[Any]:
    found = openstack.connection.Connection(config=cloud)
    remove_all(found)
    yield found
    remove_all(found)


def remove_all(cloud: Any) -> None:
    """Whatever these tests, or an interrupted run of them, made."""
    ours = [server for server in cloud.compute.servers() if server.name.startswith(NAME)]
    ports = [port for server in ours for port in cloud.network.ports(device_id=server.id)]
    for address in cloud.network.ips():
        if address.description == NAME or address.port_id in {port.id for port in ports}:
            cloud.network.delete_ip(address)
    for server in ours:
        cloud.compute.delete_server(server)
    for server in ours:
        cloud.compute.wait_for_delete(server, interval=0.3, wait=60)
    for volume in cloud.block_storage.volumes():
        if volume.name == NAME:
            wait_for("free volume", lambda v=volume: cloud.block_storage.get_volume(v).status != "in-use")
            cloud.block_storage.delete_volume(volume)
            cloud.block_storage.wait_for_delete(volume, interval=0.3, wait=60)
    if router := cloud.network.find_router(NAME):
        for port in cloud.network.ports(device_id=router.id, device_owner="network:router_interface"):
            cloud.network.remove_interface_from_router(router, port_id=port.id)
        cloud.network.delete_router(router)
    for network in [network for network in cloud.network.networks() if network.name.startswith(NAME)]:
        cloud.network.delete_network(network)
    if group := cloud.network.find_security_group(NAME):
        cloud.network.delete_security_group(group)
    if cloud.compute.find_keypair(NAME):
        cloud.compute.delete_keypair(NAME)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cloud")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path / "key")], check=True)
    return path


@pytest.fixture(scope="module")
def network(connection: Any) -> Any:
    made = connection.network.create_network(name=NAME)
    subnet = connection.network.create_subnet(
        network_id=made.id, name=NAME, ip_version=4, cidr=CIDR, dns_nameservers=[GATEWAY]
    )
    public = connection.network.find_network("public")
    router = connection.network.create_router(name=NAME, external_gateway_info={"network_id": public.id})
    connection.network.add_interface_to_router(router, subnet_id=subnet.id)
    return made


@pytest.fixture(scope="module")
def group(connection: Any) -> Any:
    """ssh from the external network, everything among the members."""
    made = connection.network.create_security_group(name=NAME)
    external = connection.network.find_subnet("public").cidr
    rules = [
        {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": external},
        {"remote_group_id": made.id},
    ]
    for rule in rules:
        connection.network.create_security_group_rule(security_group_id=made.id, direction="ingress", **rule)
    return made


@pytest.fixture(scope="module")
def guests(connection: Any, network: Any, group: Any, folder: Path) -> dict[str, Guest]:
    connection.compute.create_keypair(name=NAME, public_key=(folder / "key.pub").read_text())
    image = connection.image.find_image("rocky-8")
    public = connection.network.find_network("public")
    result = {}
    for flavor, groups in (("c1.r1", [NAME]), ("c2.r4", [NAME]), ("c1.r2", ["default"])):
        server = connection.compute.create_server(
            name=f"{NAME}-{flavor.replace('.', '-')}",
            image_id=image.id,
            flavor_id=connection.compute.find_flavor(flavor).id,
            key_name=NAME,
            networks=[{"uuid": network.id}],
            security_groups=[{"name": name} for name in groups],
        )
        server = connection.compute.wait_for_server(server, interval=0.3, wait=60)
        (port,) = connection.network.ports(device_id=server.id)
        address = connection.network.create_ip(floating_network_id=public.id, port_id=port.id, description=NAME)
        result[flavor] = Guest(
            connection, server, flavor, port.fixed_ips[0]["ip_address"], address.floating_ip_address, folder
        )
    for flavor in ("c1.r1", "c2.r4"):
        wait_for(f"ssh to {flavor}", result[flavor].answers)
    return result


# --- what the cloud refuses --------------------------------------------------------------------------------------
# First, while the quota has room for a server that is too large.
def failed_server(connection: Any, network: Any, flavor: str, name: str) -> str:
    """The fault of a server that cannot be built."""
    server = connection.compute.create_server(
        name=f"{NAME}-{name}",
        image_id=connection.image.find_image("rocky-8").id,
        flavor_id=connection.compute.find_flavor(flavor).id,
        networks=[{"uuid": network.id}],
    )
    try:
        server = wait_for(
            "ERROR", lambda: (found := connection.compute.get_server(server)).status == "ERROR" and found, 60
        )
        return server.fault["message"]
    finally:
        connection.compute.delete_server(server)
        connection.compute.wait_for_delete(server, interval=0.3, wait=60)


def test_subnet_that_overlaps_docker_names_both(connection: Any):
    listed = subprocess.run(
        ["docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Subnet}}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    network = connection.network.create_network(name=f"{NAME}-overlap")
    connection.network.create_subnet(network_id=network.id, name=network.name, ip_version=4, cidr=listed)
    fault = failed_server(connection, network, "c1.r1", "overlap")
    assert f"the subnet {listed} overlaps" in fault
    assert "bridge" in fault


def test_flavor_that_no_hypervisor_holds_is_an_error(connection: Any, network: Any):
    assert "No valid host" in failed_server(connection, network, "c32.r64", "huge")


def test_quota_is_refused_by_the_api(connection: Any, network: Any):
    with pytest.raises(openstack.exceptions.HttpException, match="exceeded"):
        connection.compute.create_server(
            name=f"{NAME}-many",
            image_id=connection.image.find_image("rocky-8").id,
            flavor_id=connection.compute.find_flavor("c1.r1").id,
            networks=[{"uuid": network.id}],
            min_count=21,
            max_count=21,
        )


# --- a guest from inside -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(("flavor", "vcpus", "memory_mib"), [("c1.r1", 1, 1024), ("c2.r4", 2, 4096)])
def test_guest_sees_its_flavor(guests: dict[str, Guest], flavor: str, vcpus: int, memory_mib: int):
    guest = guests[flavor]
    assert guest.says("grep -c ^processor /proc/cpuinfo") == str(vcpus)
    assert guest.says("nproc") == str(vcpus)
    assert guest.says("lscpu | sed -n 's/^CPU(s): *//p'") == str(vcpus)
    assert guest.says("ls -d /sys/devices/system/cpu/cpu[0-9]* | wc -l") == str(vcpus)
    assert guest.says("sed -n 's/^MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo") == str(memory_mib * 1024)
    limits = [f"/sys/fs/cgroup/{name}" for name in ("memory/memory.limit_in_bytes", "memory.max")]
    assert guest.says(f"cat {limits[0]} 2>/dev/null || cat {limits[1]}") == str(memory_mib * 2**20)


def test_guest_is_a_machine(guests: dict[str, Guest]):
    guest = guests["c2.r4"]
    assert guest.says("cloud-init status --wait").endswith("done")
    assert guest.says("systemctl is-system-running --wait") == "running"
    assert guest.says("sudo -n id -un") == "root"
    assert guest.says("hostname") == guest.server.name
    assert guest.says("cat /etc/resolv.conf") == f"nameserver {GATEWAY}"
    assert "shared" in guest.says("findmnt -no PROPAGATION /")
    assert guest.says("test -c /dev/kmsg && echo yes") == "yes"
    guest.says("sudo sh -c 'cd /sys/fs/cgroup/cpu 2>/dev/null || cd /sys/fs/cgroup; mkdir -p try && rmdir try'")
    for name in ("containerd", "docker", "kubelet", "etcd"):
        assert guest.says(f"findmnt -no FSTYPE --target /var/lib/{name}") != "overlay"


def test_name_server_that_nobody_runs_is_refused_fast(guests: dict[str, Guest]):
    started = time.monotonic()
    guests["c1.r1"].ssh("for i in 1 2 3 4; do getent hosts name$i.example; done", check=False)
    assert time.monotonic() - started < 4


def test_image_says_that_it_is_not_rocky(connection: Any):
    image = connection.image.find_image("rocky-8")
    assert "NOT Rocky" in connection.image.get_image(image.id).properties["description"]


# --- the way in --------------------------------------------------------------------------------------------------
def test_host_keys_on_the_console_are_the_guest_own(guests: dict[str, Guest]):
    guest = guests["c1.r1"]
    own = guest.says("cut -d' ' -f1,2 /etc/ssh/ssh_host_*_key.pub").splitlines()
    assert sorted(guest.host_keys()) == sorted(own)


def test_host_keys_stay_on_the_console_after_much_output(guests: dict[str, Guest]):
    guest = guests["c1.r1"]
    before = guest.host_keys()
    guest.says("sudo sh -c 'seq 1 200000 > /dev/console; echo the end > /dev/console'")
    wait_for("the end on the console", lambda: "the end" in guest.console())
    assert guest.host_keys() == before


def test_machine_reaches_guests_by_floating_address_only(guests: dict[str, Guest]):
    guest = guests["c1.r1"]
    assert opens(guest.floating, 22)
    assert not opens(guest.fixed, 22)


def test_guests_reach_each_other_by_both_addresses(guests: dict[str, Guest]):
    one, other = guests["c1.r1"], guests["c2.r4"]
    assert one.opens(other.fixed, 22)
    assert one.opens(other.floating, 22)
    wait_for("way from a guest to its own floating address", lambda: one.opens(one.floating, 22), 15)


def test_security_groups_are_enforced(connection: Any, guests: dict[str, Guest], group: Any):
    guest, closed = guests["c1.r1"], guests["c1.r2"]
    # the default group lets in its own members only
    assert not opens(closed.floating, 22)
    assert not guest.opens(closed.fixed, 22)
    guest.says("sudo systemd-run --unit=web python3 -m http.server 8000")
    wait_for("web server", lambda: guest.opens(guest.fixed, 8000), 20)
    assert not opens(guest.floating, 8000)
    rule = connection.network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", protocol="tcp", port_range_min=8000, port_range_max=8000
    )
    wait_for("open port", lambda: opens(guest.floating, 8000), 10)
    connection.network.delete_security_group_rule(rule)
    wait_for("closed port", lambda: not opens(guest.floating, 8000), 10)


def test_guests_do_not_reach_the_machine(guests: dict[str, Guest]):
    guest = guests["c1.r1"]
    for port in (22, 53, 5000, 2375, 6443):
        assert not guest.opens(GATEWAY, port), port


def test_floating_address_without_a_guest_leads_nowhere(connection: Any):
    public = connection.network.find_network("public")
    loose = connection.network.create_ip(floating_network_id=public.id, description=NAME)
    try:
        assert loose.status == "DOWN"
        assert not opens(loose.floating_ip_address, 22)
    finally:
        connection.network.delete_ip(loose)


def test_guests_ask_who_they_are_and_are_told_apart(guests: dict[str, Guest]):
    for guest in (guests["c1.r1"], guests["c2.r4"]):
        told = json.loads(guest.says("curl -sSf http://169.254.169.254/openstack/latest/meta_data.json"))
        assert (told["uuid"], told["name"]) == (guest.server.id, guest.server.name)


def test_guests_reach_the_cloud(guests: dict[str, Guest]):
    guest = guests["c1.r1"]
    assert [port for port in (5000, 8774, 8776) if guest.opens("172.31.250.3", port)] == [5000, 8774, 8776]
    assert not guest.opens("172.31.250.3", 22)


# --- volumes and restarts ----------------------------------------------------------------------------------------
def boot_id(guest: Guest) -> str:
    """What differs after every start; empty while the guest does not answer."""
    return guest.ssh("cat /proc/sys/kernel/random/boot_id", check=False).stdout.strip()


def test_volume_keeps_its_content_over_a_reboot(connection: Any, guests: dict[str, Guest]):
    guest = guests["c2.r4"]
    volume = connection.block_storage.create_volume(name=NAME, size=1)
    volume = connection.block_storage.wait_for_status(volume, "available", interval=0.3, wait=30)
    attachment = connection.compute.create_volume_attachment(guest.server, volume_id=volume.id)
    wait_for("device", lambda: guest.ssh("test -b /dev/vdb", check=False).returncode == 0, 20)
    assert attachment.device == "/dev/vdb"
    assert guest.says("sudo blockdev --getsize64 /dev/vdb") == str(2**30)
    link = f"/dev/disk/by-id/virtio-{volume.id[:20]}"
    assert guest.says(f"readlink -f {link}") == "/dev/vdb"
    guest.says("sudo mkfs.ext4 -q /dev/vdb && sudo mount /dev/vdb /mnt && echo kept | sudo tee /mnt/file && sync")
    first = boot_id(guest)
    guest.ssh("sudo systemctl reboot", check=False)
    wait_for("the guest after its reboot", lambda: boot_id(guest) not in ("", first))
    assert guest.says("sudo mount /dev/vdb /mnt && cat /mnt/file") == "kept"
    assert guest.says(f"readlink -f {link}") == "/dev/vdb"
    second = boot_id(guest)
    connection.compute.reboot_server(guest.server, "HARD")
    wait_for("the guest after Nova's reboot", lambda: boot_id(guest) not in ("", second))
    assert guest.says("sudo mount /dev/vdb /mnt && cat /mnt/file && sudo umount /mnt") == "kept"
    connection.compute.delete_volume_attachment(guest.server, volume.id)
    wait_for("free volume", lambda: connection.block_storage.get_volume(volume.id).status == "available", 30)
    assert guest.ssh(f"test -b /dev/vdb -o -L {link}", check=False).returncode != 0
    loops = subprocess.run(
        ["losetup", "--list", "--noheadings", "--output", "BACK-FILE"], capture_output=True, text=True
    )
    assert volume.id not in loops.stdout


def test_guest_grows_with_its_flavor(connection: Any, guests: dict[str, Guest]):
    guest = guests["c1.r1"]
    connection.compute.resize_server(guest.server, connection.compute.find_flavor("c2.r4"))
    server = connection.compute.wait_for_server(guest.server, status="VERIFY_RESIZE", interval=0.3, wait=60)
    connection.compute.confirm_server_resize(server)
    wait_for("the guest after its resize", guest.answers)
    assert guest.says("nproc") == "2"
    assert guest.says("sed -n 's/^MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo") == str(4096 * 1024)
