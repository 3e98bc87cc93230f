"""A second, small facility from one minor version of Kubernetes to the next: what is refused, what goes on after a
failure, and that work on it goes on meanwhile.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import second_site
import testinfra
from kubernetes import client, config
from plays import Ran, changes, play, said

if TYPE_CHECKING:
    from conftest import Site

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(900)]

SITE = "upgrade"
FIRST, WORKER = "upgrade-cp0", "upgrade-w0"
OLD, NEW, TOO_NEW = "1.26.3", "1.27.16", "1.28.15"
NODES = """\
  cp0 = { groups = ["controlplane", "etcd", "worker"], flavor = "c2.r4" }
  w0  = { groups = ["worker"], flavor = "c2.r4" }"""
# What of the mirror is of the version that is upgraded to; the rest is there for the one that runs.
ARTIFACTS = [
    "kubeadm", "kubelet", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy",
]  # fmt: skip
# Pages for nobody, from a shell that the mirror has: two copies of which one may be away, and one that must not be.
PAGES = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  replicas: REPLICAS
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      terminationGracePeriodSeconds: 5
      nodeSelector: SELECTOR
      containers:
        - name: pages
          image: docker.io/rancher/local-path-provisioner:v0.0.30
          command: [busybox, httpd, -f, -p, "8080", -h, /etc]
          readinessProbe: {httpGet: {path: /passwd, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec: {selector: {app: NAME}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: NAME}
spec: {minAvailable: 1, selector: {matchLabels: {app: NAME}}}
"""


@dataclasses.dataclass(frozen=True)
class Facility:
    """The second facility, and what a person types for it."""

    site: Site

    @property
    def runtime(self) -> Path:
        return self.site.runtime

    def play(self, name: str, *options: str) -> Ran:
        return play(self.site, name, *options)

    def wants(self, version: str) -> None:
        profile = self.site.inventory / "group_vars/all/profile.yml"
        text, changed = re.subn(r'kubernetes_version: ".*"', f'kubernetes_version: "{version}"', profile.read_text())
        assert changed == 1
        profile.write_text(text)

    def on(self, node: str, command: str) -> str:
        host = testinfra.get_host(f"ssh://{node}", ssh_config=str(self.runtime / "ssh_config"), sudo=True)
        return host.check_output(command).strip()

    @property
    def kubectl(self) -> str:
        return "/usr/local/bin/kubectl --kubeconfig /etc/kubernetes/admin.conf"

    @property
    def api(self) -> client.CoreV1Api:
        config.load_kube_config(str(self.runtime / "kubeconfig"))
        return client.CoreV1Api()

    def kubelets(self) -> dict[str, str]:
        return {node.metadata.name: node.status.node_info.kubelet_version for node in self.api.list_node().items}

    def cordoned(self) -> list[str]:
        return [node.metadata.name for node in self.api.list_node().items if node.spec.unschedulable]

    def server(self) -> str:
        return client.VersionApi(self.api.api_client).get_code().git_version


@pytest.fixture(scope="module")
def facility(site: Site) -> Iterator[Facility]:
    options = [f"--only={name}" for name in ARTIFACTS]
    done = site.run("lab", "artifacts", "--kubernetes", NEW, *options, timeout=3600)
    assert done.returncode == 0, done.stdout[-3000:]
    with second_site.ordered(second_site.named(site, SITE, "10.83.0", NODES)) as made:
        changes(play(made, "site"))
        yield Facility(made)


def untouched(facility: Facility) -> None:
    """Nothing runs another version, no program was replaced, no node is kept from work."""
    assert facility.kubelets() == {FIRST: f"v{OLD}", WORKER: f"v{OLD}"}
    assert facility.server() == f"v{OLD}"
    assert facility.cordoned() == []
    for node in (FIRST, WORKER):
        assert facility.on(node, "/usr/local/bin/kubelet --version") == f"Kubernetes v{OLD}"


