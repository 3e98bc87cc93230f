"""How tests look at the standing facility, and change it."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

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
