"""`bench validate` against doubles of all who know something: each mismatch is named, with its likely cause."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError, Exit
from bench.facility.burn import Delivered
from bench.facility.checks import Verdict
from bench.facility.cloud import Server
from bench.facility.declared import Order, OrderedNode, read_order
from bench.facility.kube import KubeNode
from bench.facility.site import Facility, InstalledNode
from bench.report.validation import ValidateResult, remarks, validation_table
from bench.terminal import Terminal
from bench.validate import Observers, exit_status, validate

ORDER = Order(
    facility="lab",
    cloud="lab",
    nodes={"cp0": OrderedNode(flavor="c2.r4"), "w0": OrderedNode(flavor="c2.r6")},
    sha256="0" * 64,
)


def joined(name: str) -> KubeNode:
    return KubeNode(name, True, "", True, 2, 1.9, 4 << 30)


def delivered(cores: float) -> Delivered:
    return Delivered(cores, 2, 3.0, 3.0 * cores)


@dataclass
class Site:
    """A site of two nodes on which everything is as it should be, until a test changes it."""

    flavors: Any = field(default_factory=lambda: {"c2.r4": 2, "c2.r6": 2})
    servers: Any = field(
        default_factory=lambda: [Server("lab-cp0", "ACTIVE", 2, "c2.r4"), Server("lab-w0", "ACTIVE", 2, "c2.r6")]
    )
    nodes: Any = field(default_factory=lambda: [joined("lab-cp0"), joined("lab-w0")])
    alone: dict[str, float] = field(default_factory=lambda: {"lab-cp0": 1.9, "lab-w0": 1.98})
    together: dict[str, float] = field(default_factory=lambda: {"lab-cp0": 1.88, "lab-w0": 1.95})
    allow_overcommit: bool = False
    order: Order = ORDER
    burned: dict[str, int] = field(default_factory=dict)

    def observers(self) -> Observers:
        return Observers(
            order=lambda: self.order,
            cloud=lambda _order: _Cloud(self),
            facility=lambda: Facility(
                site="lab",
                facility="lab",
                tfvars_sha256="0" * 64,
                written="2026-11-23T00:00:00Z",
                nodes={name: InstalledNode(groups=frozenset({"worker"})) for name in self.order.by_name()},
                kubeconfig="kubeconfig",
                allow_overcommit=self.allow_overcommit,
            ),
            cluster=lambda _facility: _Cluster(self),
            burner=lambda _facility: _Burner(self),
        )


def told(answer: Any) -> Any:
    if isinstance(answer, BenchError):
        raise answer
    return answer


@dataclass
class _Cloud:
    site: Site

    def flavors(self) -> dict[str, int]:
        return told(self.site.flavors)

    def servers(self, facility: str) -> list[Server]:
        assert facility == "lab"
        return told(self.site.servers)


@dataclass
class _Cluster:
    site: Site

    def nodes(self) -> list[KubeNode]:
        return told(self.site.nodes)


@dataclass
class _Burner:
    site: Site

    def burn(self, cores: Mapping[str, int]) -> tuple[dict[str, Delivered], dict[str, Delivered]]:
        self.site.burned = dict(cores)
        return (
            {name: delivered(self.site.alone[name]) for name in cores},
            {name: delivered(self.site.together[name]) for name in cores},
        )


@pytest.fixture
def look(terminal: Terminal) -> Callable[[Site], ValidateResult]:
    return lambda site: validate("lab", site.observers(), terminal)


Look = Callable[[Site], ValidateResult]


def test_all_as_ordered(look: Look, terminal: Terminal, said: io.StringIO) -> None:
    site = Site()
    result = look(site)
    assert result.verdict is Verdict.OK
    assert exit_status(result) == 0
    assert remarks(result) == []
    assert site.burned == {"lab-cp0": 2, "lab-w0": 2}
    terminal.show(validation_table(result))
    assert "2 (c2.r6)" in said.getvalue()
    assert "1.95" in said.getvalue()
    assert ValidateResult.model_validate_json(result.model_dump_json()) == result


def change_node(site: Site, name: str, **changes: Any) -> None:
    site.nodes = [replace(node, **changes) if node.name == name else node for node in site.nodes]


def not_built(site: Site) -> None:
    site.servers = site.servers[:1]
    site.nodes = site.nodes[:1]


def not_joined(site: Site) -> None:
    site.nodes = site.nodes[:1]


def not_ready(site: Site) -> None:
    change_node(site, "lab-w0", ready=False, reason="NodeStatusUnknown: Kubelet stopped posting node status.")


def cordoned(site: Site) -> None:
    change_node(site, "lab-w0", schedulable=False)


def fewer_cores_joined(site: Site) -> None:
    change_node(site, "lab-w0", capacity_cores=1)


def fewer_cores_built(site: Site) -> None:
    site.servers[1] = Server("lab-w0", "ACTIVE", 1, "c1.r2")


def shut_off(site: Site) -> None:
    site.servers[1] = replace(site.servers[1], status="SHUTOFF")


def extra_server(site: Site) -> None:
    site.servers.append(Server("lab-w0-old", "ACTIVE", 2, "c2.r6"))


def extra_node(site: Site) -> None:
    site.nodes.append(joined("lab-w0-old"))


def extra_both(site: Site) -> None:
    extra_server(site)
    extra_node(site)


def unknown_flavor(site: Site) -> None:
    del site.flavors["c2.r6"]


def fewer_cores_delivered(site: Site) -> None:
    site.alone["lab-w0"] = site.together["lab-w0"] = 1.0


@pytest.mark.parametrize(
    ("break_it", "name", "words"),
    [
        (not_built, "lab-w0", "ordered, not built"),
        (not_joined, "lab-w0", "built, not joined"),
        (not_ready, "lab-w0", "NotReady: NodeStatusUnknown: Kubelet stopped posting"),
        (cordoned, "lab-w0", "cordoned"),
        (fewer_cores_joined, "lab-w0", "joined with 1 cores, fewer than the 2 ordered"),
        (fewer_cores_built, "lab-w0", r"built with 1 cores (flavor c1.r2), ordered with 2 (flavor c2.r6)"),
        (shut_off, "lab-w0", "Nova reports it SHUTOFF"),
        (extra_server, "lab-w0-old", "one node too many: built, but not in terraform.tfvars"),
        (extra_node, "lab-w0-old", "one node too many: joined, but neither ordered nor built"),
        (extra_both, "lab-w0-old", "one node too many: built and joined"),
        (unknown_flavor, "lab-w0", "flavor c2.r6, which the cloud does not have"),
        (fewer_cores_delivered, "lab-w0", "delivers 1.00 of 2 cores burning alone (ratio 0.50)"),
    ],
)
def test_a_mismatch_names_the_node_and_the_cause(
    look: Look, break_it: Callable[[Site], None], name: str, words: str
) -> None:
    site = Site()
    break_it(site)
    result = look(site)
    assert exit_status(result) == Exit.FAILED == 1
    assert any(f"mismatch: {name}: " in line and words in line for line in remarks(result)), remarks(result)
    others = [row for row in result.nodes if row.name != name]
    assert others
    assert all(row.verdict is Verdict.OK for row in others)


def test_a_node_that_is_not_ready_is_not_burned(look: Look) -> None:
    site = Site()
    not_ready(site)
    look(site)
    assert site.burned == {"lab-cp0": 2}


def test_shared_cores_fail_when_all_burn_and_name_all_nodes(look: Look) -> None:
    site = Site(together={"lab-cp0": 0.98, "lab-w0": 0.99})
    result = look(site)
    assert exit_status(result) == 1
    assert [row.verdict for row in result.nodes] == [Verdict.MISMATCH, Verdict.MISMATCH]
    assert "delivers 0.98 of 2 cores while all nodes burn (ratio 0.49)" in remarks(result)[0]


def test_a_site_that_allows_overcommit_is_only_warned(look: Look) -> None:
    site = Site(together={"lab-cp0": 0.98, "lab-w0": 0.99}, allow_overcommit=True)
    result = look(site)
    assert result.verdict is Verdict.WARNING
    assert exit_status(result) == 0
    assert "ratio 0.49" in remarks(result)[0]


def test_overcommit_excuses_no_missing_node(look: Look) -> None:
    site = Site(allow_overcommit=True)
    not_joined(site)
    assert exit_status(look(site)) == 1


def test_nine_tenths_of_the_cores_are_enough(look: Look) -> None:
    assert look(Site(alone={"lab-cp0": 1.8, "lab-w0": 1.81})).verdict is Verdict.OK
    assert look(Site(alone={"lab-cp0": 1.79, "lab-w0": 1.81})).verdict is Verdict.MISMATCH


DOWN = BenchError("cloud 'lab' at http://10.0.0.1/v3", "it does not answer", "See that it runs.", Exit.CANNOT_TELL)


@pytest.mark.parametrize("silent", ["flavors", "servers", "nodes"])
def test_a_silent_source_is_not_a_mismatch(look: Look, silent: str) -> None:
    site = Site()
    setattr(site, silent, DOWN)
    result = look(site)
    assert exit_status(result) == Exit.CANNOT_TELL == 2
    assert any("http://10.0.0.1/v3" in line and "See that it runs." in line for line in remarks(result))
    assert not [line for line in remarks(result) if line.startswith("mismatch")]


def test_a_mismatch_is_one_even_where_not_everything_is_seen(look: Look) -> None:
    site = Site(nodes=DOWN)
    not_built_servers = site.servers[:1]
    site.servers = not_built_servers
    assert exit_status(look(site)) == 1


def test_a_changed_order_is_noted(look: Look) -> None:
    result = look(Site(order=ORDER.model_copy(update={"sha256": "1" * 64})))
    assert remarks(result) == ["note: terraform.tfvars was changed after the playbook site.yml ran"]


TFVARS = """
# a comment
facility = "lab"
cloud    = "lab"
nodes = {
  cp0  = { groups = ["controlplane", "etcd", "worker"], flavor = "c2.r4" }
  "w0" = { groups = ["worker"], flavor = "c2.r6", data_volume_gib = 20 }
}
admin_cidrs = ["172.31.250.0/24"]
"""


def test_the_order_is_read_from_terraform_tfvars(tmp_path: Path) -> None:
    path = tmp_path / "terraform.tfvars"
    path.write_text(TFVARS)
    order = read_order(path)
    assert {name: node.flavor for name, node in order.by_name().items()} == {"lab-cp0": "c2.r4", "lab-w0": "c2.r6"}
    assert len(order.sha256) == 64


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "there is no such file"),
        ("nodes = {", "it is no HCL"),
        ('facility = "lab"\ncloud = "lab"\n', "nodes: Field required"),
        ('facility = "lab"\ncloud = "lab"\nnodes = { w0 = { groups = [] } }\n', r"nodes.w0.flavor: Field required"),
    ],
)
def test_an_order_that_cannot_be_read_is_named(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "terraform.tfvars"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BenchError) as caught:
        read_order(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    assert caught.value.status == Exit.CANNOT_TELL
