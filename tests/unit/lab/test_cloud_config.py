"""Settings, configuration files and what `lab up` refuses before it changes anything."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest
import yaml
from lab.cloud import config
from lab.errors import LabError
from lab.preflight import Listener

from lab import addresses, lock, preflight, processes, settings

LAB = settings.Settings()
PASSWORDS = config.new_passwords()


# --- settings ----------------------------------------------------------------------------------------------------
def test_settings_come_from_the_environment():
    got = settings.from_environment(
        environ={
            "LAB_NAME": "two",
            "LAB_PORT_BASE": "10000",
            "LAB_EXTERNAL_CIDR": "172.31.9.0/24",
            "LAB_QUOTAS": "cores=4",
        }
    )
    assert (got.name, got.port("keystone"), got.mirror, got.quotas["cores"]) == ("two", 15000, "172.31.9.2", 4)
    assert not got.serves_mirror


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LAB_NAME", "Lab"),
        ("LAB_NAME", "muchtoolong"),
        ("LAB_PORT_BASE", "-1"),
        ("LAB_PORT_BASE", "high"),
        ("LAB_EXTERNAL_CIDR", "172.31.250.7/24"),
        ("LAB_EXTERNAL_CIDR", "172.31.250.0/30"),
        ("LAB_QUOTAS", "coers=4"),
        ("LAB_QUOTAS", "cores=many"),
    ],
)
def test_wrong_settings_are_named(variable: str, value: str):
    with pytest.raises(LabError, match=variable):
        settings.from_environment(environ={variable: value})


def test_settings_are_the_same_after_a_restart(tmp_path: Path):
    settings.save(LAB, tmp_path)
    assert settings.load(tmp_path) == LAB
    assert (tmp_path / "settings.json").stat().st_mode & 0o077 == 0


def test_unknown_hypervisors_are_refused():
    with pytest.raises(LabError, match="--hypervisors kvm"):
        settings.from_environment("kvm", environ={})


# --- configuration -----------------------------------------------------------------------------------------------
def files(which: settings.Settings = LAB) -> dict[str, configparser.ConfigParser]:
    parsed = {}
    for name, text in config.files(which, PASSWORDS, Path("/state"), Path("/venv")).items():
        parsed[name] = configparser.ConfigParser(interpolation=None)
        parsed[name].read_string(text)
    return parsed


def test_every_service_has_a_file_and_a_password_of_its_own():
    parsed = files()
    assert {name.split("/")[0] for name in parsed} == set(config.SERVICES)
    assert len(set(PASSWORDS.values())) == len(config.USERS)
    assert parsed["nova/nova.conf"]["keystone_authtoken"]["password"] == PASSWORDS["nova"]


def test_services_talk_over_loopback_only():
    for name, text in config.files(LAB, PASSWORDS, Path("/state"), Path("/venv")).items():
        for line in text.splitlines():
            if "://" in line and "http" in line:
                assert "http://127.0.0.1:" in line, f"{name}: {line}"


def test_hypervisors_choose_the_driver():
    fake = settings.Settings(hypervisors="fake")
    assert files()["nova/nova.conf"]["DEFAULT"]["compute_driver"] == "lab.DockerDriver"
    assert files(fake)["nova/nova.conf"]["DEFAULT"]["compute_driver"] == "lab.FakeNode"


def test_clouds_yaml_names_the_member_and_the_administrator():
    clouds = yaml.safe_load(config.clouds_yaml(LAB, PASSWORDS))["clouds"]
    assert set(clouds) == {"lab", "lab-inside", "lab-admin"}
    assert clouds["lab"]["auth"]["project_name"] == "lab"
    assert clouds["lab"]["auth"]["password"] != clouds["lab-admin"]["auth"]["password"]


def test_guests_are_the_same_member_at_another_address():
    clouds = yaml.safe_load(config.clouds_yaml(LAB, PASSWORDS))["clouds"]
    outside, inside = clouds["lab"], clouds["lab-inside"]
    assert inside["auth"].pop("auth_url") == "http://172.31.250.3:5000/v3"
    assert outside["auth"].pop("auth_url") == "http://127.0.0.1:5000/v3"
    assert (outside.pop("region_name"), inside.pop("region_name")) == ("RegionOne", "inside")
    assert inside == outside


def test_terraform_takes_the_provider_from_the_mirror_alone():
    text = config.terraformrc(Path("/cache/mirror"))
    assert 'path    = "/cache/mirror"' in text
    assert text.count("registry.terraform.io/terraform-provider-openstack/openstack") == 2
    assert text.count("registry.opentofu.org/terraform-provider-openstack/openstack") == 2
    assert "exclude" in text


# --- what is refused ---------------------------------------------------------------------------------------------
def test_not_root_is_refused():
    with pytest.raises(LabError, match="root"):
        preflight.root(1000)
    preflight.root(0)


def test_too_little_memory_says_how_much():
    with pytest.raises(LabError, match=r"2\.0 GiB are available, 6 GiB are needed"):
        preflight.memory("MemTotal: 9 kB\nMemAvailable: 2097152 kB\n", 6)
    preflight.memory("MemAvailable: 8388608 kB\n", 6)


def test_too_little_disk_says_how_much_and_where(tmp_path: Path):
    with pytest.raises(LabError, match=r"3\.5 GiB are free for caches .*15 GiB are needed"):
        preflight.disk([("state", tmp_path, 99), ("caches", tmp_path, 3.5)], 15)


def test_taken_port_names_the_process():
    with pytest.raises(LabError, match=r"Port 9696, which neutron needs, is taken by squatter \(process 42\)"):
        preflight.ports(LAB, [Listener(9696, 42, "squatter")], ours=[])


def test_the_lab_own_services_may_listen():
    preflight.ports(LAB, [Listener(9696, 42, "lab-neutron")], ours=[42])


@pytest.mark.parametrize(
    ("network", "what"),
    [("172.31.0.0/16", "Docker's network x"), ("172.31.250.128/25", "a route by eth1")],
)
def test_external_network_must_be_free(network: str, what: str):
    with pytest.raises(LabError, match=what):
        preflight.external_network(LAB, [(what, network), ("another", "192.0.2.0/24")])


@pytest.mark.parametrize("cidr", ["10.244.9.0/24", "10.100.0.0/24"])
def test_external_network_must_not_be_kubernetes(cidr: str):
    with pytest.raises(LabError, match="Kubernetes"):
        preflight.external_network(settings.Settings(external_cidr=cidr), [])


def test_listeners_elsewhere_are_in_nobody_way():
    table = (
        "  sl  local_address rem_address   st tx rx tr tm retr uid timeout inode\n"
        "   0: 0100007F:1388 00000000:0000 0A 0 0 0 0 0 111 1\n"
        "   1: 02FA1FAC:1388 00000000:0000 0A 0 0 0 0 0 222 1\n"
        "   2: 00000000:0016 00000000:0000 0A 0 0 0 0 0 333 1\n"
        "   3: 0100007F:25E0 00000000:0000 01 0 0 0 0 0 444 1\n"
    )
    assert preflight.sockets([table]) == {"111": 5000, "333": 22}


def test_routes_of_the_lab_itself_and_the_default_do_not_count():
    listing = '[{"dst":"default"},{"dst":"172.31.250.0/24","dev":"lo"},{"dst":"10.0.0.0/8","dev":"tun0"}]'
    assert preflight.routes(listing, "172.31.250.0/24") == [("a route by tun0", "10.0.0.0/8")]


def test_addresses_of_different_versions_never_overlap():
    assert not addresses.overlap("10.0.0.0/8", "fd00::/8")
    assert addresses.overlap("10.0.0.0/8", "10.1.2.3")


# --- one at a time, and whose processes ---------------------------------------------------------------------------
def test_second_command_is_told_who_is_at_work(tmp_path: Path):
    with (
        lock.exclusive(tmp_path, "lab up"),
        pytest.raises(LabError, match=r"`lab up` \(process \d+\)"),
        lock.exclusive(tmp_path, "lab down"),
    ):
        pass
    with lock.exclusive(tmp_path, "lab down"):
        pass


def test_processes_are_the_lab_by_program_and_argument():
    state, environment = Path("/state/lab"), Path("/checkout/.venv-lab")
    python = "/checkout/.venv-lab/bin/python"

    def ours(line: str) -> bool:
        return processes.belongs(line.split(), state, environment)

    assert ours(f"{python} -m lab.cloud.serve /state/lab/etc/nova abc")
    assert ours(f"setpriv --pdeathsig=KILL {python} -m x --config-file /state/lab/etc/nova/nova.conf")
    assert not ours(f"{python} -m lab.cloud.serve /state/lab2/etc/nova abc")
    assert not ours("less /state/lab/log/nova.log")
    assert not ours("dockerd --pidfile=/state/lab/dockerd.own.pid")


def test_arguments_rewritten_as_one_are_taken_apart():
    assert processes.arguments(b"python -m serve /etc/x\0\0\0") == ("python", "-m", "serve", "/etc/x")
    assert processes.arguments(b"python\0-m\0serve\0") == ("python", "-m", "serve")


def test_process_is_ended_even_when_it_does_not_listen(tmp_path: Path):
    import subprocess
    import sys

    deaf = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
    assert child.stdout
    child.stdout.readline()
    ticks = processes.start_ticks(child.pid)
    assert ticks
    processes.TERM_S, before = 0.3, processes.TERM_S
    try:
        processes.end([processes.Process(child.pid, ticks, ())])
    finally:
        processes.TERM_S = before
    assert child.wait(5) != 0
