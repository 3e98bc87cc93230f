"""What the cluster offers and what guards it: policies that hold, metrics, volumes, the nodes' firewall."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client, config, stream, watch

if TYPE_CHECKING:
    from conftest import Site

pytestmark = pytest.mark.lab

NAMESPACE = "test-services"


@pytest.fixture(scope="module")
def api(site: Site) -> client.CoreV1Api:
    config.load_kube_config(str(site.runtime / "kubeconfig"))
    return client.CoreV1Api()


@pytest.fixture(scope="module")
def image(site: Site) -> str:
    return json.loads((site.runtime / "facility.json").read_text())["analysis_image"]


@pytest.fixture(scope="module")
def nodes(api: client.CoreV1Api) -> list[str]:
    names = sorted(node.metadata.name for node in api.list_node().items)
    assert len(names) >= 2, "policies between nodes need two of them"
    return names


@pytest.fixture(scope="module")
def namespace(api: client.CoreV1Api) -> Iterator[str]:
    """A namespace for these tests alone, gone with all that is in it at their end."""
    api.create_namespace({"metadata": {"name": NAMESPACE}})
    try:
        yield NAMESPACE
    finally:
        api.delete_namespace(NAMESPACE)
        for _ in range(60):
            if NAMESPACE not in [item.metadata.name for item in api.list_namespace().items]:
                break
            time.sleep(1)


def start(api: client.CoreV1Api, name: str, image: str, script: str, **more: Any) -> None:
    """A pod that runs a shell script; `more` goes into its specification, `labels` and `mounts` excepted."""
    container = {
        "name": "main",
        "image": image,
        "command": ["sh", "-c", script],
        "volumeMounts": more.pop("mounts", []),
    }
    meta = {"name": name, "labels": {"app": name}}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0, **more}
    api.create_namespaced_pod(NAMESPACE, {"metadata": meta, "spec": spec})


def running(api: client.CoreV1Api, name: str, timeout_s: int = 90) -> client.V1Pod:
    for event in watch.Watch().stream(
        api.list_namespaced_pod, NAMESPACE, field_selector=f"metadata.name={name}", timeout_seconds=timeout_s
    ):
        pod = event["object"]
        if pod.status.phase == "Running" and pod.status.pod_ip:
            return pod
    raise AssertionError(f"pod {name} did not run within {timeout_s} s")


def execute(api: client.CoreV1Api, name: str, *command: str) -> str:
    """What a command in a pod prints."""
    call = api.connect_get_namespaced_pod_exec
    return stream.stream(call, name, NAMESPACE, command=list(command), stdout=True, stderr=True).strip()


def reaches(api: client.CoreV1Api, name: str, address: str, port: int = 8000) -> bool:
    """Whether a pod gets a TCP connection; the attempt is given up after 3 s."""
    script = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3); print('connected')"
    return execute(api, name, "python", "-c", script, address, str(port)).endswith("connected")


def settles(condition: Any, timeout_s: float = 30) -> bool:
    """Whether a condition comes true in time: rules follow what the API says within seconds."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


# --- policies ----------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def pods(api: client.CoreV1Api, image: str, nodes: list[str], namespace: str) -> Iterator[dict[str, client.V1Pod]]:
    """A server on one node; on this and on another node a client that a policy may allow and one that it may not."""
    placed = {"server": nodes[0]}
    for place, node in zip(("near", "far"), nodes, strict=False):
        placed |= {f"friend-{place}": node, f"stranger-{place}": node}
    for name, node in placed.items():
        script = "cd /tmp && exec python -m http.server 8000" if name == "server" else "exec sleep infinity"
        start(api, name, image, script, nodeName=node)
    try:
        yield {name: running(api, name) for name in placed}
    finally:
        for name in placed:
            api.delete_namespaced_pod(name, NAMESPACE, grace_period_seconds=0)


@pytest.fixture
def policies(api: client.CoreV1Api, namespace: str) -> Iterator[client.NetworkingV1Api]:
    networking = client.NetworkingV1Api()
    yield networking
    networking.delete_collection_namespaced_network_policy(NAMESPACE)


def policy(name: str, *friends: str) -> dict[str, Any]:
    """Into the server from the named pods alone; from nowhere when none is named."""
    rules = [{"from": [{"podSelector": {"matchLabels": {"app": friend}}} for friend in friends]}] if friends else []
    spec = {"podSelector": {"matchLabels": {"app": "server"}}, "policyTypes": ["Ingress"], "ingress": rules}
    return {"metadata": {"name": name}, "spec": spec}


