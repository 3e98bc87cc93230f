"""What goes wrong at a site: told with its name and what to do, and mended by typing the same command again.

The short tests look at the standing facility. The long ones make a second one, whose nodes may reach the mirror and one
another and nobody else: an offline site.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import second_site
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from plays import Ran, changes, play, said
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    from conftest import Site

pytestmark = pytest.mark.lab

SITE, NETWORK = "faults", "10.84.0"
FIRST, WORKER, THIRD = (f"{SITE}-{key}" for key in ("cp0", "w0", "w1"))
MIRROR, FILES, IMAGES, NOBODY = "172.31.250.2", 8080, 5000, "172.31.250.2:9"
ORDER = """\
  cp0 = { groups = ["controlplane", "etcd", "worker"], flavor = "c2.r4", data_volume_gib = 12 }
  w0  = { groups = ["worker"], flavor = "c1.r2", data_volume_gib = 12 }"""
MORE = '\n  w1  = { groups = ["worker"], flavor = "c1.r2", data_volume_gib = 12 }'
GROUPS = f'existing = {{ security_groups = {{ node = "{SITE}-inside", controlplane = "{SITE}-outside" }} }}'


def wait(what: str, done: Callable[[], bool], seconds: float) -> float:
    """Seconds until something holds."""
    started = time.monotonic()
    while not done():
        assert time.monotonic() < started + seconds, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.5)
    return time.monotonic() - started


def limit(seconds: float) -> float:
    """Seconds that something may take: three times as many where other work keeps the machine's processors busy."""
    return seconds if os.getloadavg()[0] < (os.cpu_count() or 1) else 3 * seconds


# --- the standing facility --------------------------------------------------------------------------------------------
@pytest.fixture
def stray(site: Site) -> Iterator[Site]:
    """A copy of the site `lab`, to spoil."""
    made = second_site.copied(site, "stray")
    try:
        yield made
    finally:
        second_site.remove(made)


def test_an_inventory_that_the_cloud_has_emptied_is_refused(stray: Site) -> None:
    """The plugin is content where no server matches; a playbook that says `no hosts matched` would end well."""
    source = stray.inventory / "openstack.yml"
    source.write_text(source.read_text().replace("facility: lab}", "facility: nobody}"))
    text = said(play(stray, "site"))
    assert "inventory/stray/openstack.yml names no node" in text
    assert "terraform/tf SITE apply" in text


def test_a_misspelt_variable_is_refused_before_a_node_is_touched(stray: Site) -> None:
    (stray.inventory / "group_vars" / "all" / "own.yml").write_text("dockr_users: [rocky]\n")
    run = play(stray, "site")
    assert "dockr_users in group_vars/all/own.yml line 1 is a name that nothing reads. Is docker_users meant?" in said(
        run
    )
    assert "lab-cp0" not in run.stdout


def test_a_mirror_that_is_gone_is_named_with_the_file(site: Site, repo: Path) -> None:
    wanted = {"name": "kubelet 9.9.9", "origin": "kubernetes", "path": "v9.9.9/bin/linux/amd64/kubelet"}
    files = [{**wanted, "sha256": "0" * 64, "dest": "/var/tmp/facility-none"}]
    fetching = {
        "hosts": "lab-w0", "become": True, "gather_facts": False, "roles": ["artifact"],
        "vars": {"artifact_files": files, "artifact_url_kubernetes": f"http://{NOBODY}/dl.k8s.io"},
    }  # fmt: skip
    book = repo / "playbooks" / ".mirror-gone.yml"
    book.write_text(json.dumps([fetching]))
    try:
        text = said(play(site, book.stem))
    finally:
        book.unlink()
    assert f"kubelet 9.9.9: http://{NOBODY}/dl.k8s.io/v9.9.9/bin/linux/amd64/kubelet was not put to" in text
    assert "Connection refused" in text
    assert "look at the mirror and at the artifact_url_* of the site" in text


@pytest.fixture
def nearly_full(site: Site) -> Iterator[str]:
    """A worker whose data volume, a loop device of its own, has 4 GiB left: too little to start with, no alarm yet."""
    node = "lab-w0"
    fill = "free=$(df --output=avail -B1 /data | tail -1); sudo fallocate -l $((free - (4 << 30))) /data/filler"
    try:
        made = site.on(node, fill)
        assert made.returncode == 0, made.stderr
        yield node
    finally:
        site.on(node, "sudo rm -f /data/filler")


def test_a_disk_that_is_nearly_full_is_named(site: Site, nearly_full: str) -> None:
    text = said(play(site, "validate", "--tags", "before"))
    assert re.search(rf"{nearly_full}: its data volume at /data has (3\.\d|4\.0) GiB free, 10 GiB are expected", text)
    assert "1 findings, nothing was changed" in text


