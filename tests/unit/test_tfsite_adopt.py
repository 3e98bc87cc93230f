"""After an apply that was killed: what it left in the cloud, by Terraform's names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tfsite import adopt, lock, root, site

KEY = "ssh-ed25519 AAAA somebody"


class Listing:
    """Answers every list of resources with the ones given for it, else with none."""

    def __init__(self, **resources: Iterable[dict[str, Any]]) -> None:
        self._resources = resources

    def __getattr__(self, name: str) -> Any:
        return lambda **_: [SimpleNamespace(**{"description": "", **each}) for each in self._resources.get(name, ())]


def cloud(**resources: Iterable[dict[str, Any]]) -> Any:
    return SimpleNamespace(
        network=Listing(**resources),
        compute=Listing(**resources),
        block_storage=Listing(**resources),
        image=Listing(**resources),
    )


def found(**resources: Iterable[dict[str, Any]]) -> dict[str, str]:
    return {each.address: each.id for each in adopt.listing(cloud(**resources), "lab", KEY)}


def test_only_what_is_marked_is_ours() -> None:
    networks = [
        {"id": "1", "name": "lab", "description": "facility lab"},
        {"id": "2", "name": "lab", "description": "my lab"},
        {"id": "3", "name": "lab", "description": "facility labe"},
        {"id": "4", "name": "lab", "description": None},
    ]
    assert found(networks=networks) == {"openstack_networking_network_v2.nodes[0]": "1"}


def test_a_key_pair_is_ours_when_the_key_is() -> None:
    assert found(keypairs=[{"name": "lab", "public_key": "ssh-ed25519 AAAA\n"}]) != {}
    assert found(keypairs=[{"name": "lab", "public_key": "ssh-ed25519 BBBB"}]) == {}


def test_nodes_with_what_belongs_to_them() -> None:
    assert found(
        ports=[{"id": "p", "name": "lab-w0", "description": "facility lab"}],
        servers=[{"id": "s", "name": "lab-w0"}],
        volumes=[
            {"id": "v", "name": "lab-w0-data", "metadata": {"facility": "lab"}, "attachments": [{"server_id": "s"}]},
            {"id": "x", "name": "lab-w0-data", "metadata": {}, "attachments": []},
            {
                "id": "y",
                "name": "lab-w0-scratch",
                "metadata": {"facility": "lab", "node": "w0", "volume": "scratch"},
                "attachments": [{"server_id": "s"}],
            },
        ],
        ips=[{"id": "f", "description": "facility lab: lab-cp0"}],
        server_groups=[
            {"id": "g", "name": "lab", "member_ids": ["s"]},
            {"id": "h", "name": "lab", "member_ids": ["another's"]},
        ],
    ) == {
        'openstack_networking_port_v2.node["w0"]': "p",
        'openstack_compute_instance_v2.node["w0"]': "s",
        'openstack_blockstorage_volume_v3.data["w0"]': "v",
        'openstack_compute_volume_attach_v2.data["w0"]': "s/v",
        'openstack_blockstorage_volume_v3.further["w0/scratch"]': "y",
        'openstack_compute_volume_attach_v2.further["w0/scratch"]': "s/y",
        'openstack_networking_floatingip_v2.controlplane["cp0"]': "f",
        "openstack_compute_servergroup_v2.nodes": "g",
    }


def test_images_that_were_uploaded_for_the_facility() -> None:
    images = [
        {"id": "1", "properties": {"facility": "lab", "facility_sha256": "00ff"}},
        {"id": "2", "properties": {"facility": "other", "facility_sha256": "00ff"}},
        {"id": "3", "properties": {}},
    ]
    assert found(images=images) == {'openstack_images_image_v2.upload["00ff"]': "1"}


@pytest.mark.parametrize(
    ("description", "group", "address"),
    [
        ("ssh from 192.0.2.0/24", "node", 'ssh["192.0.2.0/24"]'),
        ("etcd between nodes", "node", 'between_nodes["etcd"]'),
        ("icmp between nodes", "node", "icmp_between_nodes[0]"),
        ("api from 192.0.2.0/24", "controlplane", 'public["api from 192.0.2.0/24"]'),
        ("", "node", None),
        ("", "controlplane", None),
    ],
)
def test_rules_by_their_description(description: str, group: str, address: str | None) -> None:
    expected = address and f"openstack_networking_secgroup_rule_v2.{address}"
    assert adopt.rule_address(description, group) == expected


STATE = {
    "resources": [
        {
            "mode": "managed",
            "type": "openstack_networking_port_v2",
            "name": "node",
            "instances": [{"index_key": "w0", "attributes": {"id": "p"}}],
        },
        {"mode": "data", "type": "x", "name": "y", "instances": [{"attributes": {"id": "d"}}]},
    ]
}


def test_what_the_state_has_is_left_alone_and_what_is_there_twice_is_told() -> None:
    known = adopt.Found('openstack_networking_port_v2.node["w0"]', "p")
    twice = adopt.Found('openstack_networking_port_v2.node["w0"]', "p2")
    new = adopt.Found('openstack_networking_port_v2.node["w1"]', "p3")
    assert adopt.missing([known, twice, new], STATE) == ([new], [twice])


def test_only_a_run_that_was_killed_is_looked_after(tmp_path: Path) -> None:
    (tmp_path / "inventory" / "lab").mkdir(parents=True)
    (tmp_path / "inventory" / "lab" / "terraform.tfvars").touch()
    ours = site.find("lab", tmp_path)
    root.prepare(ours)
    networks = [{"id": "1", "name": "lab", "description": "facility lab"}]
    taken: list[str] = []

    def run(each: adopt.Found) -> bool:
        taken.append(each.id)
        return len(taken) > 1

    assert adopt.take_in(ours, cloud(networks=networks), "lab", KEY, run) == []
    assert taken == []
    lock.info_file(ours).touch()
    adopt.mark(ours)
    lock.info_file(ours).unlink()
    # What could not be taken in is told, and tried again.
    assert adopt.take_in(ours, cloud(networks=networks), "lab", KEY, run) == ["openstack_networking_network_v2 1"]
    assert adopt.take_in(ours, cloud(networks=networks), "lab", KEY, run) == []
    assert not adopt.marker(ours).exists()
    assert adopt.take_in(ours, cloud(networks=networks), "lab", KEY, run) == []
    assert taken == ["1", "1"]
