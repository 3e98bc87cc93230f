"""What playbooks compute: images by the digest of a mirror, and which workloads are not ready."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def plugin(repo: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, repo / "playbooks" / "filter_plugins" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    path = tmp_path / "artifacts.json"
    image = {"kind": "image", "path": "cloudnativelabs/kube-router:v2.1.0", "sha256": "a" * 64}
    path.write_text(json.dumps({"artifacts": [{**image, "kind": "binary", "sha256": "b" * 64}, image]}))
    return str(path)


def test_an_image_that_the_manifest_lists_is_named_by_its_digest(repo: Path, manifest: str) -> None:
    by_digest = plugin(repo, "images").by_digest
    name = "docker.io/cloudnativelabs/kube-router:v2.1.0"
    assert by_digest(name, manifest) == f"{name}@sha256:{'a' * 64}"
    assert by_digest(name, "") == name
    assert by_digest("docker.io/other/image:1", manifest) == "docker.io/other/image:1"
    chosen = f"{name}@sha256:{'c' * 64}"
    assert by_digest(chosen, manifest) == chosen, "a site's own digest was replaced"


def daemons(**status: int) -> dict[str, Any]:
    meta = {"name": "d", "namespace": "n", "generation": 2}
    whole = {"observedGeneration": 2, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberReady": 2}
    return {"kind": "DaemonSet", "metadata": meta, "spec": {}, "status": {**whole, **status}}


def deployment(**status: int) -> dict[str, Any]:
    meta = {"name": "d", "namespace": "n", "generation": 2}
    whole = {"observedGeneration": 2, "updatedReplicas": 1, "readyReplicas": 1}
    return {"kind": "Deployment", "metadata": meta, "spec": {"replicas": 1}, "status": {**whole, **status}}


@pytest.mark.parametrize(
    "resource",
    [
        daemons(numberReady=1),
        daemons(updatedNumberScheduled=1),
        daemons(observedGeneration=1),
        daemons(desiredNumberScheduled=0, updatedNumberScheduled=0, numberReady=0),
        deployment(readyReplicas=0),
        deployment(updatedReplicas=0),
        deployment(observedGeneration=1),
        {**deployment(), "status": {}},
    ],
    ids=["a pod short", "an old pod", "not seen", "no node yet", "not ready", "old", "not seen yet", "new"],
)
def test_what_is_not_ready_is_named(repo: Path, resource: dict[str, Any]) -> None:
    unready = plugin(repo, "workloads").unready
    assert unready([daemons(), deployment()]) == []
    (said,) = unready([daemons(), resource])
    assert said.startswith(f"{resource['kind']} n/d (")


def test_an_address_is_within_ranges_or_not(repo: Path) -> None:
    within = plugin(repo, "tfvars").within
    assert within("10.20.0.7", ["192.0.2.0/24", "10.20.0.0/16"])
    assert not within("10.21.0.7", ["192.0.2.0/24", "10.20.0.0/16"])
    assert not within("10.20.0.7", [])
