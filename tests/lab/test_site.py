"""The cluster that site.yml makes: healthy, the same when typed again, and closed to files that are not right."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kubernetes import client, config, stream
from plays import changes, play

if TYPE_CHECKING:
    from conftest import Site

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def api(site: Site) -> client.CoreV1Api:
    config.load_kube_config(str(site.runtime / "kubeconfig"))
    return client.CoreV1Api()


@pytest.fixture(scope="module")
def image(site: Site) -> str:
    return json.loads((site.runtime / "facility.json").read_text())["analysis_image"]


def test_files_of_the_site_are_for_the_owner_alone(site: Site) -> None:
    assert site.runtime.stat().st_mode & 0o777 == 0o700
    for name in ("kubeconfig", "facility.json"):
        assert (site.runtime / name).stat().st_mode & 0o777 == 0o600


def test_facility_json_says_what_was_ordered(site: Site) -> None:
    facility = json.loads((site.runtime / "facility.json").read_text())
    tfvars = (site.inventory / "terraform.tfvars").read_bytes()
    first, second = site.nodes
    assert facility["tfvars_sha256"] == hashlib.sha256(tfvars).hexdigest()
    assert facility["nodes"][first]["groups"] == ["controlplane", "etcd", "worker"]
    assert {name: node["vcpus"] for name, node in facility["nodes"].items()} == {first: 2, second: 2}
    assert facility["allow_overcommit"] is True


def test_core_dns_is_healthy_and_no_pod_restarts(api: client.CoreV1Api) -> None:
    pods = api.list_namespaced_pod("kube-system").items
    dns = [pod for pod in pods if (pod.metadata.labels or {}).get("k8s-app") == "kube-dns"]
    assert dns
    for pod in dns:
        (status,) = pod.status.container_statuses
        assert status.ready
        assert status.restart_count == 0, f"{pod.metadata.name} was restarted {status.restart_count} times"


def test_the_api_knows_its_version(site: Site, api: client.CoreV1Api) -> None:
    """What a build leaves out here stops no cluster, but every upgrade of one."""
    found = client.VersionApi(api.api_client).get_code()
    version = site.profile["kubernetes_version"]
    assert (found.git_version, f"{found.major}.{found.minor}") == (f"v{version}", version.rpartition(".")[0])


def test_nobody_can_join_with_a_token_that_was_left_behind(api: client.CoreV1Api) -> None:
    tokens = api.list_namespaced_secret("kube-system", field_selector="type=bootstrap.kubernetes.io/token").items
    assert [token.metadata.name for token in tokens] == []


def test_a_control_plane_that_is_a_worker_takes_pods(site: Site, api: client.CoreV1Api) -> None:
    node = api.read_node(f"{site.name}-cp0")
    assert not node.spec.taints
    assert "node-role.kubernetes.io/worker" in node.metadata.labels


def test_the_api_is_verified_by_its_floating_address(site: Site) -> None:
    text = (site.runtime / "kubeconfig").read_text()
    assert re.search(r"server: https://172\.31\.250\.\d+:6443", text)
    assert "insecure-skip-tls-verify" not in text


@pytest.fixture(scope="module")
def servers(api: client.CoreV1Api, image: str) -> Iterator[dict[str, client.V1Pod]]:
    """A pod on each node, which serves its own name over HTTP."""
    serve = "mkdir /tmp/www && cd /tmp/www && hostname > index.html && exec python -m http.server 8000"
    nodes = [node.metadata.name for node in api.list_node().items]
    for node in nodes:
        container = {"name": "web", "image": image, "command": ["sh", "-c", serve]}
        meta = {"name": f"web-{node}", "labels": {"app": "web"}}
        spec = {"nodeName": node, "containers": [container], "terminationGracePeriodSeconds": 0}
        api.create_namespaced_pod("default", {"metadata": meta, "spec": spec})
    ports = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8000}]}
    api.create_namespaced_service("default", {"metadata": {"name": "web"}, "spec": ports})
    try:
        yield {node: ready(api, f"web-{node}") for node in nodes}
    finally:
        api.delete_namespaced_service("web", "default")
        for node in nodes:
            api.delete_namespaced_pod(f"web-{node}", "default", grace_period_seconds=0)


def ready(api: client.CoreV1Api, name: str) -> client.V1Pod:
    from kubernetes import watch

    for event in watch.Watch().stream(
        api.list_namespaced_pod, "default", field_selector=f"metadata.name={name}", timeout_seconds=90
    ):
        pod = event["object"]
        if pod.status.phase == "Running" and pod.status.pod_ip:
            return pod
    raise AssertionError(f"pod {name} did not run within 90 s")


def fetch(api: client.CoreV1Api, pod: client.V1Pod, url: str) -> str:
    """What a pod reads from `url`, tried until its server is up."""
    script = (
        "import sys, time, urllib.request\n"
        "for _ in range(20):\n"
        "    try: print(urllib.request.urlopen(sys.argv[1], timeout=2).read().decode().strip()); break\n"
        "    except OSError as error: time.sleep(0.5); print(error, file=sys.stderr)\n"
    )
    return stream.stream(
        api.connect_get_namespaced_pod_exec,
        pod.metadata.name,
        "default",
        command=["python", "-c", script, url],
        stdout=True,
        stderr=False,
    ).strip()


def test_pods_reach_each_other_across_nodes(api: client.CoreV1Api, servers: dict[str, client.V1Pod]) -> None:
    assert len(servers) >= 2
    for here in servers.values():
        for there in servers.values():
            assert fetch(api, here, f"http://{there.status.pod_ip}:8000/") == there.metadata.name


def test_pods_find_a_service_by_its_name_from_every_node(
    api: client.CoreV1Api, servers: dict[str, client.V1Pod]
) -> None:
    for pod in servers.values():
        assert fetch(api, pod, "http://web.default.svc.cluster.local/").startswith("web-")


def test_typing_it_again_changes_nothing(site: Site) -> None:
    run = play(site, "site")
    changed = changes(run)
    assert set(changed) >= set(site.nodes)
    tasks = [task for task in run.stdout.split("\nTASK ") if re.search(r"^changed: ", task, re.MULTILINE)]
    assert tasks == []
    assert set(changed.values()) == {0}


def test_a_wrong_checksum_stops_the_role(site: Site, repo: Path, tmp_path: Path) -> None:
    wrong, dest = "0" * 64, "/var/tmp/facility-wrong-checksum"
    manifest = tmp_path / "artifacts.json"
    path = "dl.k8s.io/v1.26.3/bin/linux/amd64/kubeadm"
    manifest.write_text(json.dumps({"artifacts": [{"kind": "binary", "path": path, "sha256": wrong}]}))
    files = [{"name": "kubeadm", "origin": "kubernetes", "path": path.removeprefix("dl.k8s.io/"), "sha256": wrong}]
    files[0]["dest"] = dest
    play = {
        "hosts": "lab-w0",
        "become": True,
        "gather_facts": False,
        "vars": {"artifact_manifest": str(manifest), "artifact_files": files},
        "roles": ["artifact"],
    }
    book = repo / "playbooks" / ".wrong-checksum.yml"
    book.write_text(json.dumps([play]))
    try:
        run = site.playbook(book)
    finally:
        book.unlink()
    assert run.returncode != 0
    text = " ".join(run.stdout.split())
    right = next(
        item["sha256"]
        for item in json.loads((repo / ".facility" / "lab" / "artifacts.json").read_text())["artifacts"]
        if item["path"] == path
    )
    for words in (path.removeprefix("dl.k8s.io/"), wrong, right, dest):
        assert words in text, f"{words} is not named: {run.stdout}"
    left = subprocess.run(
        ["ssh", "-F", repo / ".facility" / "lab" / "ssh_config", "lab-w0", "test", "-e", dest], capture_output=True
    )
    assert left.returncode == 1, "something was left in place"
