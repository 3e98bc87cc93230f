"""`terraform/tf` from the first order to the last destroy, on a double of OpenStack's APIs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openstack_double
import pytest

REPO = Path(__file__).resolve().parents[2]
PLAN = ["plan", "-no-color", "-input=false", "-detailed-exitcode"]
APPLY = ["apply", "-no-color", "-input=false", "-auto-approve"]
ORDER = """\
facility         = "test"
cloud            = "double"
external_network = "public"
network_cidr     = "10.20.0.0/24"
admin_cidrs      = ["192.0.2.0/24"]
"""
NODES = {
    "cp0": 'groups = ["controlplane", "etcd", "worker"], flavor = "medium"',
    "w0": 'groups = ["worker"], flavor = "large", data_volume_gib = 30',
}


class Checkout:
    """A checkout with the site `test`, whose cloud is the double."""

    def __init__(self, folder: Path, cloud: openstack_double.Cloud) -> None:
        self.folder, self.cloud = folder, cloud
        self.state = folder / ".facility" / "test" / "terraform.tfstate"

    def order(self, nodes: Mapping[str, str], more: str = 'image = "rocky"\n') -> None:
        lines = "".join(f"  {name} = {{ {node} }}\n" for name, node in nodes.items())
        path = self.folder / "inventory" / "test" / "terraform.tfvars"
        path.write_text(f"{ORDER}{more}nodes = {{\n{lines}}}\n")

    def tf(self, *command: str, status: int = 0) -> str:
        done = subprocess.run([self.folder / "terraform" / "tf", "test", *command], capture_output=True, text=True)
        text = done.stdout + done.stderr
        assert done.returncode == status, text[-4000:]
        return text

    def changes(self, *options: str) -> dict[str, list[str]]:
        """What a plan would do, by address; where nothing happens is left out."""
        self.tf("plan", "-input=false", "-out=changes.tfplan", *options)
        shown = json.loads(self.tf("show", "-json", "changes.tfplan"))
        found = {each["address"]: each["change"]["actions"] for each in shown["resource_changes"]}
        return {address: actions for address, actions in found.items() if actions not in (["no-op"], ["read"])}

    def made(self) -> set[str]:
        """Kinds of what there is in the project, beside what was there before."""
        before = {"flavors": len(openstack_double.state.FLAVORS), "networks": 1, "images": 1}
        return {kind for kind, all_ in self.cloud.resources.items() if len(all_) > before.get(kind, 0)}


@pytest.fixture
def checkout(tmp_path: Path, provider: Mapping[str, str]) -> Iterator[Checkout]:
    runtime = tmp_path / ".facility" / "test"
    runtime.mkdir(parents=True)
    (tmp_path / "inventory" / "test").mkdir(parents=True)
    shutil.copytree(REPO / "terraform", tmp_path / "terraform")
    (tmp_path / ".venv").symlink_to(REPO / ".venv")
    shutil.copy(provider["TF_CLI_CONFIG_FILE"], runtime / "terraformrc")
    with openstack_double.running(runtime / "clouds.yaml") as cloud:
        yield Checkout(tmp_path, cloud)


# --- refused before anything is made ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("limits", "nodes", "words"),
    [
        # The order alone is too large: Terraform says so itself.
        ({"cores": 9}, NODES, ["cores: 10 asked, 9 allowed", "In use in the project now: cores 8 of 9."]),
        ({"volumes": 1, "gigabytes": 49}, NODES, ["volumes: 2 asked, 1 allowed", "GiB: 50 asked, 49 allowed"]),
        # It would fit, were there not the server of somebody else.
        (
            {"cores": 17, "ram": 36000, "instances": 2},
            NODES,
            [
                "instances: 1 used, 2 more asked, 2 allowed",
                "cores: 8 used, 10 more asked, 17 allowed",
                "RAM in MiB: 16384 used, 20480 more asked, 36000 allowed",
                "nothing was changed",
            ],
        ),
        ({"port": 4}, NODES, ["ports: 1 used, 4 more asked, 4 allowed"]),
        ({}, NODES | {"w0": 'groups = ["worker"], flavor = "huge"'}, ["no flavor of that name. It has small (1 vCPUs"]),
        (
            {},
            NODES | {"w0": 'groups = ["worker"], flavor = "large", image = "r"'},
            ["no image of that name. It has rocky"],
        ),
        (
            {},
            NODES | {"cp0": 'groups = ["controlplane", "etcd"], flavor = "small"'},
            ["flavor of node cp0 is small (1 vCPUs, 1024 MiB)", "at least 2 vCPUs and 2000 MiB"],
        ),
    ],
)
def test_refused_with_numbers_and_names(
    checkout: Checkout, limits: dict[str, int], nodes: dict[str, str], words: list[str]
) -> None:
    cloud = checkout.cloud
    cloud.limits |= limits
    port = cloud.add("ports", network_id=cloud.external["id"], fixed_ips=[], device_id="", device_owner="")
    large = next(each["id"] for each in cloud.of("flavors").values() if each["name"] == "large")
    cloud.add("servers", name="of somebody else", flavor={"id": large}, metadata={})
    checkout.order(nodes)
    done = subprocess.run([checkout.folder / "terraform" / "tf", "test", *APPLY], capture_output=True, text=True)
    text = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0, text[-2000:]
    for word in words:
        assert word in text
    # What is not the matter is not told.
    for kind in ("flavor", "image"):
        assert (f"no {kind} of that name" in text) == any(kind in word and "of that name" in word for word in words)
    assert [call for call in cloud.calls if not call.startswith("GET") and "tokens" not in call] == []
    assert list(cloud.of("ports")) == [port["id"]]


@pytest.mark.parametrize(
    ("url", "sha256"),
    [
        ("file:///etc/hostname", "0" * 64),
        ("https://images.example.org/x", "../x"),
        ("https://images.example.org/x", "A" * 64),
    ],
)
def test_an_image_from_nowhere_is_refused(checkout: Checkout, url: str, sha256: str) -> None:
    checkout.order(NODES, f'image = "mine"\nimage_upload = {{ url = "{url}", sha256 = "{sha256}" }}\n')
    text = checkout.tf(*APPLY, status=2)
    assert url in text
    assert sha256 in text
    assert "Correct it there" in text


@pytest.fixture
def download(tmp_path: Path) -> Iterator[tuple[str, bytes]]:
    """An address where there is an image, and what is in it."""
    content = bytes(range(256)) * 5000
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "rocky.qcow2").write_bytes(content)
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/rocky.qcow2", content
        server.shutdown()
        thread.join()


def test_an_image_with_another_sum_is_not_uploaded(checkout: Checkout, download: tuple[str, bytes]) -> None:
    url, content = download
    checkout.order(NODES, f'image = "mine"\nimage_upload = {{ url = "{url}", sha256 = "{"0" * 64}" }}\n')
    text = checkout.tf(*APPLY, status=2)
    assert f"{url} has the sha256 {hashlib.sha256(content).hexdigest()}" in text
    assert list((checkout.state.parent / "images").iterdir()) == []
    assert checkout.cloud.calls == []
    checkout.order(NODES, f'image = "mine"\nimage_upload = {{ url = "{url}x", sha256 = "{"0" * 64}" }}\n')
    assert "cannot be fetched: HTTP Error 404" in checkout.tf(*APPLY, status=2)


# --- the sites that are shipped -----------------------------------------------------------------------------------
def ship(checkout: Checkout, name: str) -> str:
    """The site's order in place of the test's, and its image in the cloud; returns the order."""
    checkout.cloud.add_image(name="rocky-8")
    text = (REPO / "inventory" / name / "terraform.tfvars").read_text()
    (checkout.folder / "inventory" / "test" / "terraform.tfvars").write_text(text)
    return text


@pytest.mark.parametrize(("name", "servers", "cores"), [("napoli-2vm", 2, 24), ("napoli-5plus1", 6, 192)])
def test_a_shipped_site_can_be_planned(checkout: Checkout, name: str, servers: int, cores: int) -> None:
    ship(checkout, name)
    checkout.tf("plan", "-input=false", "-out=shipped.tfplan")
    planned = json.loads(checkout.tf("show", "-json", "shipped.tfplan"))["planned_values"]["outputs"]
    quota = planned["quota"]["value"]
    asked = [quota[what]["asked"] for what in ("instances", "cores", "RAM in MiB")]
    assert asked == [servers, cores, servers * 65536]


@pytest.mark.long
def test_napoli_grows_as_its_comment_says(checkout: Checkout) -> None:
    text = ship(checkout, "napoli-2vm")
    beginnings = dict(re.findall(r"^#   (\w+) += \{ (.*) \}$", text, re.M))
    assert sorted(beginnings) == ["cp0", "w0"]
    small = text
    for name, node in beginnings.items():
        small = re.sub(rf"^  {name} +=.*$", f"  {name} = {{ {node} }}", small, flags=re.M)
    path = checkout.folder / "inventory" / "test" / "terraform.tfvars"
    path.write_text(small)
    checkout.tf(*APPLY)
    assert checkout.cloud.used()["cores"] == 8
    path.write_text(text)
    servers = ['openstack_compute_instance_v2.node["cp0"]', 'openstack_compute_instance_v2.node["w0"]']
    assert checkout.changes() == {address: ["update"] for address in servers}


# --- a facility's life --------------------------------------------------------------------------------------------
def without_indices(state: dict[str, Any]) -> dict[str, Any]:
    """The state as it was before networks, groups and the key pair could be the site's."""
    for resource in state["resources"]:
        for instance in resource["instances"]:
            if instance.get("index_key") == 0:
                del instance["index_key"]
    return {**state, "serial": state["serial"] + 1}