def test_policies_hold_on_a_node_and_between_nodes(
    api: client.CoreV1Api, pods: dict[str, client.V1Pod], policies: client.NetworkingV1Api
) -> None:
    address = pods["server"].status.pod_ip
    clients = sorted(set(pods) - {"server"})

    def who() -> list[str]:
        return [name for name in clients if reaches(api, name, address)]

    assert settles(lambda: who() == clients), "without a policy not every pod reaches the server"
    policies.create_namespaced_network_policy(NAMESPACE, policy("nobody"))
    assert settles(lambda: who() == []), f"a policy that denies all lets these in: {who()}"
    friends = ["friend-far", "friend-near"]
    policies.create_namespaced_network_policy(NAMESPACE, policy("friends", *friends))
    assert settles(lambda: who() == friends), f"{friends} are allowed, these come in: {who()}"
    policies.delete_collection_namespaced_network_policy(NAMESPACE)
    assert settles(lambda: who() == clients), "after the policies are gone not every pod reaches the server"


# --- metrics -----------------------------------------------------------------------------------------------------
def ask(api: client.CoreV1Api, query: str) -> list[dict[str, Any]]:
    """What Prometheus answers, asked as `kubectl port-forward` does: no policy stands between a pod and its node."""
    (pod,) = api.list_namespaced_pod("metrics", label_selector="app=prometheus").items
    call = api.connect_get_namespaced_pod_portforward
    forward = stream.portforward(call, pod.metadata.name, "metrics", ports="9090")
    with closing(forward.socket(9090)) as connection:
        connection.setblocking(True)
        path = "/api/v1/query?" + urllib.parse.urlencode({"query": query})
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: prometheus\r\n\r\n".encode())
        answer = b"".join(iter(partial(connection.recv, 65536), b""))
    return json.loads(answer.partition(b"\r\n\r\n")[2])["data"]["result"]


def usage() -> dict[str, dict[str, str]]:
    listed = client.CustomObjectsApi().list_cluster_custom_object("metrics.k8s.io", "v1beta1", "nodes")
    return {item["metadata"]["name"]: item["usage"] for item in listed["items"]}


def test_top_shows_every_node(nodes: list[str]) -> None:
    assert settles(lambda: sorted(usage()) == nodes, 60), f"metrics-server knows {sorted(usage())}, not {nodes}"
    for name, used in usage().items():
        assert int(used["memory"].removesuffix("Ki")) > 50_000, f"{name} uses {used}"


def test_prometheus_asks_nodes_kubelets_and_the_api(api: client.CoreV1Api, nodes: list[str]) -> None:
    wanted = {"apiserver": 1, "prometheus": 1, "kubelet": len(nodes), "cadvisor": len(nodes), "node": len(nodes)}

    def up() -> dict[str, int]:
        found = ask(api, "sum by (job) (up)")
        return {item["metric"]["job"]: int(item["value"][1]) for item in found}

    assert settles(lambda: up() == wanted, 90), f"{up()} answer, {wanted} should"


def test_the_node_exporter_sees_the_node_not_its_pod(api: client.CoreV1Api, nodes: list[str]) -> None:
    names = "node_network_receive_bytes_total{device='eth0'}"
    found = ask(api, f"count by (node) ({names})")
    assert sorted(item["metric"]["node"] for item in found) == nodes
    names = "node_filesystem_size_bytes{mountpoint='/data'}"
    found = ask(api, names)
    assert sorted(item["metric"]["node"] for item in found) == nodes


def test_grafanas_panels_ask_for_what_there_is(api: client.CoreV1Api, repo: Path, nodes: list[str]) -> None:
    dashboard = json.loads((repo / "ansible/roles/metrics/files/grafana/facility.json").read_text())
    asked = {panel["title"]: panel["targets"][0]["expr"] for panel in dashboard["panels"]}
    # nobody has logged in
    idle = {"Cores used by user", "Memory used by user"}

    def empty() -> set[str]:
        return {title for title, expression in asked.items() if title not in idle and not ask(api, expression)}

    assert settles(lambda: not empty(), 90), f"nothing to see in {empty()}"
    by_node = ask(api, asked["Cores used by node"])
    assert sorted(item["metric"]["node"] for item in by_node) == nodes


