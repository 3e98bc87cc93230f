"""Terraform against the lab: what is refused before anything is made, by the lab's real quota and catalogue."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab

SITE = "order"
ORDER = """\
facility         = "order"
cloud            = "lab"
external_network = "{external}"
network_cidr     = "{cidr}"
reserved_cidrs   = {{ external = "172.31.250.0/24" }}
admin_cidrs      = ["172.31.250.0/24"]
image            = "{image}"

nodes = {{
  cp0 = {{ groups = ["controlplane", "etcd"], flavor = "{cp0}" }}
  w0  = {{ groups = ["worker"], flavor = "{w0}", data_volume_gib = {volume} }}
}}
"""
SOUND = {
    "external": "public", "cidr": "10.79.0.0/24", "image": "rocky-8", "cp0": "c2.r4", "w0": "c1.r2", "volume": "1",
}  # fmt: skip

Ordered = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ordered(lab: Mapping[str, str], repo: Path, facility_dir: Path) -> Iterator[Ordered]:
    """Runs `terraform/tf` for a second site on the lab, with a sound order but for what is given."""
    inventory, runtime = repo / "inventory" / SITE, repo / ".facility" / SITE
    for folder in (inventory, runtime):
        # A run that was killed may have left its own.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
    for name in ("clouds.yaml", "terraformrc"):
        shutil.copy(facility_dir / name, runtime / name)

    def run(*command: str, **values: str) -> subprocess.CompletedProcess[str]:
        (inventory / "terraform.tfvars").write_text(ORDER.format(**(SOUND | values)))
        return subprocess.run(
            ["terraform/tf", SITE, *command], cwd=repo, env=dict(lab), capture_output=True, text=True
        )  # fmt: skip

    try:
        yield run
    finally:
        left = runtime / "terraform.tfstate"
        if left.is_file() and json.loads(left.read_text()).get("resources"):
            run("destroy", "-auto-approve")
        shutil.rmtree(inventory)
        shutil.rmtree(runtime)


def resources(repo: Path) -> list[str]:
    """What the second site's state holds of the cloud."""
    path = repo / ".facility" / SITE / "terraform.tfstate"
    if not path.is_file():
        return []
    return [each["type"] for each in json.loads(path.read_text())["resources"] if each["mode"] == "managed"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"w0": "c9.r9"}, ["c9.r9", "The cloud has no flavor of that name. It has", "c2.r4 (2 vCPUs, 4096 MiB)"]),
        ({"image": "rocky-7"}, ["rocky-7", "The cloud has no image of that name. It has rocky-8"]),
        ({"external": "privat"}, ["data.openstack_networking_network_v2.external"]),
        ({"cp0": "c1.r2"}, ["flavor of node cp0 is c1.r2 (1 vCPUs, 2048 MiB)", "at least 2 vCPUs and 2000 MiB"]),
        ({"cidr": "172.31.250.128/25"}, ["network_cidr 172.31.250.128/25", "172.31.250.0/24"]),
        # More than is allowed at all, and more than is allowed beside what the facility `lab` uses.
        (
            {"cp0": "c32.r64", "w0": "c12.r64"},
            ["cores: 44 asked, 40 allowed", "RAM in MiB: 131072 asked, 81920 allowed"],
        ),
        ({"cp0": "c12.r64", "w0": "c4.r8"}, ["RAM in MiB:", "used, 73728 more asked, 81920 allowed"]),
        ({"volume": "100000"}, ["GiB: 100020 asked"]),
    ],
)
def test_refused_before_anything_is_made(
    ordered: Ordered, repo: Path, values: dict[str, str], words: list[str]
) -> None:
    done = ordered("apply", "-auto-approve", "-no-color", **values)
    text = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0, text
    for word in words:
        assert word in text
    assert "Creating..." not in text
    assert resources(repo) == []


