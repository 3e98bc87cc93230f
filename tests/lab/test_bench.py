"""`bench` on the standing facility: what it measures, and that it notices when something is missing."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Site

pytestmark = pytest.mark.lab

WORKER = "lab-w0"


def bench(*arguments: str, repo: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bench", *arguments, "--site", "lab"], cwd=repo, env=env, capture_output=True, text=True, timeout=600
    )


def kubectl(*arguments: str, kubeconfig: Path, stdin: str = "") -> str:
    """kubectl on the control plane needs nothing on this machine but ssh."""
    config = kubeconfig.parent / "ssh_config"
    first = f"{kubeconfig.parent.name}-cp0"
    command = ["ssh", "-F", str(config), first, "sudo", "kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf"]
    done = subprocess.run([*command, *arguments], input=stdin, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def on_node(name: str, command: str, facility_dir: Path) -> None:
    done = subprocess.run(
        ["ssh", "-F", str(facility_dir / "ssh_config"), name, command], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def ready(name: str, kubeconfig: Path) -> str:
    """'True', 'False' or 'Unknown'; '' where there is no such node."""
    nodes = json.loads(kubectl("get", "nodes", "-o", "json", kubeconfig=kubeconfig))["items"]
    found = [node for node in nodes if node["metadata"]["name"] == name]
    return next(
        (c["status"] for node in found for c in node["status"].get("conditions", []) if c["type"] == "Ready"), ""
    )


def wait_for(name: str, states: set[str], kubeconfig: Path, timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while ready(name, kubeconfig) not in states:
        assert time.monotonic() < deadline, f"{name} is not {states} after {timeout_s} s"
        time.sleep(2)


def leftovers(kubeconfig: Path) -> list[str]:
    """What runs of `bench` have left in their namespace."""
    kinds = "daskclusters.kubernetes.dask.org,jobs,deployments,services,pods"
    listed = json.loads(kubectl("-n", "bench", "get", kinds, "-o", "json", kubeconfig=kubeconfig))["items"]
    return [f"{item['kind']} {item['metadata']['name']}" for item in listed]


def wait_for_pods(name: str, kubeconfig: Path, timeout_s: float = 180) -> None:
    """Until every pod on a node is ready, flannel's among them."""
    deadline = time.monotonic() + timeout_s
    while True:
        command = ["get", "pods", "-A", "--field-selector", f"spec.nodeName={name}", "-o", "json"]
        pods = json.loads(kubectl(*command, kubeconfig=kubeconfig))["items"]
        waiting = [
            pod["metadata"]["name"]
            for pod in pods
            if not any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))
        ]
        if pods and not waiting:
            return
        assert time.monotonic() < deadline, f"on {name} not ready after {timeout_s} s: {waiting or 'no pod at all'}"
        time.sleep(2)


@pytest.fixture
def restored(kubeconfig: Path, facility_dir: Path) -> Iterator[None]:
    """The worker is back and Ready after the test, whatever it did.

    A node that was deleted is created as it was: labels, the range of its pods' addresses, and flannel's annotations,
    without which other nodes have no route to it.
    """
    node = json.loads(kubectl("get", "node", WORKER, "-o", "json", kubeconfig=kubeconfig))
    yield
    if not ready(WORKER, kubeconfig):
        kept = {key: node["metadata"][key] for key in ("name", "labels", "annotations")}
        again = {"apiVersion": "v1", "kind": "Node", "metadata": kept, "spec": {**node["spec"], "taints": []}}
        kubectl("create", "-f", "-", kubeconfig=kubeconfig, stdin=json.dumps(again))
    on_node(WORKER, "sudo systemctl restart kubelet", facility_dir)
    wait_for(WORKER, {"True"}, kubeconfig)
    wait_for_pods(WORKER, kubeconfig)


