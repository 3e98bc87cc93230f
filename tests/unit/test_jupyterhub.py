"""What the hub makes for a user, as objects: who may do what in his namespace, and what it cannot be talked into."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

VALUES: dict[str, Any] = {
    "namespace": "jupyterhub",
    "singleuser": {
        "image": "r/analysis@sha256:0",
        "datasets": "/var/lib/facility/datasets",
        "grid": "",
        "storage_capacity": "10Gi",
        "storage_class": "",
    },
    "quota": {"cpu": "4", "memory": "8Gi", "pods": 10, "dask_clusters": 3},
    "kueue_namespace": "",
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


class Spawner:
    """A double of KubeSpawner, whose pods the API refuses."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def _make_create_pod_request(self, pod: object, request_timeout: int) -> bool:
        raise self.error


class Failure(Exception):
    """A double of JupyterHub's SpawnException, the kind of exception whose message its pages show."""

    def __init__(self, message: str, *, reason: str, status_code: int) -> None:
        super().__init__(message, reason, status_code)


@pytest.fixture(scope="module")
def made(repo: Path) -> types.ModuleType:
    """The hub's module; what it takes from the hub's image is not installed here."""
    doubles: dict[str, dict[str, Any]] = {"kubespawner": {"KubeSpawner": Spawner}, "tornado": {}}
    doubles |= {"jupyterhub": {}, "jupyterhub.spawner": {"SpawnException": Failure}}
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


def with_grid(folder: str = "/etc/grid-security") -> dict[str, Any]:
    return VALUES | {"singleuser": VALUES["singleuser"] | {"grid": folder}}


SHARED = VALUES | {"kueue_namespace": "queues"}


def objects(made: types.ModuleType, values: dict[str, Any] = VALUES) -> list[dict[str, Any]]:
    """All but the namespace itself."""
    parts = (made.rights, made.limits, made.policies, made.queues, made.shown, made.secrets)
    return [each for part in parts for each in part(values, "user-a")]


def test_every_object_has_a_place_in_the_api(made: types.ModuleType) -> None:
    values = with_grid() | {"kueue_namespace": "queues"}
    places = [made.place(each) for each in [made.namespace("user-a", "a"), *objects(made, values)]]
    assert len(set(places)) == len(places)
    assert "/api/v1/namespaces/user-a" in places
    assert "/apis/rbac.authorization.k8s.io/v1/namespaces/user-a/rolebindings/jupyterhub-user" in places
    outside = [each for each in objects(made) if each["metadata"].get("namespace") != "user-a"]
    assert [each["kind"] for each in outside] == ["PersistentVolume"]
    assert "/api/v1/namespaces/user-a/secrets/grid-proxy" in places


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


@pytest.mark.parametrize("values", [VALUES, with_grid(), SHARED])
def test_bench_reads_what_the_hub_writes(made: types.ModuleType, values: dict[str, Any]) -> None:
    from bench.dask import Settings

    text = made.dask_settings(values).format(namespace="user-a")
    settings = Settings.model_validate_json(text)
    assert settings.namespace == "user-a"
    assert settings.image == VALUES["singleuser"]["image"]
    assert json.loads(text).keys() == Settings.model_fields.keys()
    claims = {each["metadata"]["name"] for each in objects(made, values) if each["kind"] == "PersistentVolumeClaim"}
    assert {settings.datasets_claim, settings.grid_claim} - {""} == claims
    queues = {each["metadata"]["name"] for each in objects(made, values) if each["kind"] == "LocalQueue"}
    assert {settings.queue_interactive, settings.queue_batch} - {""} == queues
    assert [settings.proxy_secret] == ([each["metadata"]["name"] for each in made.secrets(values, "user-a")] or [""])


def test_the_nodes_folders_are_volumes_that_nobody_writes(made: types.ModuleType) -> None:
    values = with_grid("/cvmfs/grid.cern.ch/etc/grid-security")
    volumes = {
        each["metadata"]["name"]: each["spec"] for each in made.shown(values, "user-a") if "hostPath" in each["spec"]
    }
    assert {name: spec["hostPath"]["path"] for name, spec in volumes.items()} == {
        "datasets-user-a": "/var/lib/facility/datasets",
        "grid-user-a": "/cvmfs/grid.cern.ch/etc/grid-security",
    }
    claims = {name: spec["claimRef"] for name, spec in volumes.items()}
    assert {claim["namespace"] for claim in claims.values()} == {"user-a"}
    assert {spec["accessModes"][0] for spec in volumes.values()} == {"ReadOnlyMany"}
    in_pod, mounts = made.pod_volumes(values)
    assert all(each["persistentVolumeClaim"]["readOnly"] for each in in_pod)
    assert {each["name"]: (each["mountPath"], each["readOnly"]) for each in mounts} == {
        "datasets": ("/var/lib/facility/datasets", True),
        "grid": ("/etc/grid-security", True),
    }
    # what `voms-proxy-init` and XRootD's client read, below what is mounted
    assert {name: Path(value).parent for name, value in made.grid_environment(values).items()} == dict.fromkeys(
        ("X509_CERT_DIR", "X509_VOMS_DIR", "VOMS_USERCONF"), Path("/etc/grid-security")
    )