def test_the_state_of_the_standing_facility_is_refused_to_another(
    ordered: Ordered, repo: Path, facility_dir: Path
) -> None:
    shutil.copy(facility_dir / "terraform.tfstate", repo / ".facility" / SITE / "terraform.tfstate")
    try:
        done = ordered("plan", "-no-color")
        assert done.returncode == 2
        assert "state of facility 'lab', but facility is 'order'" in done.stderr
    finally:
        (repo / ".facility" / SITE / "terraform.tfstate").unlink()


def test_every_terraform_sees_no_change(lab: Mapping[str, str], repo: Path) -> None:
    for program in ("terraform", "tofu", "wheel"):
        if program == "wheel" or shutil.which(program):
            done = subprocess.run(
                ["terraform/tf", "lab", "plan", "-detailed-exitcode", "-no-color", "-input=false"],
                cwd=repo, env={**lab, "FACILITY_TERRAFORM": program}, capture_output=True, text=True,
            )  # fmt: skip
            assert done.returncode == 0, program + done.stdout + done.stderr


def test_inventory_holds_the_facility_alone(lab: Mapping[str, str], repo: Path) -> None:
    listed = json.loads(output(["ansible-inventory", "-i", "inventory/lab/openstack.yml", "--list"], repo, lab))
    groups = {name: sorted(group.get("hosts", [])) for name, group in listed.items() if name != "_meta"}
    assert groups["controlplane"] == groups["etcd"] == ["lab-cp0"]
    assert groups["worker"] == ["lab-cp0", "lab-w0"]
    # text that came from the cloud is marked so in this listing
    host = {
        name: value.get("__ansible_unsafe", value) if isinstance(value, dict) else value
        for name, value in listed["_meta"]["hostvars"]["lab-w0"].items()
    }
    assert (host["flavor"], host["vcpus"], host["memory_mib"], host["floating_ip"]) == ("c2.r6", 2, 6144, "")
    assert host["fixed_ip"].startswith("10.77.0.")


def test_an_inventory_that_cannot_be_read_is_an_error(lab: Mapping[str, str], repo: Path, tmp_path: Path) -> None:
    broken = tmp_path / "openstack.yml"
    broken.write_text(
        (repo / "inventory/lab/openstack.yml").read_text().replace("only_clouds: [lab]", "only_clouds: [bal]")
    )
    done = subprocess.run(
        ["ansible-playbook", "-i", str(broken), "playbooks/access.yml"],
        cwd=repo, env=dict(lab), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0
    assert "bal" in done.stdout + done.stderr


def test_ssh_by_name_reaches_a_node_without_an_address_outside(lab: Mapping[str, str], repo: Path) -> None:
    ssh = ["ssh", "-o", "BatchMode=yes", "-F", ".facility/lab/ssh_config", "lab-w0", "hostname"]
    assert output(ssh, repo, lab).strip() == "lab-w0"


def test_access_changes_nothing_the_second_time(lab: Mapping[str, str], repo: Path) -> None:
    text = output(["ansible-playbook", "-i", "inventory/lab/openstack.yml", "playbooks/access.yml"], repo, lab)
    assert "changed=0" in text


def test_another_host_key_stops_naming_the_node(lab: Mapping[str, str], repo: Path, facility_dir: Path) -> None:
    known_hosts = facility_dir / "known_hosts"
    before = known_hosts.read_text()
    lines = before.splitlines(keepends=True)
    ours = [line for line in lines if line.startswith("lab-w0,") and " ssh-ed25519 " in line]
    other = [line for line in lines if line.startswith("lab-cp0,") and " ssh-ed25519 " in line]
    assert len(ours) == len(other) == 1
    known_hosts.write_text(before.replace(ours[0].split()[2], other[0].split()[2]))
    try:
        done = subprocess.run(
            ["ansible-playbook", "-i", "inventory/lab/openstack.yml", "playbooks/access.yml"],
            cwd=repo, env=dict(lab), capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode != 0
        assert "lab-w0" in done.stdout
        assert "another host key (ssh-ed25519)" in " ".join(done.stdout.split())
    finally:
        known_hosts.write_text(before)


def output(command: list[str], cwd: Path, env: Mapping[str, str]) -> str:
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