# --- what is refused --------------------------------------------------------------------------------------------------
# nodes.yml is what scale.yml brings new nodes in with.
@pytest.mark.parametrize("name", ["site", "nodes"])
def test_another_version_is_left_to_an_upgrade(facility: Facility, name: str) -> None:
    facility.wants(NEW)
    text = said(facility.play(name))
    assert f"This cluster runs Kubernetes {OLD}, and kubernetes_version is {NEW}. Nothing was changed." in text
    assert "playbooks/upgrade.yml" in text
    untouched(facility)


def test_a_skipped_minor_version_is_refused(facility: Facility) -> None:
    facility.wants(TOO_NEW)
    text = said(facility.play("upgrade"))
    assert f"{FIRST}, {WORKER} run {OLD}, and kubernetes_version is {TOO_NEW}" in text
    assert f"Set it to {NEW} first" in text
    untouched(facility)


def test_a_version_before_the_one_that_runs_is_refused(facility: Facility) -> None:
    facility.wants(OLD)
    older = f"{{kubernetes_version: 1.25.0, kubernetes_checksums: {{1.25.0: {{}}, {OLD}: {{}}}}}}"
    assert "Kubernetes does not go back" in said(facility.play("upgrade", "-e", older))
    untouched(facility)


def test_a_file_with_a_wrong_sum_stops_it_before_anything_is_touched(
    facility: Facility, facility_dir: Path, tmp_path: Path
) -> None:
    facility.wants(NEW)
    listed = json.loads((facility_dir / "artifacts.json").read_text())
    for item in listed["artifacts"]:
        if (item["name"], item["version"]) == ("kubelet", NEW):
            item["sha256"] = "0" * 64
    (tmp_path / "artifacts.json").write_text(json.dumps(listed))
    text = said(facility.play("upgrade", "-e", f"artifact_manifest={tmp_path}/artifacts.json"))
    assert f"Kubernetes {NEW} is not whole for" in text
    assert f"{'0' * 64} is expected" in text
    assert "What runs was not touched" in text
    untouched(facility)


def test_a_check_tells_what_would_happen(facility: Facility) -> None:
    facility.wants(NEW)
    run = facility.play("upgrade", "--check")
    assert run.returncode == 0, run.stdout[-4000:]
    assert f"Kubernetes {OLD} to {NEW}: the control plane on {FIRST}, then" in " ".join(run.stdout.split())
    untouched(facility)


# --- the upgrade ------------------------------------------------------------------------------------------------------
def pages(facility: Facility, name: str, replicas: int, selector: dict[str, str]) -> None:
    words = {"NAME": name, "REPLICAS": str(replicas), "SELECTOR": json.dumps(selector)}
    text = re.sub("NAME|REPLICAS|SELECTOR", lambda match: words[match[0]], PAGES)
    facility.on(FIRST, f"cat <<'END' | {facility.kubectl} apply -f -\n{text}END")
    facility.on(FIRST, f"{facility.kubectl} rollout status deployment/{name} --timeout=60s")


@pytest.fixture
def asked(facility: Facility) -> Iterator[Callable[[], tuple[int, list[str]]]]:
    """Somebody asks for the pages all the time; the value tells how often they came, and what came in their place."""
    pages(facility, "pages", 2, {})
    address = facility.api.read_namespaced_service("pages", "default").spec.cluster_ip
    ask = f"while sleep 0.2; do curl -sS -m 5 -o /dev/null -w %{{http_code}} http://{address}/passwd && echo; done"
    facility.on(FIRST, f"systemd-run --unit=asks --collect sh -c '{ask} >/run/asked 2>&1'")
    answers: list[str] = []

    def count() -> tuple[int, list[str]]:
        answers[:] = facility.on(FIRST, "cat /run/asked").splitlines()
        return answers.count("200"), [line for line in answers if line != "200"]

    yield count
    facility.on(FIRST, "systemctl stop asks")


def since(facility: Facility, node: str) -> str:
    return facility.on(node, "systemctl show kubelet --property=ActiveEnterTimestamp")