def test_without_a_grid_there_is_nothing_of_it(made: types.ModuleType) -> None:
    assert made.secrets(VALUES, "user-a") == []
    assert made.grid_environment(VALUES) == {}
    assert [each["metadata"]["name"] for each in made.shown(VALUES, "user-a")] == ["datasets-user-a", "datasets"]


def test_the_secret_is_made_empty_and_what_is_in_one_that_is_there_stays(
    made: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str, Any]] = []
    code = 409

    async def ask(method: str, path: str, body: Any = None) -> None:
        asked.append((method, path, body))
        error: Any = Exception()
        error.code = code
        raise error

    monkeypatch.setattr(made, "ask", ask)
    (secret,) = made.secrets(with_grid(), "user-a")
    assert not {"data", "stringData"} & set(secret)
    asyncio.run(made.create(secret))
    assert asked == [("POST", "/api/v1/namespaces/user-a/secrets", secret)]
    code = 403
    with pytest.raises(Exception) as caught:  # noqa: PT011, the double of HTTPClientError
        asyncio.run(made.create(secret))
    assert vars(caught.value) == {"code": 403}


def test_a_used_up_quota_is_told_to_the_user_and_nothing_else_is_taken_for_one(made: types.ModuleType) -> None:
    refused: Any = Exception("403")
    refused.body = 'pods "jupyter-alice" is forbidden: exceeded quota: user, requested: pods=1, used: pods=8'
    with pytest.raises(Failure, match="Your share of the facility is used up") as told:
        asyncio.run(made.FacilitySpawner(refused)._make_create_pod_request(None, 3))
    assert vars(told.value)["jupyterhub_message"] == told.value.args[0]
    with pytest.raises(ValueError, match="other"):
        asyncio.run(made.FacilitySpawner(ValueError("other"))._make_create_pod_request(None, 3))


def test_a_home_is_as_large_as_the_site_says_and_of_its_class(made: types.ModuleType) -> None:
    spec = made.home(VALUES, "user-a")["spec"]
    assert spec == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}
    other = VALUES | {"singleuser": VALUES["singleuser"] | {"storage_class": "cinder"}}
    assert made.home(other, "user-a")["spec"]["storageClassName"] == "cinder"


