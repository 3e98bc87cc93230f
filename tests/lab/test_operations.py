"""What is done to a standing facility: nodes come and go, certificates are renewed, everything is taken off again."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import plays
import pytest
import testinfra
from kubernetes import client, config
from plays import Ran, changes, said
from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import Site

pytestmark = pytest.mark.lab

FIRST, WORKER = "lab-cp0", "lab-w0"
Play = Callable[..., Ran]

# What a node has: files that are nobody's data, units, interfaces and mount points.
TRACES = """
find /etc /usr/local /opt /var/lib /var/cache -xdev \\( -path /var/lib/rpm -o -path /var/lib/dnf \
  -o -path /var/cache/dnf -o -path /var/lib/systemd \
  -o -path /var/lib/cloud -o -path /var/lib/private \\) -prune -o -print
systemctl list-unit-files --no-legend --type=service,timer | awk '{print "unit", $1}'
ls /sys/class/net | sed 's/^/link /'
awk '{print "mount", $2}' /proc/mounts | grep -v /sys/ | sort
"""
# Packages stay, and what they brought; so do folders that others may use too.
STAYS = re.compile(
    r"chrony|/etc/(network|ethertypes|protocols|rpc|services|logrotate\.d|apparmor\.d)|/var/lib/(facility|node_exporter)$"
    r"|/var/cache/(ldconfig|debconf)|^unit (run-|user-)|^mount /run/user"
)


@pytest.fixture
def play(site: Site) -> Play:
    """Run a playbook on the site `lab`."""
    return functools.partial(plays.play, site)


@pytest.fixture
def api(kubeconfig: Path) -> client.CoreV1Api:
    config.load_kube_config(str(kubeconfig))
    return client.CoreV1Api()


def host(facility_dir: Path, name: str) -> Host:
    return testinfra.get_host(f"ssh://{name}", ssh_config=str(facility_dir / "ssh_config"), sudo=True)


def names(api: client.CoreV1Api) -> set[str]:
    return {node.metadata.name for node in api.list_node().items}


def served(facility_dir: Path) -> str:
    """Fingerprint of the certificate that the API shows."""
    address = json.loads((facility_dir / "facility.json").read_text())["nodes"][FIRST]["floating_ip"]
    return hashlib.sha256(ssl.get_server_certificate((address, 6443)).encode()).hexdigest()


# --- certificates -----------------------------------------------------------------------------------------------------
def test_days_of_certificates_are_a_metric(lab: dict[str, str], facility_dir: Path) -> None:
    text = host(facility_dir, FIRST).file("/var/lib/node_exporter/textfile/facility_certificates.prom").content_string
    days = dict(re.findall(r'^facility_certificate_days_left\{certificate="(.+)"\} (\d+)$', text, re.MULTILINE))
    assert {"apiserver", "etcd/server", "ca", "admin.conf"} <= set(days)
    assert 300 < int(days["apiserver"]) <= 365
    assert host(facility_dir, FIRST).service("facility-certificates.timer").is_running


def test_certificates_that_last_are_left_alone(play: Play, facility_dir: Path) -> None:
    before = served(facility_dir)
    assert changes(play("certificates")) == {"localhost": 0, FIRST: 0}
    assert served(facility_dir) == before


@pytest.mark.long
@pytest.mark.parametrize("option", ["certificates_renew=true", "certificates_renew_below_days=400"])
def test_renewed_certificates_are_the_ones_in_use(
    play: Play, facility_dir: Path, kubeconfig: Path, option: str
) -> None:
    before, access = served(facility_dir), kubeconfig.read_text()
    assert changes(play("certificates", "-e", option))[FIRST] > 0
    assert served(facility_dir) != before
    assert kubeconfig.read_text() != access
    assert kubeconfig.stat().st_mode & 0o777 == 0o600
    config.load_kube_config(str(kubeconfig))
    assert names(client.CoreV1Api()) == {FIRST, WORKER}


# --- nodes come and go ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("remove", "says"),
    [
        (FIRST, f"scale_remove names the control plane {FIRST}"),
        ("lab-w9", "scale_remove names lab-w9, and the cluster has only"),
    ],
)
def test_a_cluster_is_not_taken_apart(play: Play, api: client.CoreV1Api, remove: str, says: str) -> None:
    assert says in said(play("scale", "-e", f"scale_remove={remove}"))
    assert names(api) == {FIRST, WORKER}
    assert not any(node.spec.unschedulable for node in api.list_node().items)


@pytest.fixture
def kept(api: client.CoreV1Api) -> Iterator[str]:
    """A pod on the worker that its disruption budget lets nobody evict."""
    labels = {"app": "kept"}
    image = next(
        name for node in api.list_node().items for each in node.status.images for name in each.names if "pause" in name
    )
    budgets = client.PolicyV1Api()
    budget = {"metadata": {"name": "kept"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": labels}}}
    budgets.create_namespaced_pod_disruption_budget("default", budget)
    spec = {"nodeName": WORKER, "containers": [{"name": "kept", "image": image}], "terminationGracePeriodSeconds": 0}
    api.create_namespaced_pod("default", {"metadata": {"name": "kept", "labels": labels}, "spec": spec})
    deadline = time.monotonic() + 60
    while api.read_namespaced_pod("kept", "default").status.phase != "Running" and time.monotonic() < deadline:
        time.sleep(0.5)
    yield "kept"
    api.delete_namespaced_pod("kept", "default", grace_period_seconds=0)
    budgets.delete_namespaced_pod_disruption_budget("kept", "default")


def test_what_keeps_a_node_from_leaving_is_named(play: Play, api: client.CoreV1Api, kept: str) -> None:
    try:
        text = said(play("scale", "-e", f"scale_remove={WORKER}", "-e", "scale_drain_timeout_s=5"))
        assert f"{WORKER} was not empty after 5 s and stays in the cluster, cordoned" in text
        assert f"Disruption budgets that allow nothing: {kept}" in text
        assert names(api) == {FIRST, WORKER}
    finally:
        api.patch_node(WORKER, {"spec": {"unschedulable": False}})


@pytest.mark.long
def test_a_node_leaves_and_another_one_joins(play: Play, api: client.CoreV1Api, facility_dir: Path) -> None:
    left = changes(play("scale", "-e", f"scale_remove={WORKER}"))
    assert FIRST not in left
    assert names(api) == {FIRST}
    assert not host(facility_dir, WORKER).file("/usr/local/bin/kubelet").exists
    joined = changes(play("scale"))
    assert FIRST not in joined, "a node that was there saw a task"
    assert joined[WORKER] > 0
    nodes = {node.metadata.name: node for node in api.list_node().items}
    assert set(nodes) == {FIRST, WORKER}
    assert "node-role.kubernetes.io/worker" in nodes[WORKER].metadata.labels
    assert set(json.loads((facility_dir / "facility.json").read_text())["nodes"]) == {FIRST, WORKER}


# --- all of it --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("answer", ["", "napoli-2vm"])
def test_a_reset_has_to_be_meant(play: Play, api: client.CoreV1Api, answer: str) -> None:
    assert "This is facility lab" in said(play("reset", "-e", f"reset_confirm={answer}"))
    assert names(api) == {FIRST, WORKER}


@pytest.mark.long
def test_a_reset_leaves_nodes_as_they_were(
    play: Play, repo: Path, lab: dict[str, str], facility_dir: Path, kubeconfig: Path
) -> None:
    fresh = [f'-replace=openstack_compute_instance_v2.node["{key}"]' for key in ("cp0", "w0")]
    made = subprocess.run(
        [str(repo / "terraform" / "tf"), "lab", "apply", "-auto-approve", *fresh],
        cwd=repo, env=lab, capture_output=True, text=True,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    changes(play("access"))
    before = {name: host(facility_dir, name).check_output(TRACES).splitlines() for name in (FIRST, WORKER)}
    changes(play("site"))
    changes(play("reset", "-e", "reset_confirm=lab"))
    assert not kubeconfig.exists()
    for name, lines in before.items():
        after = host(facility_dir, name).check_output(TRACES).splitlines()
        assert [line for line in sorted(set(after) ^ set(lines)) if not STAYS.search(line)] == [], name
    changes(play("reset", "-e", "reset_confirm=lab"))
    changes(play("site"))
    config.load_kube_config(str(kubeconfig))
    assert names(client.CoreV1Api()) == {FIRST, WORKER}


@pytest.mark.long
def test_a_lost_control_plane_comes_back_from_a_backup(
    play: Play, api: client.CoreV1Api, facility_dir: Path, kubeconfig: Path
) -> None:
    api.create_namespaced_config_map("default", {"metadata": {"name": "mine"}, "data": {"a": "b"}})
    changes(play("backup"))
    backup = max(path for path in (facility_dir / "backups").iterdir())
    assert backup.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in backup.iterdir()} == dict.fromkeys(
        ("backup.json", "etcd.db", "kubeadm.yaml", "pki.tar"), 0o600
    )
    assert not host(facility_dir, FIRST).file("/run/facility-backup").exists
    assert "has a cluster" in said(play("restore", "-e", f"backup_from={backup.name}"))

    changes(play("reset", "-e", "reset_confirm=lab", "--limit", FIRST))
    for spoil, says in ((damage, "it is damaged"), (estrange, "of facility other")):
        with spoilt(backup, spoil) as name:
            assert says in said(play("restore", "-e", f"backup_from={name}"))
    assert "There is no whole backup" in said(play("restore", "-e", "backup_from=never"))

    restored = changes(play("restore", "-e", f"backup_from={backup.name}"))
    assert restored[WORKER] == 0, "a worker that was in the cluster had to be joined again"
    config.load_kube_config(str(kubeconfig))
    api = client.CoreV1Api()
    assert names(api) == {FIRST, WORKER}
    assert api.read_namespaced_config_map("mine", "default").data == {"a": "b"}
    api.delete_namespaced_config_map("mine", "default")
    shutil.rmtree(backup)


def damage(backup: Path) -> None:
    with (backup / "etcd.db").open("ab") as file:
        file.write(b"x")


def estrange(backup: Path) -> None:
    found = json.loads((backup / "backup.json").read_text())
    (backup / "backup.json").write_text(json.dumps({**found, "facility": "other"}))


@contextmanager
def spoilt(backup: Path, spoil: Callable[[Path], None]) -> Iterator[str]:
    """The name of a copy of a backup to which something was done."""
    copy = backup.with_name(f"{backup.name}-spoilt")
    shutil.copytree(backup, copy)
    spoil(copy)
    try:
        yield copy.name
    finally:
        shutil.rmtree(copy)