# --- a facility of its own, without a way out -------------------------------------------------------------------------
@dataclass(frozen=True)
class Facility:
    """The second facility, and what can be done to it."""

    site: Site
    cloud: Any

    @property
    def runtime(self) -> Path:
        return self.site.runtime

    def play(self, name: str, *options: str) -> Ran:
        return play(self.site, name, *options)

    def on(self, node: str, command: str) -> Ran:
        return self.site.on(node, command)

    def does(self, node: str, command: str) -> str:
        done = self.on(node, command)
        assert done.returncode == 0, f"{node}: {command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def server(self, node: str) -> Any:
        return next(each for each in self.cloud.compute.servers(metadata={"facility": SITE}) if each.name == node)

    def power(self, node: str, state: str) -> None:
        """Switch a node off (SHUTOFF) or on (ACTIVE)."""
        act = self.cloud.compute.stop_server if state == "SHUTOFF" else self.cloud.compute.start_server
        act(self.server(node))
        wait(f"{node} is {state}", lambda: self.server(node).status == state, 60)

    @property
    def api(self) -> client.CoreV1Api:
        config.load_kube_config(str(self.runtime / "kubeconfig"))
        return client.CoreV1Api()

    def conditions(self, kind: str = "Ready") -> dict[str, str]:
        """Node → what Kubernetes says of a condition; nothing while it does not answer."""
        try:
            nodes = self.api.list_node(_request_timeout=3).items
        except (ApiException, HTTPError, OSError, config.ConfigException):
            return {}
        return {
            node.metadata.name: condition.status
            for node in nodes
            for condition in node.status.conditions
            if condition.type == kind
        }

    def ready(self, *nodes: str, since: datetime | None = None) -> bool:
        """Whether the cluster has these nodes and no other, and all of them and all pods are ready.

        With `since` the control plane's kubelet has to have said so after that, and its containers have to be younger.
        """
        if self.conditions() != dict.fromkeys(nodes, "True"):
            return False
        try:
            pods = self.api.list_pod_for_all_namespaces(_request_timeout=3).items
            first = self.api.read_node(FIRST, _request_timeout=3)
        except (ApiException, HTTPError, OSError):
            return False
        if since and any(each.last_heartbeat_time < since for each in first.status.conditions if each.type == "Ready"):
            return False
        for pod in pods:
            if pod.status.phase in ("Succeeded", "Failed"):
                continue
            if not all(each.status == "True" for each in pod.status.conditions or () if each.type == "Ready"):
                return False
            states = [each.state.running for each in pod.status.container_statuses or ()]
            if since and pod.spec.node_name == FIRST and not all(each and each.started_at >= since for each in states):
                return False
        return True

    def seconds(self, name: str) -> float:
        """What the last run of a playbook took."""
        return json.loads((self.runtime / "timing.json").read_text())[name]["seconds"]


def closed_groups(cloud: Any) -> list[Any]:
    """Security groups of an offline site: in, what docs/terraform.md lists; out, the mirror, nodes and name server."""
    inside, outside = (cloud.network.create_security_group(name=f"{SITE}-{side}") for side in ("inside", "outside"))
    for group in (inside, outside):
        for rule in cloud.network.security_group_rules(security_group_id=group.id, direction="egress"):
            cloud.network.delete_security_group_rule(rule)
    among = {"remote_group_id": inside.id}
    external = {"remote_ip_prefix": "172.31.250.0/24"}
    rules = [
        (inside, "ingress", among),
        (inside, "egress", among),
        (inside, "ingress", {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22, **external}),
        (outside, "ingress", {"protocol": "tcp", "port_range_min": 6443, "port_range_max": 6443, **external}),
        (
            inside,
            "egress",
            {"protocol": "udp", "port_range_min": 53, "port_range_max": 53, "remote_ip_prefix": f"{NETWORK}.1"},
        ),
    ]
    for port in (FILES, IMAGES):
        ports = {"protocol": "tcp", "port_range_min": port, "port_range_max": port}
        rules.append((inside, "egress", {**ports, "remote_ip_prefix": f"{MIRROR}/32"}))
    for group, direction, more in rules:
        cloud.network.create_security_group_rule(security_group_id=group.id, direction=direction, **more)
    return [inside, outside]


@pytest.fixture(scope="module")
def facility(site: Site) -> Iterator[Facility]:
    """Two machines that nothing is installed on."""
    made = Facility(second_site.named(site, SITE, NETWORK, ORDER, GROUPS), second_site.cloud(site))
    groups = closed_groups(made.cloud)
    try:
        with second_site.ordered(made.site):
            changes(made.play("access"))
            yield made
    finally:
        for group in groups:
            made.cloud.network.delete_security_group(group)