def test_a_sound_facility_is_as_ordered(site: Site, tmp_path: Path) -> None:
    ran = site.run("bench", "validate", "--site", site.name, "--out", tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    result: dict[str, Any] = json.loads((tmp_path / "validate.json").read_text())
    assert sorted(node["name"] for node in result["nodes"]) == site.nodes
    for node in result["nodes"]:
        assert node["declared_cores"] == node["built_cores"] == node["joined_cores"] == 2
        assert node["joined_status"] == "Ready"
        assert 0.1 < node["delivered_together_cores"] <= 2.1
        assert 0.1 < node["delivered_alone_cores"] <= 2.1
    # The guests cannot have more than this machine.
    assert sum(node["delivered_together_cores"] for node in result["nodes"]) <= 1.05 * (os.cpu_count() or 1)


@pytest.fixture
def strict(facility_dir: Path) -> Iterator[None]:
    """The site as one that does not allow its nodes to share cores."""
    path = facility_dir / "facility.json"
    before = path.read_text()
    path.write_text(json.dumps({**json.loads(before), "allow_overcommit": False}))
    yield
    path.write_text(before)


@pytest.mark.skipif((os.cpu_count() or 1) > 3, reason="this machine has cores enough for both guests")
@pytest.mark.usefixtures("strict")
def test_shared_cores_are_a_mismatch_where_they_are_not_allowed(
    lab: dict[str, str], repo: Path, kubeconfig: Path
) -> None:
    """The guests have twice the cores of a machine of two: all at once they cannot have them."""
    ran = bench("validate", repo=repo, env=lab)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    for name in ("lab-cp0", WORKER):
        found = [line for line in ran.stdout.splitlines() if line.startswith(f"mismatch: {name}: delivers")]
        assert any("while all nodes burn (ratio 0." in line for line in found), ran.stdout
    assert leftovers(kubeconfig) == []


def test_the_distributed_result_is_equal_to_the_serial_one(site: Site, tmp_path: Path) -> None:
    ran = site.run("bench", "run", "fcc-zee", "--engine", "dask-kubernetes", "--site", site.name, "--out", tmp_path)
    assert (tmp_path / "run.json").exists(), ran.stdout + ran.stderr
    result: dict[str, Any] = json.loads((tmp_path / "run.json").read_text())
    assert result["physics"] == "equal", ran.stdout + ran.stderr
    # A machine that is busy with something else disturbs the times, and only them.
    valid = result["timing"] == "valid"
    assert ran.returncode == (0 if valid else 3), ran.stdout
    assert (result["speed_up"] is not None) == valid
    shares = result["measurement"]["distributed"]["passes"][0]["workers"]
    assert {share["host"] for share in shares} == set(site.nodes)
    assert all(share["tasks"] > 0 for share in shares)
    if not result["input"]["stand_in"]:
        assert result["yields"]["cutflow"][-1]["events"] == 2783
    assert leftovers(site.runtime / "kubeconfig") == []


def test_an_interrupted_run_leaves_nothing(lab: dict[str, str], repo: Path, tmp_path: Path, kubeconfig: Path) -> None:
    command = ["bench", "run", "fcc-zee", "--engine", "dask-kubernetes", "--site", "lab", "--out", str(tmp_path)]
    process = subprocess.Popen(command, cwd=repo, env=lab, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "first pass" in line:
            break
    process.terminate()
    process.communicate(timeout=120)
    assert process.returncode == 128 + 15
    assert leftovers(kubeconfig) == []
    assert not (tmp_path / "run.json").exists()


@pytest.mark.usefixtures("restored")
def test_a_worker_removed_from_the_cluster_is_named(lab: dict[str, str], repo: Path, kubeconfig: Path) -> None:
    kubectl("delete", "node", WORKER, kubeconfig=kubeconfig)
    # Its kubelet keeps running and does not register again by itself.
    ran = bench("validate", repo=repo, env=lab)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert f"mismatch: {WORKER}: built, not joined" in ran.stdout


@pytest.mark.usefixtures("restored")
def test_a_node_that_is_not_ready_is_named(
    lab: dict[str, str], repo: Path, kubeconfig: Path, facility_dir: Path
) -> None:
    on_node(WORKER, "sudo systemctl stop kubelet", facility_dir)
    wait_for(WORKER, {"Unknown", "False"}, kubeconfig)
    ran = bench("validate", repo=repo, env=lab)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert f"mismatch: {WORKER}: joined, but NotReady" in ran.stdout


def test_a_cordoned_node_is_named(lab: dict[str, str], repo: Path, kubeconfig: Path) -> None:
    kubectl("cordon", WORKER, kubeconfig=kubeconfig)
    try:
        ran = bench("validate", repo=repo, env=lab)
    finally:
        kubectl("uncordon", WORKER, kubeconfig=kubeconfig)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert f"mismatch: {WORKER}: joined, but cordoned" in ran.stdout
