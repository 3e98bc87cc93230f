"""Terraform against the lab: what is refused before anything is made, by its real quota and catalogue; and a second
facility beside the standing one, from its first order to its destroy.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openstack
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
{more}

nodes = {{
  cp0 = {{ groups = ["controlplane", "etcd"], flavor = "{cp0}", data_volume_gib = {volume} }}
  w0  = {{ groups = ["worker"], flavor = "{w0}", data_volume_gib = {volume}{volumes} }}
  {node}
}}
"""
SOUND = {
    "external": "public", "cidr": "10.79.0.0/24", "image": "rocky-8", "cp0": "c2.r4", "w0": "c1.r2", "volume": "1",
    "volumes": "", "node": "", "more": "",
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
        ({"volume": "100000"}, ["GiB: 200000 asked"]),
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


# --- a facility beside the standing one ---------------------------------------------------------------------------
@pytest.fixture
def cloud(lab: Mapping[str, str]) -> Any:
    """The lab's cloud, as its member."""
    config = openstack.config.OpenStackConfig(config_files=[lab["OS_CLIENT_CONFIG_FILE"]], load_envvars=False)
    return openstack.connection.Connection(config=config.get_one("lab"))


@pytest.fixture
def changes(ordered: Ordered) -> Callable[..., dict[str, list[str]]]:
    """What an order would change, by address; where nothing happens is left out."""

    def plan(**values: str) -> dict[str, list[str]]:
        done = ordered("plan", "-input=false", "-no-color", "-out=changes.tfplan", **values)
        assert done.returncode == 0, done.stdout + done.stderr
        shown = json.loads(ordered("show", "-json", "changes.tfplan", **values).stdout)
        actions = {each["address"]: each["change"]["actions"] for each in shown["resource_changes"]}
        return {address: found for address, found in actions.items() if found not in (["no-op"], ["read"])}

    return plan


def apply(ordered: Ordered, *options: str, **values: str) -> None:
    """Apply an order, after which a plan is empty."""
    done = ordered("apply", "-auto-approve", "-no-color", *options, **values)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    done = ordered("plan", "-detailed-exitcode", "-no-color", **values)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr


def servers(cloud: Any) -> dict[str, Any]:
    """The second facility's servers by name."""
    return {each.name: each for each in cloud.compute.servers(metadata={"facility": SITE})}


def volumes(cloud: Any) -> dict[str, str]:
    """Ids of the second facility's volumes by name; each has to be in use."""
    found = [each for each in cloud.block_storage.volumes() if each.name.startswith(f"{SITE}-")]
    assert all(each.status == "in-use" for each in found), found
    return {each.name: each.id for each in found}


def left_over(cloud: Any) -> list[str]:
    """What is there of the second facility, by name or description."""
    network, compute = cloud.network, cloud.compute
    listed = {
        "network": network.networks(), "subnet": network.subnets(), "router": network.routers(),
        "port": network.ports(), "floating IP": network.ips(), "security group": network.security_groups(),
        "server": compute.servers(), "key pair": compute.keypairs(), "server group": compute.server_groups(),
        "volume": cloud.block_storage.volumes(), "image": cloud.image.images(visibility="private"),
    }  # fmt: skip
    return [
        f"{kind} {each.name}"
        for kind, all_ in listed.items()
        for each in all_
        if each.name == SITE
        or str(each.name).startswith(f"{SITE}-")
        # Key pairs and server groups have none.
        or f"facility {SITE}" in str(getattr(each, "description", ""))
    ]


def destroy(ordered: Ordered, **values: str) -> None:
    done = ordered("destroy", "-auto-approve", "-no-color", **values)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_facility_is_made_grown_repaired_made_smaller_and_taken_away(
    ordered: Ordered, changes: Callable[..., dict[str, list[str]]], cloud: Any
) -> None:
    apply(ordered)
    first = servers(cloud)
    assert sorted(first) == ["order-cp0", "order-w0"]

    one_more = {"node": 'w1 = { groups = ["worker"], flavor = "c1.r1", data_volume_gib = 1 }'}
    planned = changes(**one_more)
    assert set(map(tuple, planned.values())) == {("create",)}
    assert all('["w1"]' in address for address in planned), planned
    apply(ordered, **one_more)
    assert {name: each.id for name, each in first.items()}.items() <= {
        n: s.id for n, s in servers(cloud).items()
    }.items()

    # Another flavor and a volume more, for a server that stays the same one.
    grown = {**one_more, "w0": "c2.r4", "volumes": ", volumes = { scratch = 1 }"}
    planned = changes(**grown)
    assert planned.pop('openstack_compute_instance_v2.node["w0"]') == ["update"]
    assert set(planned) == {
        'openstack_blockstorage_volume_v3.further["w0/scratch"]',
        'openstack_compute_volume_attach_v2.further["w0/scratch"]',
    }
    apply(ordered, **grown)
    resized = servers(cloud)["order-w0"]
    assert (resized.id, resized.flavor.original_name, resized.status) == (first["order-w0"].id, "c2.r4", "ACTIVE")
    # What Ansible takes for the data volume.
    assert resized.metadata["data_volume"] == volumes(cloud)["order-w0-data"]

    # Built anew: another server with the same address and volumes.
    kept = volumes(cloud)
    apply(ordered, '-replace=openstack_compute_instance_v2.node["w0"]', **grown)
    fresh = servers(cloud)["order-w0"]
    assert fresh.id != resized.id
    assert volumes(cloud) == kept
    addresses = [[each["addr"] for each in server.addresses["order"]] for server in (resized, fresh)]
    assert addresses[0] == addresses[1]

    fewer = {**grown, "node": ""}
    planned = changes(**fewer)
    assert set(map(tuple, planned.values())) == {("delete",)}
    assert all('["w1"]' in address for address in planned), planned
    apply(ordered, **fewer)
    assert sorted(servers(cloud)) == ["order-cp0", "order-w0"]

    destroy(ordered, **fewer)
    assert left_over(cloud) == []


@pytest.fixture
def brought(cloud: Any, repo: Path) -> Iterator[dict[str, str]]:
    """Network, subnet, router and security groups of the site's own; the value is what `existing` says."""
    network = cloud.network.create_network(name="brought")
    subnet = cloud.network.create_subnet(network_id=network.id, name="brought-a", ip_version=4, cidr="10.79.1.0/24")
    outside = cloud.network.find_network("public").id
    router = cloud.network.create_router(name="gate", external_gateway_info={"network_id": outside})
    cloud.network.add_interface_to_router(router, subnet_id=subnet.id)
    groups = [cloud.network.create_security_group(name=name) for name in ("brought-inside", "brought-outside")]
    try:
        yield {"network": "brought", "subnet": "brought-a"}
    finally:
        cloud.network.remove_interface_from_router(router, subnet_id=subnet.id)
        cloud.network.delete_router(router)
        cloud.network.delete_network(network)
        for group in groups:
            cloud.network.delete_security_group(group)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_what_was_brought_is_used_and_stays(
    ordered: Ordered, cloud: Any, brought: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "image").write_bytes(b"The lab's guests come from Docker Engine, not from here.\n")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            sha256 = hashlib.sha256((tmp_path / "image").read_bytes()).hexdigest()
            values = {
                "cidr": "10.79.1.0/24",
                "image": "order-image",
                "more": f"""
existing = {{
  network = "{brought["network"]}", subnet = "{brought["subnet"]}"
  security_groups = {{ node = "brought-inside", controlplane = "brought-outside" }}
}}
image_upload = {{
  url = "http://127.0.0.1:{server.server_port}/image", sha256 = "{sha256}", disk_format = "raw"
  properties = {{ docker_image = "facility-guest:rocky-8" }}
}}
""",
            }
            apply(ordered, **values)
            assert all(list(each.addresses) == ["brought"] for each in servers(cloud).values())
            assert {each.status for each in servers(cloud).values()} == {"ACTIVE"}
            destroy(ordered, **values)
        finally:
            server.shutdown()
            thread.join()
    assert left_over(cloud) == []
    assert cloud.network.find_network("brought")
    assert cloud.network.find_router("gate")


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
