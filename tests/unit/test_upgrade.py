"""Whether one version of Kubernetes may follow another: what is refused, what is left to do, what goes on."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TABLE = ["1.28.15", "1.27.16", "1.27.9", "1.26.15", "1.26.3"]
Plan = Callable[..., dict[str, Any]]


@pytest.fixture
def plan(repo: Path) -> Plan:
    """Runs the decision for a control plane x-cp0 and a worker x-w0."""
    spec = importlib.util.spec_from_file_location("upgrade", repo / "playbooks/filter_plugins/upgrade.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(wanted: str, cp0: str = "1.26.3", w0: str = "1.26.3", api: str = "1.26.3", **more: Any) -> dict[str, Any]:
        nodes = more.pop("nodes", [node("x-cp0", cp0), node("x-w0", w0)])
        servers = more.pop("servers", [server("x-cp0", api)])
        inventory = more.pop("inventory", ["x-cp0", "x-w0"])
        return module.upgrade_plan(wanted, nodes, servers, inventory, "x-cp0", TABLE, **{"noted": api, **more})

    return run


def node(name: str, version: str, *, ready: str = "True", note: str = "", cordoned: bool = False) -> dict[str, Any]:
    return {
        "metadata": {"name": name, **({"annotations": {"facility/upgrade": note}} if note else {})},
        "spec": {"unschedulable": True} if cordoned else {},
        "status": {
            "nodeInfo": {"kubeletVersion": f"v{version}"},
            "conditions": [{"type": "Ready", "status": ready, "message": "kubelet stopped posting node status."}],
        },
    }


def server(name: str, version: str) -> dict[str, Any]:
    return {"spec": {"nodeName": name, "containers": [{"image": f"registry.k8s.io/kube-apiserver:v{version}"}]}}


def only(found: dict[str, Any]) -> str:
    (said,) = found["refused"]
    return said


@pytest.mark.parametrize("wanted", ["1.27.16", "1.26.15"])
def test_the_next_minor_version_and_a_later_patch_may_follow(plan: Plan, wanted: str) -> None:
    found = plan(wanted)
    assert found["refused"] == []
    assert found["running"] == "1.26.3"
    assert found["control_plane"]
    assert found["nodes"] == ["x-cp0", "x-w0"]


def test_the_version_that_runs_leaves_nothing_to_do(plan: Plan) -> None:
    found = plan("1.26.3")
    assert (found["refused"], found["control_plane"], found["nodes"]) == ([], False, [])


def test_a_skipped_minor_version_is_refused_with_the_one_between(plan: Plan) -> None:
    said = only(plan("1.28.15"))
    assert "x-cp0, x-w0 run 1.26.3" in said
    assert "Set it to 1.27.16 first" in said


def test_a_worker_that_stayed_behind_counts_when_a_minor_version_is_skipped(plan: Plan) -> None:
    said = only(plan("1.28.15", cp0="1.27.16", api="1.27.16"))
    assert "An upgrade to 1.27.16 has not come to its end" in said


@pytest.mark.parametrize("wanted", ["1.25.16", "1.26.2"])
def test_going_back_is_refused(plan: Plan, wanted: str) -> None:
    assert "Kubernetes does not go back. Set it to 1.26.3" in only(plan(wanted))


@pytest.mark.parametrize("wanted", ["1.26.3", "1.27.9", "1.28.15"])
def test_an_unfinished_upgrade_is_finished_first(plan: Plan, wanted: str) -> None:
    said = only(plan(wanted, api="1.27.16"))
    assert "An upgrade to 1.27.16 has not come to its end" in said
    assert "the API server of x-cp0 runs 1.27.16" in said
    assert "Set it to 1.27.16" in said


def test_an_unfinished_upgrade_goes_on_where_it_stopped(plan: Plan) -> None:
    between = plan("1.27.16", api="1.27.16", noted="1.26.3")
    assert (between["refused"], between["control_plane"], between["nodes"]) == ([], True, ["x-cp0", "x-w0"])
    nodes = [node("x-cp0", "1.27.16"), node("x-w0", "1.26.3", ready="Unknown", note="1.27.16", cordoned=True)]
    later = plan("1.27.16", api="1.27.16", nodes=nodes)
    assert (later["refused"], later["control_plane"], later["nodes"]) == ([], False, ["x-w0"])
    assert later["cordoned"] == ["x-w0"]


def test_a_node_that_is_new_but_still_cordoned_is_not_forgotten(plan: Plan) -> None:
    nodes = [node("x-cp0", "1.27.16"), node("x-w0", "1.27.16", note="1.27.16", cordoned=True)]
    assert plan("1.27.16", api="1.27.16", nodes=nodes)["nodes"] == ["x-w0"]
    said = only(plan("1.28.15", api="1.27.16", nodes=nodes))
    assert "cordoned: x-w0" in said


def test_what_somebody_has_cordoned_is_told_apart(plan: Plan) -> None:
    found = plan("1.27.16", nodes=[node("x-cp0", "1.26.3"), node("x-w0", "1.26.3", cordoned=True)])
    assert found["refused"] == []
    assert (found["cordoned"], found["set_aside"]) == ([], ["x-w0"])


def test_another_control_plane_that_stayed_behind_is_upgraded(plan: Plan) -> None:
    nodes = [node("x-cp0", "1.27.16"), node("x-w0", "1.27.16")]
    servers = [server("x-cp0", "1.27.16"), server("x-w0", "1.26.3")]
    found = plan("1.27.16", nodes=nodes, servers=servers, noted="1.27.16")
    assert (found["refused"], found["control_plane"], found["nodes"]) == ([], False, ["x-w0"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"nodes": [node("x-cp0", "1.26.3"), node("x-w0", "1.26.3", ready="False")]}, ["x-w0 is not Ready", "stopped"]),
        ({"nodes": [node("x-cp0", "1.26.3")]}, ["x-w0 of the inventory is no node of the cluster"]),
        ({"inventory": ["x-cp0"]}, ["x-w0 is a node of the cluster and not of the inventory", "scale_remove=x-w0"]),
        ({"servers": [server("y", "1.26.3")]}, ["No API server is seen on x-cp0"]),
    ],
    ids=["not ready", "not joined", "not ordered", "no API server"],
)
def test_a_cluster_that_is_not_whole_is_not_upgraded(plan: Plan, change: dict[str, Any], says: list[str]) -> None:
    said = only(plan("1.27.16", **change))
    assert all(words in said for words in says), said


def test_an_etcd_that_is_too_old_is_refused(plan: Plan) -> None:
    nodes = [node("x-cp0", "1.33.13"), node("x-w0", "1.33.13")]
    asked = {"nodes": nodes, "api": "1.33.13"}
    assert "needs etcd 3.6" in only(plan("1.34.11", **asked, etcd_image_tag="3.5.21-0"))
    for good in ("", "3.6.4-0"):
        assert plan("1.34.11", **asked, etcd_image_tag=good)["refused"] == []


def test_a_name_with_a_digest_tells_its_version(plan: Plan) -> None:
    image = f"registry.k8s.io/kube-apiserver:v1.26.3@sha256:{'0' * 64}"
    found = plan("1.27.16", servers=[{"spec": {"nodeName": "x-cp0", "containers": [{"image": image}]}}])
    assert found["running"] == "1.26.3"