# In this order: each test begins with what the one before it has left.
@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_check_of_new_machines_tells_what_would_be_done(facility: Facility) -> None:
    run = facility.play("site", "--check", "--diff")
    assert all(changes(run)[node] > 10 for node in (FIRST, WORKER)), run.stdout[-4000:]
    assert "+  sandbox_image" in run.stdout
    for node in (FIRST, WORKER):
        assert facility.does(node, "ls -d /etc/facility /etc/containerd /usr/local/bin/kubelet 2>/dev/null; true") == ""
    assert not (facility.runtime / "kubeconfig").exists()


@pytest.mark.long
@pytest.mark.timeout(600)
def test_nodes_reach_the_mirror_and_each_other_alone(facility: Facility) -> None:
    """Without this the next tests would show nothing of an offline site."""
    addresses = {node: facility.server(node).addresses[SITE][0]["addr"] for node in (FIRST, WORKER)}
    for node, other in ((FIRST, WORKER), (WORKER, FIRST)):
        for port, path in ((FILES, "manifest.json"), (IMAGES, "v2/")):
            facility.does(node, f"curl -sS --fail --max-time 5 -o /dev/null http://{MIRROR}:{port}/{path}")
        facility.does(node, f"ping -c 1 -W 3 {addresses[other]}")
        # An address that answers to nodes with the usual security groups.
        assert facility.on(node, "ping -c 1 -W 2 172.31.250.1").returncode == 1


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("root", "value", "says"),
    [
        ("base_rpm_repository_url", f"http://{NOBODY}/rpm/", f"on {FIRST} from http://{NOBODY}/rpm/: Error: Failed to"),
        (
            "artifact_url_docker",
            f"http://{NOBODY}/docker",
            f"http://{NOBODY}/docker/linux/static/stable/x86_64/docker-20.10.24.tgz was not put to /var/cache/",
        ),
    ],
)
def test_a_mirror_that_is_gone_stops_the_installation(facility: Facility, root: str, value: str, says: str) -> None:
    text = said(facility.play("site", "-e", f"{root}={value}"))
    assert says in text
    assert facility.on(FIRST, "ls /etc/kubernetes/admin.conf").returncode != 0


