"""The rules that role firewall writes: the same ports as the security groups, each to those who may reach it."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest
import yaml

ROLE = Path("ansible/roles/firewall")
Open = set[tuple[str, str]]


@pytest.fixture(scope="module")
def zones(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Open]:
    """Node → (source, port) that its rules open, for a site of a control plane and a worker."""
    site = tmp_path_factory.mktemp("site")
    (site / "terraform.tfvars").write_text(
        'network_cidr = "10.20.0.0/24"\nadmin_cidrs = ["192.0.2.0/25"]\nuser_cidrs = ["198.51.100.0/24"]\n'
    )
    nodes = {"controlplane": {"hosts": {"cp0": {}}}, "worker": {"hosts": {"cp0": {}, "w0": {}}}}
    (site / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": nodes}}))
    template = {
        "src": str(repo / ROLE / "templates/zones/facility.xml.j2"),
        "dest": f"{site}/{{{{ inventory_hostname }}}}",
    }
    play = {
        "hosts": "all",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "vars_files": [str(repo / ROLE / name / "main.yml") for name in ("defaults", "vars")],
        "tasks": [{"ansible.builtin.template": template}],
    }
    (site / "play.yml").write_text(yaml.safe_dump([play]))
    command = [Path(sys.executable).parent / "ansible-playbook", "-i", site / "hosts.yml", site / "play.yml"]
    run = subprocess.run(command, cwd=repo, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return {node: opened(site / node) for node in ("cp0", "w0")}


def opened(path: Path) -> Open:
    result = set()
    for rule in xml.parse(path).getroot().findall("rule"):
        source, port = rule.find("source"), rule.find("port")
        assert source is not None, "a rule without a source opens a port to everybody"
        assert port is not None
        result.add((source.attrib["address"], f"{port.attrib['port']}/{port.attrib['protocol']}"))
    return result


def test_administrators_and_users_reach_their_ports_alone(zones: dict[str, Open]) -> None:
    outside = {node: {item for item in rules if item[0] != "10.20.0.0/24"} for node, rules in zones.items()}
    assert outside["w0"] == {("192.0.2.0/25", "22/tcp")}
    assert outside["cp0"] == outside["w0"] | {("192.0.2.0/25", "6443/tcp"), ("198.51.100.0/24", "443/tcp")}


def test_nodes_reach_the_ports_that_security_groups_open_among_them(repo: Path, zones: dict[str, Open]) -> None:
    text = (repo / "terraform/security.tf").read_text()
    rules = re.findall(r'(\S+)\s+= \{ protocol = "(\w+)", from = (\d+), to = (\d+) \}', text)
    assert len(rules) > 5
    # what kube-proxy forwards is no port of the node's own
    ports = {
        f"{first}/{protocol}" if first == last else f"{first}-{last}/{protocol}"
        for name, protocol, first, last in rules
        if not name.startswith("nodeport")
    }
    for opened_here in zones.values():
        assert {port for source, port in opened_here if source == "10.20.0.0/24"} == ports
