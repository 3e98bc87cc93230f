"""A facility of three control planes beside the standing one: made, without its first one, and with it again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
import second_site
import testinfra
from kubernetes import client, config
from plays import changes, play
from testinfra.host import Host
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    from conftest import Site

pytestmark = [pytest.mark.lab, pytest.mark.long]

SITE = "planes"
KEYS = ("cp0", "cp1", "cp2")
FIRST, *OTHERS = NODES = [f"{SITE}-{key}" for key in KEYS]
ORDER = "\n".join(f'  {key} = {{ groups = ["controlplane", "etcd", "worker"], flavor = "c2.r4" }}' for key in KEYS)
# Without the name service, whose pods may be on the node that is lost.
ASKS = """
import os, ssl, urllib.request
trust = ssl.create_default_context(cafile="/var/run/secrets/kubernetes.io/serviceaccount/ca.crt")
for number in range(10):
    address = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}/readyz"
    assert urllib.request.urlopen(address, context=trust, timeout=5).read() == b"ok"
"""
ETCDCTL = (
    "/usr/local/bin/crictl exec $(/usr/local/bin/crictl ps --quiet --state Running --name '^etcd$') etcdctl "
    "--endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd/ca.crt "
    "--cert=/etc/kubernetes/pki/etcd/server.crt --key=/etc/kubernetes/pki/etcd/server.key "
)


class Planes:
    """The facility, and what is done to it."""

    def __init__(self, site: Site) -> None:
        self.site, self.runtime = site, site.runtime
        self.cloud = second_site.cloud(site)

    def play(self, name: str, *options: str) -> dict[str, int]:
        """Changed tasks by node."""
        return changes(play(self.site, name, *options))

    def host(self, name: str) -> Host:
        return testinfra.get_host(f"ssh://{name}", ssh_config=str(self.runtime / "ssh_config"), sudo=True)

    def api(self, context: str) -> client.CoreV1Api:
        """The API by one of the ways that the administrator's kubeconfig has; a question is not repeated."""
        settings = client.Configuration()
        config.load_kube_config(str(self.runtime / "kubeconfig"), context=context, client_configuration=settings)
        settings.retries = False
        return client.CoreV1Api(client.ApiClient(settings))

    def ready(self, context: str) -> set[str]:
        nodes = self.api(context).list_node(_request_timeout=5).items
        return {
            node.metadata.name
            for node in nodes
            if any(each.type == "Ready" and each.status == "True" for each in node.status.conditions)
        }

    def members(self, name: str) -> set[str]:
        """Members of etcd that have started, as the one on a node sees them."""
        listed = self.host(name).check_output(ETCDCTL + "member list")
        return {line.split(", ")[2] for line in listed.splitlines() if line.split(", ")[1] == "started"}


def eventually(what: Callable[[], bool], seconds: float) -> float:
    """Seconds until something holds; an API that does not answer is one of which nothing holds."""
    begun = time.monotonic()
    while True:
        try:
            if what():
                return time.monotonic() - begun
        except (client.ApiException, HTTPError):
            pass
        assert time.monotonic() - begun < seconds, f"not within {seconds} s"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def planes(site: Site) -> Iterator[Planes]:
    made = second_site.named(site, SITE, "10.81.0", ORDER)
    (made.inventory / "group_vars" / "all" / "planes.yml").write_text("---\nendpoint_balancer: haproxy\n")
    with second_site.ordered(made):
        yield Planes(made)


@pytest.fixture(scope="module")
def standing(planes: Planes) -> Planes:
    assert planes.play("site")[FIRST] > 0
    return planes


def test_three_control_planes_are_made_once(standing: Planes) -> None:
    for name in NODES:
        assert standing.ready(name) == set(NODES), "each way in the kubeconfig leads to the cluster"
        assert standing.members(name) == set(NODES)
    assert {name: changed for name, changed in standing.play("site").items() if changed} == {}