@contextmanager
def installing(facility: Facility, until: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """`site.yml` at work, from the moment at which it has come to a task; with its output."""
    log = facility.runtime / "interrupted.log"
    command = ["ansible-playbook", "-i", f"inventory/{SITE}/openstack.yml", "playbooks/site.yml"]
    repo, env = facility.site.inventory.parents[1], facility.site.env
    with log.open("w") as out:
        run = subprocess.Popen(
            command, cwd=repo, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            wait(until, lambda: until in log.read_text(), 300)
            yield run, log
        finally:
            run.kill()
            run.wait()


@pytest.mark.long
@pytest.mark.timeout(600)
def test_an_installation_that_is_killed_has_made_no_control_plane(facility: Facility) -> None:
    """The next test goes on from here: what kubeadm has done so far counts for nothing."""
    with installing(facility, "Kubeadm has initialised the control plane"):
        manifests = "sudo ls /etc/kubernetes/manifests/kube-apiserver.yaml"
        wait("kubeadm is at work", lambda: facility.on(FIRST, manifests).returncode == 0, 120)
    assert facility.on(FIRST, "sudo ls /etc/facility/kubernetes-initialised").returncode != 0


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_node_that_went_off_in_the_middle_is_made_up_for(facility: Facility) -> None:
    try:
        with installing(facility, "Docker's programs are installed") as (run, log):
            facility.power(WORKER, "SHUTOFF")
            assert run.wait(timeout=600) != 0
        # Not always UNREACHABLE: a module that was at work has ended without its result.
        text = log.read_text()
        assert re.search(rf"fatal: \[{WORKER}\]: (UNREACHABLE|FAILED)", text), text[-4000:]

        # Off still: told before anything is done, with its name.
        text = said(facility.play("site", "-e", "access_timeout_s=5"))
        assert WORKER in text
        assert "PLAY [Nodes]" not in text
    finally:
        facility.power(WORKER, "ACTIVE")
    changes(facility.play("site"))
    assert facility.ready(FIRST, WORKER)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_an_offline_site_is_a_whole_facility(facility: Facility) -> None:
    """Made by the test before this one, with no way out at any time."""
    run = facility.play("site")
    assert set(changes(run).values()) == {0}, run.stdout[-4000:]
    written = json.loads((facility.runtime / "facility.json").read_text())
    assert set(written["nodes"]) == {FIRST, WORKER}
    images = facility.does(WORKER, "sudo /usr/local/bin/ctr -n k8s.io images list -q")
    assert written["analysis_image"] in images


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_third_node_joins_and_the_others_see_no_task(facility: Facility) -> None:
    second_site.order(facility.site, NETWORK, ORDER + MORE, GROUPS)
    second_site.terraform(facility.site, "apply")
    changes(facility.play("access"))
    allowed = limit(60)
    done = changes(facility.play("scale"))
    assert FIRST not in done
    assert WORKER not in done
    assert done[THIRD] > 0
    wait("three nodes", lambda: facility.ready(FIRST, WORKER, THIRD), 60)
    seconds = facility.seconds("scale.yml")
    print(f"a third node: {seconds} s, {allowed:.0f} s are allowed")
    assert seconds <= allowed


@pytest.mark.long
@pytest.mark.timeout(900)
def test_an_expired_token_is_told_and_the_next_run_has_another(facility: Facility) -> None:
    facility.api.delete_node(THIRD)
    text = said(facility.play("scale", "-e", "__kubernetes_token_ttl=1s"))
    assert f"kubeadm join did not come to its end on {THIRD}" in text
    assert "could not find a JWS signature in the cluster-info ConfigMap for token" in text
    assert "typing the same command again starts afresh, with a new token" in text
    assert THIRD not in facility.conditions()
    assert facility.on(THIRD, "sudo ls /run/facility-join.yaml").returncode != 0

    assert changes(facility.play("scale"))[THIRD] > 0
    wait("three nodes", lambda: facility.ready(FIRST, WORKER, THIRD), 60)
    assert facility.does(FIRST, "sudo /usr/local/bin/kubeadm token list -o json") == ""


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "half",
    [
        # The cluster knows it, and it has no credentials: what was interrupted before kubelet got its certificate.
        "sudo systemctl stop kubelet && sudo rm /etc/kubernetes/kubelet.conf",
        # It has credentials, and the cluster has forgotten it.
        "forgotten",
    ],
    ids=["without credentials", "forgotten"],
)
def test_a_half_joined_node_joins(facility: Facility, half: str) -> None:
    if half == "forgotten":
        facility.does(THIRD, "sudo systemctl stop kubelet")
        facility.api.delete_node(THIRD)
    else:
        facility.does(THIRD, half)
    done = changes(facility.play("site"))
    assert done[WORKER] == 0
    assert done[THIRD] > 0
    wait("three nodes", lambda: facility.ready(FIRST, WORKER, THIRD), 90)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_full_disk_is_named_and_made_room_on(facility: Facility) -> None:
    """The data volume, which is a loop device of a size of its own: the machine's disk is not filled."""
    image = json.loads((facility.runtime / "facility.json").read_text())["analysis_image"]
    facility.does(THIRD, f"sudo /usr/local/bin/crictl rmi {image}")
    facility.does(THIRD, "sudo fallocate -l $(df --output=avail -B1 /data | tail -1) /data/filler || true")
    try:
        assert facility.does(THIRD, "df --output=avail -BM /data | tail -1") == "0M"
        wait("disk pressure", lambda: facility.conditions("DiskPressure")[THIRD] == "True", 60)
        text = said(facility.play("validate", "--tags", "before"))
        # Kubelet removes images that nobody uses as soon as it sees the disk full.
        assert re.search(rf"{THIRD}: its data volume at /data has \d\.\d GiB free, 10 GiB are expected", text)
        text = said(facility.play("site"))
        assert re.search(rf"fatal: \[{THIRD}\].*no space left on device", text), text[-4000:]
    finally:
        facility.does(THIRD, "sudo rm /data/filler")
    changes(facility.play("site"))
    wait("three nodes", lambda: facility.ready(FIRST, WORKER, THIRD), 90)
    assert facility.conditions("DiskPressure")[THIRD] == "False"


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["SOFT", "HARD"])
def test_a_control_plane_that_restarts_is_ready_by_itself(facility: Facility, kind: str) -> None:
    before, allowed = facility.does(FIRST, "cat /proc/sys/kernel/random/boot_id"), limit(90)
    restarted = datetime.now(UTC).replace(microsecond=0)
    facility.cloud.compute.reboot_server(facility.server(FIRST), kind)
    seconds = wait("all is ready again", lambda: facility.ready(FIRST, WORKER, THIRD, since=restarted), allowed)
    print(f"a {kind} restart: {seconds:.0f} s, {allowed:.0f} s are allowed")
    assert facility.does(FIRST, "cat /proc/sys/kernel/random/boot_id") != before
    assert set(changes(facility.play("site")).values()) == {0}