def test_status_tells_who_uses_the_facility(lab: dict[str, str], nodes: list[str], tmp_path: Path) -> None:
    page = tmp_path / "status.html"
    run = subprocess.run(
        ["bench", "status", "--json", "--page", str(page)], env=lab, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stdout + run.stderr
    told = json.loads(run.stdout)
    assert [node["name"] for node in told["nodes"]] == nodes
    for node in told["nodes"]:
        assert 0 < node["promised_cores"] <= node["cores"]
        assert node["used_cores"] > 0
        assert node["used_memory_bytes"] > 50e6
    assert all(each["days"] > 300 for each in told["certificates"])
    assert "certificates: " in page.read_text()


def test_pods_elsewhere_do_not_reach_prometheus(
    api: client.CoreV1Api, image: str, nodes: list[str], namespace: str
) -> None:
    address = api.read_namespaced_service("prometheus", "metrics").spec.cluster_ip
    dns = api.read_namespaced_service("kube-dns", "kube-system").spec.cluster_ip
    start(api, "asker", image, "exec sleep infinity", nodeName=nodes[-1])
    try:
        running(api, "asker")
        assert settles(lambda: reaches(api, "asker", dns, 53)), "the pod has no network"
        assert not reaches(api, "asker", address, 9090)
    finally:
        api.delete_namespaced_pod("asker", NAMESPACE, grace_period_seconds=0)


# --- storage -----------------------------------------------------------------------------------------------------
@pytest.fixture
def claim(api: client.CoreV1Api, namespace: str) -> Iterator[str]:
    """A claim that names no class; a test may delete it itself."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}}
    api.create_namespaced_persistent_volume_claim(NAMESPACE, {"metadata": {"name": "data"}, "spec": spec})
    yield "data"
    api.delete_collection_namespaced_persistent_volume_claim(NAMESPACE)


def test_what_a_pod_wrote_the_next_one_reads(
    api: client.CoreV1Api, image: str, claim: str, nodes: list[str], site: Site
) -> None:
    volumes = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]}
    mounts = [{"name": "data", "mountPath": "/mnt/data"}]
    user = {"securityContext": {"runAsUser": 1234, "runAsNonRoot": True}}
    start(api, "writer", image, "id -u > /mnt/data/note && exec sleep infinity", mounts=mounts, **volumes, **user)
    first = running(api, "writer")
    assert settles(lambda: execute(api, "writer", "cat", "/mnt/data/note") == "1234")
    volume = api.read_persistent_volume(api.read_namespaced_persistent_volume_claim(claim, NAMESPACE).spec.volume_name)
    path = volume.spec.local.path

    api.delete_namespaced_pod("writer", NAMESPACE, grace_period_seconds=0)
    start(api, "reader", image, "exec sleep infinity", mounts=mounts, **volumes, **user)
    try:
        second = running(api, "reader")
        assert second.spec.node_name == first.spec.node_name, "the volume's node was not kept"
        assert execute(api, "reader", "cat", "/mnt/data/note") == "1234"

        def there(script: str) -> str:
            command = ("ssh", "-F", site.runtime / "ssh_config", first.spec.node_name, f"sudo sh -c '{script}'")
            return site.run(*command).stdout.strip()

        volume_device, data_device, root_device = there(f"stat -c %d {path} /data /").split()
        assert volume_device == data_device != root_device, f"{path} is not on the data volume"
        assert there(f"cat {path}/note") == "1234"
    finally:
        api.delete_namespaced_pod("reader", NAMESPACE, grace_period_seconds=0)
    api.delete_namespaced_persistent_volume_claim(claim, NAMESPACE)
    assert settles(lambda: there(f"ls -d {path}") == "", 60), f"{path} outlives its claim"


# --- the nodes' firewall -----------------------------------------------------------------------------------------
@pytest.fixture
def shell(site: Site) -> Callable[[str, str], subprocess.CompletedProcess[str]]:
    """Runs a command on a node as root."""

    def run(node: str, script: str) -> subprocess.CompletedProcess[str]:
        return site.run("ssh", "-F", site.runtime / "ssh_config", node, f"sudo sh -c {shlex.quote(script)}")

    return run


def test_nodes_refuse_what_no_rule_allows(
    api: client.CoreV1Api, nodes: list[str], shell: Callable[[str, str], subprocess.CompletedProcess[str]]
) -> None:
    """Kubelet's port is open among nodes and another one is not; security groups do not tell, they allow 30000 too."""
    first, second = nodes[:2]
    addresses = {item.metadata.name: item.status.addresses for item in api.list_node().items}
    (address,) = [item.address for item in addresses[first] if item.type == "InternalIP"]
    assert shell(first, "firewall-cmd --state").stdout.strip() == "running"
    assert shell(first, "firewall-cmd --get-default-zone").stdout.strip() == "facility"
    listen = "systemd-run --quiet --unit=test-services-listener python3 -m http.server 30999"
    assert shell(first, listen).returncode == 0
    try:
        local = f"for _ in 1 2 3 4 5 6 7 8; do curl -s -o /dev/null http://{address}:30999/ && break; sleep 1; done"
        assert shell(first, local).returncode == 0, "nothing listens"
        curl = "curl -s -o /dev/null --connect-timeout 3"
        assert shell(second, f"{curl} -k https://{address}:10250/").returncode == 0, "kubelet is not reached"
        refused = shell(second, f"{curl} http://{address}:30999/").returncode
        assert refused in (7, 28), f"port 30999 is open to another node (curl: {refused})"
    finally:
        shell(first, "systemctl stop test-services-listener")
