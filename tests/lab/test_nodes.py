"""The state of each node, looked at from inside over the same inventory."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import testinfra
from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import Site

pytestmark = pytest.mark.lab

FIRST = "cp0"


@pytest.fixture(params=[FIRST, "w0"])
def key(request: pytest.FixtureRequest) -> str:
    """The node's name in terraform.tfvars."""
    return request.param


@pytest.fixture
def host(site: Site, key: str) -> Host:
    config = str(site.runtime / "ssh_config")
    return testinfra.get_host(f"ssh://{site.name}-{key}", ssh_config=config, sudo=True)


@pytest.fixture
def facility(site: Site) -> dict[str, Any]:
    return json.loads((site.runtime / "facility.json").read_text())


def test_the_node_is_taken_for_rocky(site: Site, host: Host) -> None:
    release = {"rocky-8": "8.6", "rocky-9": "9.7"}[site.ordered["image"]]
    assert (host.system_info.distribution, host.system_info.release) == ("rocky", release)


@pytest.mark.parametrize("service", ["containerd", "docker", "kubelet"])
def test_services_run_and_start_with_the_node(host: Host, service: str) -> None:
    assert host.service(service).is_running
    assert host.service(service).is_enabled


def test_versions_are_those_of_the_profile(site: Site, host: Host, facility: dict[str, Any]) -> None:
    version = facility["versions"]
    assert version["kubernetes"] == site.profile["kubernetes_version"]
    assert version["docker"] == site.profile["docker_version"]
    assert host.check_output("/usr/local/bin/kubelet --version") == f"Kubernetes v{version['kubernetes']}"
    assert host.check_output("docker version --format '{{.Server.Version}}'").split("+")[0] == version["docker"]
    assert version["containerd"] in host.check_output("/usr/local/bin/ctr version")


def test_packages_came_through_dnf(host: Host) -> None:
    for package in ("conntrack-tools", "ethtool", "iptables", "socat"):
        assert host.run(f"rpm -q {package}").rc == 0


def test_docker_and_kubernetes_share_one_containerd(host: Host) -> None:
    assert host.check_output("docker info --format '{{.CgroupDriver}}'") == "systemd"
    assert len(host.process.filter(comm="containerd")) == 1
    assert "k8s.io" in host.check_output("/usr/local/bin/ctr namespaces list -q").split()


def test_containerd_runs_with_the_settings_of_the_role(site: Site, host: Host) -> None:
    """As it understood them itself: a key that it does not know it passes over."""
    settings = host.check_output("/usr/local/bin/containerd config dump")
    assert re.search(
        rf"(?m)^\s*sandbox(_image)? = ['\"]{re.escape(site.profile['docker_sandbox_image'])}['\"]$", settings
    )
    for line in ("SystemdCgroup = true", "restrict_oom_score_adj = true", "disable_apparmor = true"):
        assert re.search(rf"(?m)^\s*{line}$", settings), line
    assert re.search(r"(?m)^\s*config_path = ['\"]/etc/containerd/certs.d['\"]$", settings)


def test_the_kernel_forwards_between_pods(host: Host) -> None:
    assert host.sysctl("net.ipv4.ip_forward") == 1
    assert host.sysctl("net.bridge.bridge-nf-call-iptables") == 1
    assert "overlay" in host.file("/proc/filesystems").content_string


def test_guests_do_not_take_each_others_watches_of_files(host: Host) -> None:
    assert host.sysctl("fs.inotify.max_user_instances") >= 1024


def test_data_lives_on_the_volume(host: Host) -> None:
    volume = host.check_output("stat -c %t:%T /dev/vdb")
    for path in ("/data", "/var/lib/containerd", "/var/lib/docker", "/var/lib/kubelet"):
        assert host.check_output(f"stat -c %Hd:%Ld {path}") == ":".join(str(int(n, 16)) for n in volume.split(":")), (
            path
        )
    assert host.check_output("ls /data/containerd/io.containerd.metadata.v1.bolt") == "meta.db"
    assert host.service("facility-data").is_enabled


def test_kubelet_has_name_servers_without_a_loop(site: Site, host: Host) -> None:
    config = host.file("/var/lib/kubelet/config.yaml").content_string
    assert "resolvConf: /etc/facility/resolv.conf" in config
    servers = re.findall(r"nameserver (\S+)", host.file("/etc/facility/resolv.conf").content_string)
    assert servers == site.ordered["dns_nameservers"]


def test_secrets_are_for_root_alone(host: Host, key: str) -> None:
    assert not host.file("/run/facility-join.yaml").exists
    for path in ("/etc/kubernetes/kubelet.conf", *(["/etc/kubernetes/admin.conf"] if key == FIRST else [])):
        assert host.file(path).mode == 0o600


def test_the_analysis_image_and_the_folder_for_data_sets_are_there(host: Host, facility: dict[str, Any]) -> None:
    assert facility["analysis_image"] in host.check_output("/usr/local/bin/ctr -n k8s.io images list -q")
    folder = host.file("/var/lib/facility/datasets")
    assert folder.is_directory
    assert (folder.user, folder.mode) == ("root", 0o755)