@pytest.mark.long
def test_from_the_first_order_to_the_last_destroy(checkout: Checkout) -> None:
    cloud = checkout.cloud
    checkout.order(NODES)
    checkout.tf(*APPLY)
    assert cloud.names("servers") == {"test-cp0", "test-w0"}
    assert "No changes" in checkout.tf(*PLAN)

    # A facility that an earlier version made is not made anew.
    state = json.loads(checkout.state.read_text())
    checkout.state.write_text(json.dumps(without_indices(state)))
    assert checkout.changes() == {}
    checkout.tf(*APPLY)
    assert "No changes" in checkout.tf(*PLAN)

    # A newer upload under the image's name concerns nobody who is there.
    newest = cloud.add_image(name="rocky", created_at="2026-02-01T00:00:00Z")["id"]
    assert "No changes" in checkout.tf(*PLAN)

    # One node more: that node alone.
    more = NODES | {"w1": 'groups = ["worker"], flavor = "medium", volumes = { scratch = 5 }'}
    checkout.order(more)
    changes = checkout.changes()
    assert set(map(tuple, changes.values())) == {("create",)}
    assert all('["w1"]' in address or '["w1/scratch"]' in address for address in changes), changes
    servers = set(cloud.of("servers"))
    checkout.tf(*APPLY)
    assert set(cloud.of("servers")) > servers

    # Another flavor, larger volumes and a volume more: in place.
    grown = more | {"w0": 'groups = ["worker"], flavor = "medium", data_volume_gib = 40, volumes = { cache = 3 }'}
    checkout.order(grown)
    assert checkout.changes() == {
        'openstack_compute_instance_v2.node["w0"]': ["update"],
        'openstack_blockstorage_volume_v3.data["w0"]': ["update"],
        'openstack_blockstorage_volume_v3.further["w0/cache"]': ["create"],
        'openstack_compute_volume_attach_v2.further["w0/cache"]': ["create"],
    }
    servers = set(cloud.of("servers"))
    checkout.tf(*APPLY)
    assert set(cloud.of("servers")) == servers
    assert "No changes" in checkout.tf(*PLAN)

    # A node that is built anew, from the newest image, gets its address and its volumes back.
    volumes, ports = set(cloud.of("volumes")), set(cloud.of("ports"))
    checkout.tf(*APPLY, '-replace=openstack_compute_instance_v2.node["w0"]')
    (fresh,) = set(cloud.of("servers")) - servers
    assert cloud.of("servers")[fresh]["image"] == {"id": newest}
    assert (set(cloud.of("volumes")), set(cloud.of("ports"))) == (volumes, ports)
    assert all(volume["status"] == "in-use" for volume in cloud.of("volumes").values())

    # One node less: that node alone.
    checkout.order({name: node for name, node in grown.items() if name != "w1"})
    changes = checkout.changes()
    assert set(map(tuple, changes.values())) == {("delete",)}
    assert all('["w1"]' in address or '["w1/scratch"]' in address for address in changes), changes
    checkout.tf(*APPLY)
    assert cloud.names("servers") == {"test-cp0", "test-w0"}

    checkout.tf("destroy", "-no-color", "-auto-approve")
    assert checkout.made() == {"images"}


