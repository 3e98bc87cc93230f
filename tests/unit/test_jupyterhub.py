"""What the hub makes for a user, as objects: who may do what in his namespace, and what it cannot be talked into."""

from __future__ import annotations

import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest

VALUES: dict[str, Any] = {
    "namespace": "jupyterhub",
    "singleuser": {"image": "r/analysis@sha256:0", "datasets": "/var/lib/facility/datasets"},
    "quota": {"cpu": "4", "memory": "8Gi", "pods": 10},
    "network": {
        "closed_cidrs": ["10.77.0.0/24", "10.244.0.0/16", "10.96.0.0/12", "169.254.0.0/16"],
        "node_cidrs": ["10.77.0.0/24"],
        "operator_namespace": "dask-operator",
    },
    "dask": {
        "worker_cpu": "100m",
        "worker_memory_mib": 500,
        "worker_memory_limit_mib": 1500,
        "idle_timeout_s": 600,
    },
}


@pytest.fixture(scope="module")
def made(repo: Path) -> types.ModuleType:
    """The hub's module; what it takes from the hub's image is not installed here."""
    doubles = {"kubespawner": {"KubeSpawner": object}, "tornado": {}}
    doubles["tornado.httpclient"] = dict.fromkeys(("AsyncHTTPClient", "HTTPRequest"), object) | {
        "HTTPClientError": Exception
    }
    before = dict(sys.modules)
    for name, content in doubles.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(content)
    try:
        path = repo / "ansible/roles/jupyterhub/files/user_namespace.py"
        spec = importlib.util.spec_from_file_location("user_namespace", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        for name in doubles:
            sys.modules.pop(name)
        sys.modules.update(before)


def objects(made: types.ModuleType) -> list[dict[str, Any]]:
    """All but the namespace itself."""
    return [
        each for part in (made.rights, made.limits, made.policies, made.datasets) for each in part(VALUES, "user-a")
    ]


def test_every_object_has_a_place_in_the_api(made: types.ModuleType) -> None:
    places = [made.place(each) for each in [made.namespace("user-a", "a"), *objects(made)]]
    assert len(set(places)) == len(places)
    assert "/api/v1/namespaces/user-a" in places
    assert "/apis/rbac.authorization.k8s.io/v1/namespaces/user-a/rolebindings/jupyterhub-user" in places
    outside = [each for each in objects(made) if each["metadata"].get("namespace") != "user-a"]
    assert [each["kind"] for each in outside] == ["PersistentVolume"]


def test_the_namespace_takes_restricted_pods_only(made: types.ModuleType) -> None:
    metadata = made.namespace("user-a", "a")["metadata"]
    assert metadata["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert metadata["annotations"] == {"facility/user": "a"}


def test_neither_nodes_nor_the_metadata_nor_other_pods_are_open(made: types.ModuleType) -> None:
    everything = made.policies(VALUES, "user-a")[0]["spec"]
    assert everything["policyTypes"] == ["Ingress", "Egress"]
    blocks = [peer["ipBlock"] for rule in everything["egress"] for peer in rule["to"] if "ipBlock" in peer]
    wide = [block for block in blocks if block["cidr"] == "0.0.0.0/0"]
    assert [set(block["except"]) for block in wide] == [set(VALUES["network"]["closed_cidrs"])]
    narrow = [
        rule
        for rule in everything["egress"]
        if any("ipBlock" in p and "except" not in p["ipBlock"] for p in rule["to"])
    ]
    assert [[port["port"] for port in rule["ports"]] for rule in narrow] == [[6443]]
    sources = [peer for rule in everything["ingress"] for peer in rule["from"]]
    assert {"podSelector": {}} in sources
    assert all("ipBlock" not in peer for peer in sources)


def test_quotas_close_the_ways_around_them(made: types.ModuleType) -> None:
    quotas = {
        each["metadata"]["name"]: each["spec"]
        for each in made.limits(VALUES, "user-a")
        if each["kind"] == "ResourceQuota"
    }
    hard = quotas["user"]["hard"]
    assert hard["services.nodeports"] == hard["services.loadbalancers"] == "0"
    (scope,) = quotas["reserved-priorities"]["scopeSelector"]["matchExpressions"]
    assert {"system-cluster-critical", "system-node-critical", "facility-hub"} <= set(scope["values"])
    assert quotas["reserved-priorities"]["hard"] == {"pods": "0"}


def test_bench_reads_what_the_hub_writes(made: types.ModuleType) -> None:
    from bench.dask import Settings

    text = made.dask_settings(VALUES).format(namespace="user-a")
    settings = Settings.model_validate_json(text)
    assert settings.namespace == "user-a"
    assert settings.image == VALUES["singleuser"]["image"]
    assert json.loads(text).keys() == Settings.model_fields.keys()