def test_a_user_whose_namespace_was_deleted_gets_a_home_again_and_another_keeps_his(
    made: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted: list[str] = []

    async def ask(method: str, path: str, body: Any = None) -> dict[str, Any]:
        if method == "POST":
            posted.append(f"{path}/{body['metadata']['name']}")
        namespace = made.namespace("user-a", "a")
        return namespace if path.endswith("/user-a") else {"status": {"hard": {"pods": "1"}, "phase": "Bound"}}

    monkeypatch.setattr(made, "ask", ask)
    asyncio.run(made.ensure(VALUES, "user-a", "a"))
    asyncio.run(made.ensure(VALUES, "user-a", "a"))
    assert posted == ["/api/v1/namespaces/user-a/persistentvolumeclaims/home"] * 2


# --- fair share ---------------------------------------------------------------------------------------------------
def test_a_user_owns_no_part_of_the_facility_and_borrows_what_others_leave(made: types.ModuleType) -> None:
    queues = made.queues(SHARED, "user-a")
    shared = {each["metadata"]["name"]: each["spec"] for each in queues if each["kind"] == "ClusterQueue"}
    assert all(made.place(each).startswith("/apis/kueue.x-k8s.io/v1beta2/") for each in queues)
    assert {name: spec["fairSharing"]["weight"] for name, spec in shared.items()} == {
        "user-a.interactive": "1",
        # any other borrower has less
        "user-a.batch": "0",
    }
    for spec in shared.values():
        assert spec["cohortName"] == "facility"
        assert spec["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "user-a"}}
        assert spec["preemption"]["reclaimWithinCohort"] == "Any"
        (flavor,) = spec["resourceGroups"][0]["flavors"]
        assert [each["nominalQuota"] for each in flavor["resources"]] == ["0", "0"]
    own = {each["metadata"]["name"]: each for each in queues if each["kind"] == "LocalQueue"}
    assert {name: each["spec"]["clusterQueue"] for name, each in own.items()} == {
        # into this one Kueue puts what names none
        "default": "user-a.interactive",
        "batch": "user-a.batch",
    }
    assert {each["metadata"]["namespace"] for each in own.values()} == {"user-a"}


def test_no_user_is_called_as_another_ones_queue(made: types.ModuleType) -> None:
    names = [
        each["metadata"]["name"]
        for user in ("user-a", "user-a-batch")
        for each in made.queues(SHARED, user)
        if each["kind"] == "ClusterQueue"
    ]
    assert len(set(names)) == len(names)


def test_kueue_may_let_pods_go_where_there_are_queues(made: types.ModuleType) -> None:
    def bound(values: dict[str, Any]) -> dict[str, dict[str, str]]:
        bindings = [each for each in made.rights(values, "user-a") if each["kind"] == "RoleBinding"]
        return {each["roleRef"]["name"]: each["subjects"][0] for each in bindings}

    assert bound(SHARED)["kueue-user"] == {"kind": "ServiceAccount", "name": "kueue", "namespace": "queues"}
    assert "kueue-user" not in bound(VALUES)
    assert made.queues(VALUES, "user-a") == []


def test_schedulers_that_do_not_wait_are_few_and_small(made: types.ModuleType) -> None:
    quotas = {
        each["metadata"]["name"]: each["spec"]
        for each in made.limits(VALUES, "user-a")
        if each["kind"] == "ResourceQuota"
    }
    (scope,) = quotas["schedulers"]["scopeSelector"]["matchExpressions"]
    assert scope["values"] == [json.loads(made.dask_settings(VALUES).format(namespace="x"))["priority_scheduler"]]
    assert quotas["schedulers"]["hard"] == {"pods": "3", "requests.cpu": "300m", "limits.memory": "3072Mi"}


@pytest.mark.parametrize("fair_share", [True, False])
def test_the_hub_makes_queues_and_a_user_does_not(repo: Path, fair_share: bool) -> None:
    found = rules(repo, "", fair_share)
    queues = {"clusterqueues", "localqueues"}
    for name, of_role in found.items():
        may = [rule["verbs"] for rule in of_role if queues & set(rule["resources"])]
        assert may == ([["get", "create", "patch"]] if fair_share and name == "jupyterhub-hub" else [])
    (bind,) = [rule for rule in found["jupyterhub-hub"] if "bind" in rule["verbs"]]
    assert ("kueue-user" in bind["resourceNames"]) is fair_share
    # nor may he let a pod go, or change one
    pods = [verb for rule in found["jupyterhub-user"] if "pods" in rule["resources"] for verb in rule["verbs"]]
    assert pods == ["get", "list", "watch"]


def rules(repo: Path, grid: str, fair_share: bool = False) -> dict[str, list[dict[str, Any]]]:
    """The rules of each ClusterRole, by its name."""
    template = (repo / "ansible/roles/jupyterhub/templates/access.yaml.j2").read_text()
    text = (
        jinja2.Environment(trim_blocks=True)
        .from_string(template)
        .render(jupyterhub_namespace="hub", jupyterhub_grid=grid, jupyterhub_fair_share=fair_share)
    )
    parts = [part for part in yaml.safe_load_all(text) if part]
    return {part["metadata"]["name"]: part["rules"] for part in parts if part["kind"] == "ClusterRole"}


def test_the_hub_reads_no_secret_and_a_user_his_proxys_alone(repo: Path) -> None:
    for grid in ("", "/etc/grid-security"):
        of_secrets = {
            name: [rule for rule in found if "secrets" in rule["resources"]]
            for name, found in rules(repo, grid).items()
        }
        assert of_secrets["jupyterhub-hub"] == []
        may = {"apiGroups": [""], "resources": ["secrets"]}
        user = may | {"resourceNames": ["grid-proxy"], "verbs": ["get", "patch"]}
        assert of_secrets["jupyterhub-spawner"] == ([may | {"verbs": ["create"]}] if grid else [])
        assert of_secrets["jupyterhub-user"] == ([user] if grid else [])