@pytest.mark.long
def test_what_a_killed_apply_left_is_taken_in(checkout: Checkout, download: tuple[str, bytes]) -> None:
    cloud, (url, content) = checkout.cloud, download
    checkout.order(
        NODES | {"w0": f"{NODES['w0']}, volumes = {{ scratch = 5 }}"},
        f'image = "mine"\nimage_upload = {{ url = "{url}", sha256 = "{hashlib.sha256(content).hexdigest()}" }}\n',
    )
    command = [str(checkout.folder / "terraform" / "tf"), "test", *APPLY]
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, start_new_session=True)
    # The provider waits for some seconds at each of these, before Terraform writes it down.
    while not (cloud.of("subnets") and cloud.of("volumes") and cloud.of("security-group-rules")):
        assert killed.poll() is None
        time.sleep(0.1)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    left = {kind: set(all_) for kind, all_ in cloud.resources.items()}
    text = checkout.tf(*APPLY)
    assert "The last run did not end by itself" in text
    assert "openstack_networking_subnet_v2.nodes[0]" in text
    assert "Left over" not in text
    # Nothing of it was made a second time.
    made = {kind: len(cloud.of(kind)) for kind in ("networks", "subnets", "volumes", "images")}
    assert made == {"networks": 2, "subnets": 1, "volumes": 3, "images": 2}
    assert all(set(cloud.of(kind)) >= all_ for kind, all_ in left.items())
    assert "No changes" in checkout.tf(*PLAN)