def test_an_upgrade_that_fails_is_finished_by_the_same_command(
    facility: Facility, asked: Callable[[], tuple[int, list[str]]]
) -> None:
    facility.wants(NEW)
    pages(facility, "kept", 1, {"kubernetes.io/hostname": WORKER})
    text = said(facility.play("upgrade", "-e", "scale_drain_timeout_s=20"))
    assert f"{WORKER} was not brought to Kubernetes {NEW}" in text
    assert "It stays cordoned" in text
    assert "Disruption budgets that allow nothing: kept" in text
    assert facility.kubelets() == {FIRST: f"v{NEW}", WORKER: f"v{OLD}"}
    assert facility.server() == f"v{NEW}"
    assert facility.cordoned() == [WORKER]
    (backup,) = (facility.runtime / "backups").iterdir()
    assert json.loads((backup / "backup.json").read_text())["kubernetes"] == OLD

    assert f"An upgrade of this cluster to Kubernetes {NEW} has not come to its end" in said(facility.play("site"))
    facility.wants(OLD)
    text = said(facility.play("upgrade"))
    assert f"An upgrade to {NEW} has not come to its end" in text
    assert f"cordoned: {WORKER}" in text

    facility.wants(NEW)
    before = since(facility, FIRST)
    facility.on(FIRST, f"{facility.kubectl} delete pdb kept")
    run = facility.play("upgrade")
    changes(run)
    assert f"Cordoned by a run that did not come to its end: {WORKER}" in " ".join(run.stdout.split())
    assert since(facility, FIRST) == before, "a node that was finished was touched again"
    assert facility.kubelets() == {FIRST: f"v{NEW}", WORKER: f"v{NEW}"}
    assert facility.cordoned() == []
    assert len(list((facility.runtime / "backups").iterdir())) == 1

    came, others = asked()
    assert came > 100
    assert others == []


def test_everything_has_the_new_version(facility: Facility) -> None:
    assert facility.server() == f"v{NEW}"
    settings = facility.api.read_namespaced_config_map("kubeadm-config", "kube-system").data["ClusterConfiguration"]
    assert f"kubernetesVersion: v{NEW}" in settings
    images = {
        container.image.rpartition("/")[2]
        for pod in facility.api.list_namespaced_pod("kube-system").items
        for container in pod.spec.containers
        if pod.metadata.deletion_timestamp is None
    }
    kubernetes = {f"kube-{name}:v{NEW}" for name in ("apiserver", "controller-manager", "scheduler", "proxy")}
    assert kubernetes | {"etcd:3.5.21-0", "coredns:v1.12.4"} <= images
    assert not [name for name in images if OLD in name]
    assert json.loads((facility.runtime / "facility.json").read_text())["versions"]["kubernetes"] == NEW
    for node in (FIRST, WORKER):
        assert facility.on(node, "/usr/local/bin/kubeadm version -o short") == f"v{NEW}"
        assert facility.on(node, "ls /var/cache/facility | grep kubernetes- || true") == ""
    assert facility.on(FIRST, "cat /etc/facility/kubernetes-initialised") == NEW
    assert facility.on(FIRST, "ls /etc/facility | grep upgrade || true") == ""


@pytest.mark.parametrize("name", ["site", "upgrade"])
def test_afterwards_nothing_is_left_to_change(facility: Facility, name: str) -> None:
    assert set(changes(facility.play(name)).values()) == {0}


def test_changed_settings_reach_a_cluster_that_stands(facility: Facility) -> None:
    guests = facility.site.inventory / "group_vars/all/guests.yml"
    text = guests.read_text()
    settings = {
        "site_kubelet_config": "maxPods: 90",
        "kubernetes_kube_proxy_config": "metricsBindAddress: 127.0.0.1:10249",
    }
    for variable, setting in settings.items():
        head = f"{variable}:\n"
        assert head in text
        text = text.replace(head, f"{head}  {setting}\n")
    guests.write_text(text)
    changed = changes(facility.play("upgrade"))
    assert changed[FIRST] > 0
    assert changed[WORKER] > 0
    assert {node.metadata.name: node.status.capacity["pods"] for node in facility.api.list_node().items} == {
        FIRST: "90", WORKER: "90",
    }  # fmt: skip
    proxies = facility.api.read_namespaced_config_map("kube-proxy", "kube-system").data["config.conf"]
    assert "metricsBindAddress: 127.0.0.1:10249" in proxies
    assert set(changes(facility.play("upgrade")).values()) == {0}