def test_keys_are_lent_and_given_back(standing: Planes) -> None:
    secrets = standing.api(FIRST).list_namespaced_secret("kube-system").items
    assert "kubeadm-certs" not in {secret.metadata.name for secret in secrets}
    for name in NODES:
        for path in ("/run/facility-join.yaml", "/run/facility-lend.yaml"):
            assert not standing.host(name).file(path).exists
        assert standing.host(name).file("/etc/kubernetes/pki/ca.key").mode == 0o600


def test_haproxy_answers_on_the_node_alone_and_knows_the_authority(standing: Planes) -> None:
    for name in NODES:
        host = standing.host(name)
        assert host.socket("tcp://127.0.0.1:6444").is_listening
        assert not host.socket("tcp://0.0.0.0:6444").is_listening
        assert "verify required ca-file" in host.file("/etc/haproxy/facility.cfg").content_string


def test_the_api_survives_the_first_control_plane(standing: Planes) -> None:
    other = OTHERS[0]
    leases = client.CoordinationV1Api(standing.api(other).api_client)
    server = standing.cloud.compute.find_server(FIRST)
    standing.cloud.compute.stop_server(server)
    standing.cloud.compute.wait_for_server(server, status="SHUTOFF", wait=60)
    lost = time.time()

    # The administrator's way by another control plane; reading, and writing, for which etcd needs its majority.
    away = eventually(lambda: standing.api(other).read_namespaced_service("kubernetes", "default") is not None, 30)
    note = {"metadata": {"name": "lost"}, "data": {"at": str(lost)}}
    written = eventually(lambda: bool(standing.api(other).create_namespaced_config_map("default", note)), 30)

    # From inside: nodes go on reporting, those that talked to the lost one's API server too.
    def reported(name: str) -> bool:
        return leases.read_namespaced_lease(name, "kube-node-lease").spec.renew_time.timestamp() > lost + 15

    kubelets = max(eventually(lambda name=name: reported(name), 60) for name in OTHERS)
    assert standing.host(other).run("/usr/local/bin/kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes").rc == 0

    # Scheduler and controller manager have moved, a pod starts and reaches the API by the service's address.
    gone = eventually(lambda: standing.ready(other) == set(OTHERS), 90)
    image = json.loads((standing.runtime / "facility.json").read_text())["analysis_image"]
    pod = {
        "metadata": {"name": "asks"},
        "spec": {
            "restartPolicy": "OnFailure",
            "containers": [{"name": "asks", "image": image, "command": ["python3", "-c", ASKS]}],
            "terminationGracePeriodSeconds": 0,
        },
    }
    standing.api(other).create_namespaced_pod("default", pod)
    asked = eventually(
        lambda: standing.api(other).read_namespaced_pod("asks", "default").status.phase == "Succeeded", 120
    )
    print(f"API {away:.1f} s, write {written:.1f}, kubelets {kubelets:.1f}, NotReady {gone:.1f}, pod {asked:.1f}")
    standing.api(other).delete_namespaced_pod("asks", "default")

    standing.cloud.compute.start_server(server)
    standing.cloud.compute.wait_for_server(server, status="ACTIVE", wait=60)
    eventually(lambda: standing.ready(FIRST) == set(NODES), 120)
    assert standing.api(FIRST).read_namespaced_config_map("lost", "default").data == note["data"]


def test_a_first_control_plane_that_is_built_anew_joins_the_others(standing: Planes) -> None:
    before = standing.api(OTHERS[0]).read_namespace("kube-system").metadata.uid
    second_site.terraform(standing.site, "apply", '-replace=openstack_compute_instance_v2.node["cp0"]')
    changed = standing.play("site")
    assert changed[FIRST] > 0
    assert standing.ready(FIRST) == set(NODES)
    assert standing.members(FIRST) == set(NODES)
    assert standing.api(FIRST).read_namespace("kube-system").metadata.uid == before, "another cluster was made"


def test_a_control_plane_leaves_and_comes_back(standing: Planes) -> None:
    last = OTHERS[1]
    standing.play("scale", "-e", f"scale_remove={last}")
    assert standing.ready(FIRST) == set(NODES) - {last}
    assert standing.members(FIRST) == set(NODES) - {last}
    standing.play("site")
    assert standing.members(FIRST) == set(NODES)
    assert {name: changed for name, changed in standing.play("site").items() if changed} == {}