@pytest.mark.long
def test_what_was_brought_stays_when_the_facility_goes(checkout: Checkout, download: tuple[str, bytes]) -> None:
    cloud, (url, content) = checkout.cloud, download
    campus = cloud.add("networks", name="campus", **{"router:external": False})
    pool = [{"start": "10.20.0.2", "end": "10.20.0.254"}]
    cloud.add(
        "subnets",
        name="campus-a", network_id=campus["id"], cidr="10.20.0.0/24", ip_version=4, gateway_ip="10.20.0.1",
        enable_dhcp=True, allocation_pools=pool, host_routes=[], dns_nameservers=[],
    )  # fmt: skip
    for name in ("inside", "outside"):
        cloud.add("security-groups", name=name, security_group_rules=[])
    checkout.order(NODES)
    checkout.tf("validate")  # makes the site's key
    cloud.add("keypairs", id="mine", name="mine", public_key=(checkout.state.parent / "id_ed25519.pub").read_text())
    before = {kind: set(all_) for kind, all_ in cloud.resources.items()}
    checkout.order(
        NODES | {"w0": 'groups = ["worker"], flavor = "large", boot_volume_gib = 12'},
        f"""
image        = "mine"
image_upload = {{ url = "{url}", sha256 = "{hashlib.sha256(content).hexdigest()}" }}
existing = {{
  network = "campus", subnet = "campus-a", keypair = "mine",
  security_groups = {{ node = "inside", controlplane = "outside" }}
}}
""",
    )
    checkout.tf(*APPLY)
    fresh = {kind for kind, all_ in cloud.resources.items() if set(all_) - before.get(kind, set())}
    assert fresh == {"servers", "volumes", "ports", "floatingips", "images", "server groups"}
    image = next(each for each in cloud.of("images").values() if each["name"] == "mine")
    assert (image["status"], image["size"]) == ("active", len(content))
    boots = {
        each["name"]: [disk["volume_size"] for disk in each["boots_from"]] for each in cloud.of("servers").values()
    }
    assert boots == {"test-cp0": [], "test-w0": [12]}
    assert {each["key_name"] for each in cloud.of("servers").values()} == {"mine"}
    assert "No changes" in checkout.tf(*PLAN)
    checkout.tf("destroy", "-no-color", "-auto-approve")
    assert {kind: set(all_) for kind, all_ in cloud.resources.items() if all_} == before
