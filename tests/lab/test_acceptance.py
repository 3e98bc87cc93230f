"""`bench validate` on the standing facility: sound, broken in each way that a lab can be, and put right again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
from cluster_tools import WORKER, bench, kubectl, leftovers, on_node, ready, wait_for, wait_for_pods

from bench.facility.answers import Answers
from bench.facility.clock import read_clock
from bench.facility.cloud import Flavor
from bench.facility.declared import Order, OrderedNode
from bench.facility.disk import measure_disk
from bench.facility.guest import LOOKING, look
from bench.facility.kube import Kube
from bench.facility.measured import Measured, Plan
from bench.facility.network import measure_links, serving
from bench.facility.pods import Helpers, each_helper
from bench.facility.rows import Verdict
from bench.facility.scripted import command
from bench.facility.thresholds import Thresholds
from bench.report.validation import RowRecord, ValidateResult
from bench.terminal import Terminal
from bench.validate import Observers, exit_status, observers, validate

if TYPE_CHECKING:
    from conftest import Site

pytestmark = pytest.mark.lab

CONTROL = "lab-cp0"


# --- how a test looks: the real cloud, the real cluster, and only the measurement that it is about -------------------
@dataclass(frozen=True)
class Only:
    """Measures what a test is about, in pods on all nodes."""

    kube: Kube
    question: Callable[[Helpers], Measured] | None = None

    def measure(self, plan: Plan, terminal: Terminal) -> Measured:
        if self.question is None:
            return Measured()
        with each_helper(self.kube, list(plan.cores), plan.image, "test", serving(LOOKING)) as helpers:
            assert not helpers.failures, helpers.failures
            return self.question(helpers)


@pytest.fixture(scope="module")
def kube(kubeconfig: Path) -> Kube:
    return Kube(kubeconfig)


def look_at(kube: Kube, question: Callable[[Helpers], Measured] | None = None, **sources: Any) -> ValidateResult:
    found: Observers = replace(observers("lab"), prober=lambda _facility: Only(kube, question), **sources)
    return validate("lab", found, Terminal())


def failed(result: ValidateResult, node: str, check: str) -> RowRecord:
    """The row that names it; nothing else may have failed on another node."""
    rows = [row for row in result.rows if row.verdict is Verdict.FAILED]
    assert all(node in row.nodes for row in rows), rows
    assert exit_status(result) == 1
    return next(row for row in rows if row.check == check)


# --- sound -----------------------------------------------------------------------------------------------------------
def test_a_sound_facility_is_as_ordered(site: Site, tmp_path: Path) -> None:
    ran = site.run("bench", "validate", "--site", site.name, "--out", tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    result = ValidateResult.model_validate_json((tmp_path / "validate.json").read_text())
    assert sorted(node.name for node in result.nodes) == site.nodes
    for node in result.nodes:
        assert node.declared_cores == node.built_cores == node.joined_cores == 2
        assert node.joined_status == "Ready"
        assert 0.1 < (node.delivered_together_cores or 0) <= 2.1
        assert 0.1 < (node.delivered_alone_cores or 0) <= 2.1
    # The guests cannot have more than this machine.
    assert sum(node.delivered_together_cores or 0 for node in result.nodes) <= 1.05 * (os.cpu_count() or 1)
    rows = {(row.nodes, row.check): row for row in result.rows}
    for name in site.nodes:
        for check in (
            "built", "flavor", "joined", "schedulable", "roles", "kubelet", "container runtime", "cores in Kubernetes",
            "cores in a pod", "memory in Kubernetes", "memory in the guest", "limits", "allocatable cores",
            "allocatable memory", "analysis image", "a pod starts", "clock offset", "memory touched", "disk write",
            "disk read", "disk sync", "DNS", "service", "pod start, p50", "pod start, p95",
        ):  # fmt: skip
            assert rows[(name,), check].verdict in (Verdict.OK, Verdict.WARNING), rows[(name,), check]
    for pair in permutations(site.nodes, 2):
        assert (rows[pair, "bandwidth"].value or 0) > 0
    assert rows[(), "Dask workers start"].value
    suite = ElementTree.parse(tmp_path / "validate.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == (str(len(result.rows)), "0")
    assert leftovers(site.runtime / "kubeconfig") == []


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
def test_shared_cores_fail_where_they_are_not_allowed(
    lab: dict[str, str], repo: Path, kubeconfig: Path, tmp_path: Path
) -> None:
    """The guests have twice the cores of a machine of two: all at once they cannot have them."""
    ran = bench("validate", "--quick", "--out", str(tmp_path), repo=repo, env=lab)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    result = ValidateResult.model_validate_json((tmp_path / "validate.json").read_text())
    short = [row for row in result.rows if row.check == "cores delivered, all nodes at once"]
    assert [row.verdict for row in short] == [Verdict.FAILED, Verdict.FAILED]
    assert all(f"delivered {row.value:.2f} of 2" in row.cause for row in short)
    assert not any(row.check == "disk write" for row in result.rows)
    assert leftovers(kubeconfig) == []


# --- broken in Kubernetes --------------------------------------------------------------------------------------------
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


@pytest.mark.usefixtures("restored")
def test_a_worker_removed_from_the_cluster_is_named(kube: Kube, kubeconfig: Path) -> None:
    kubectl("delete", "node", WORKER, kubeconfig=kubeconfig)
    # Its kubelet keeps running and does not register again by itself.
    assert failed(look_at(kube), WORKER, "joined").cause.startswith("built, not joined")


@pytest.mark.usefixtures("restored")
def test_a_node_that_is_not_ready_is_named(kube: Kube, kubeconfig: Path, facility_dir: Path) -> None:
    on_node(WORKER, "sudo systemctl stop kubelet", facility_dir)
    wait_for(WORKER, {"Unknown", "False"}, kubeconfig)
    assert failed(look_at(kube), WORKER, "joined").cause.startswith("joined, but NotReady")


@contextmanager
def undone(action: Sequence[str], undo: Sequence[str], kubeconfig: Path) -> Iterator[None]:
    kubectl(*action, kubeconfig=kubeconfig)
    try:
        yield
    finally:
        kubectl(*undo, kubeconfig=kubeconfig)


def test_a_cordoned_node_is_named(kube: Kube, kubeconfig: Path) -> None:
    with undone(["cordon", WORKER], ["uncordon", WORKER], kubeconfig):
        assert "kubectl uncordon" in failed(look_at(kube), WORKER, "schedulable").cause


def test_a_taint_is_named(kube: Kube, kubeconfig: Path) -> None:
    taint = "site.example.org/broken=:NoSchedule"
    with undone(["taint", "node", WORKER, taint], ["taint", "node", WORKER, taint + "-"], kubeconfig):
        assert "site.example.org/broken" in failed(look_at(kube), WORKER, "schedulable").observed


def test_a_role_that_is_missing_is_named(kube: Kube, kubeconfig: Path) -> None:
    label = "node-role.kubernetes.io/worker"
    with undone(["label", "node", WORKER, label + "-"], ["label", "node", WORKER, label + "="], kubeconfig):
        assert "it is not labelled worker" in failed(look_at(kube), WORKER, "roles").cause


def allocatable(name: str, kubeconfig: Path) -> str:
    return kubectl("get", "node", name, "-o", "jsonpath={.status.allocatable.cpu}", kubeconfig=kubeconfig)


def test_cores_that_kubelet_reserves_are_named(kube: Kube, kubeconfig: Path, facility_dir: Path) -> None:
    def restart(change: str, cores: str) -> None:
        on_node(WORKER, f"sudo sh -c '{change}' && sudo systemctl restart kubelet", facility_dir)
        deadline = time.monotonic() + 120
        while allocatable(WORKER, kubeconfig) != cores or ready(WORKER, kubeconfig) != "True":
            assert time.monotonic() < deadline, allocatable(WORKER, kubeconfig)
            time.sleep(1)

    settings = "/var/lib/kubelet/config.yaml"
    try:
        restart(f"cp {settings} {settings}.kept; echo kubeReserved: {{cpu: 1000m}} >> {settings}", "1")
        row = failed(look_at(kube), WORKER, "allocatable cores")
        assert row.cause.startswith("kubelet reserves 1 core ")
    finally:
        restart(f"[ ! -e {settings}.kept ] || mv {settings}.kept {settings}", "2")


# --- another order than what is there --------------------------------------------------------------------------------
def ordered(**nodes: OrderedNode) -> Order:
    """The site's order with nodes changed or added."""
    order = observers("lab").order()
    return order.model_copy(update={"nodes": {**order.nodes, **nodes}})


WORKS = frozenset({"worker"})


def test_a_node_that_was_not_built_is_named(kube: Kube) -> None:
    order = ordered(w1=OrderedNode(flavor="c2.r6", groups=WORKS))
    assert failed(look_at(kube, order=lambda: order), "lab-w1", "built").cause.startswith("ordered, not built")


def test_a_node_too_many_is_named(kube: Kube) -> None:
    order = ordered()
    order = order.model_copy(update={"nodes": {"cp0": order.nodes["cp0"]}})
    assert failed(look_at(kube, order=lambda: order), WORKER, "built").cause.startswith("one node too many")


def test_another_flavor_and_half_of_its_memory_are_named(kube: Kube) -> None:
    """The node that is there has 6 GiB; 12 were ordered."""

    class Twice:
        def __init__(self, cloud: Any) -> None:
            self.servers = cloud.servers
            self.flavors = lambda: {**cloud.flavors(), "c2.r12": Flavor(2, 12288)}

    order, real = ordered(w0=OrderedNode(flavor="c2.r12", groups=WORKS)), observers("lab").cloud

    def seen(helpers: Helpers) -> Measured:
        return Measured(guests=Answers({node: look(kube, pod.name) for node, pod in helpers.pods.items()}))

    result = look_at(kube, seen, order=lambda: order, cloud=lambda each: Twice(real(each)))
    assert failed(result, WORKER, "flavor").observed == "c2.r6 (2 cores, 6144 MiB)"
    for check in ("memory in the guest", "memory in Kubernetes"):
        assert failed(result, WORKER, check).cause.startswith("0.50 of what the flavor has")


def test_a_version_apart_is_named(kube: Kube) -> None:
    facility = observers("lab").facility()
    newer = facility.model_copy(update={"versions": {**facility.versions, "kubernetes": "1.99.0"}})
    rows = [row for row in look_at(kube, facility=lambda: newer).rows if row.verdict is Verdict.FAILED]
    assert {(row.nodes, row.check, row.expected) for row in rows} == {
        ((name,), "kubelet", "1.99.0") for name in (CONTROL, WORKER)
    }


# --- slow ------------------------------------------------------------------------------------------------------------
def test_a_slow_link_is_named(kube: Kube, facility_dir: Path) -> None:
    """Of what pods on the worker send to other nodes 20 Mbit/s pass."""

    def slow(helpers: Helpers) -> Measured:
        device = "dev flannel.1 root"
        on_node(WORKER, f"sudo tc qdisc replace {device} tbf rate 20mbit burst 64kb latency 50ms", facility_dir)
        try:
            return Measured(links=measure_links(kube, helpers.pods))
        finally:
            on_node(WORKER, f"sudo tc qdisc del {device}", facility_dir)

    row = failed(look_at(kube, slow), WORKER, "bandwidth")
    assert row.nodes == (WORKER, CONTROL)
    assert (row.value or 0) < 25
    assert row.cause.startswith("slow link")


# The pod's control group on the node, and the disk below its folder: of a partition its disk.
THROTTLE = """
set -eu
device=$(stat -c %d /var/lib/kubelet)
number=$((device >> 8 & 0xfff)):$((device & 0xff))
[ ! -e /sys/dev/block/$number/partition ] || number=$(cat /sys/dev/block/$number/../dev)
uid=$(echo "$1" | tr - _)
found=0
for group in $(find /sys/fs/cgroup/blkio -type d -path "*pod$uid*"); do
    for way in read write; do echo "$number 4194304" > "$group/blkio.throttle.${way}_bps_device"; done
    found=1
done
[ $found = 1 ]
"""


def test_a_slow_disk_is_named(kube: Kube, facility_dir: Path) -> None:
    """What the pod on the worker reads and writes is throttled to 4 MiB/s."""

    def slow(helpers: Helpers) -> Measured:
        on_node(WORKER, f"sudo sh -c '{THROTTLE}' throttle {helpers.pods[WORKER].uid}", facility_dir)
        return Measured(disks=Answers({node: measure_disk(kube, pod.name) for node, pod in helpers.pods.items()}))

    row = failed(look_at(kube, slow), WORKER, "disk write")
    assert (row.value or 0) < 6
    assert row.cause.startswith("slow disk: a throttle")


def test_a_clock_that_is_off_is_named(kube: Kube) -> None:
    """A double: guests have the machine's clock, so the program that tells the time on the worker adds 90 s."""
    ahead = "import time; real = time.time; time.time = lambda: real() + 90\n" + command("clock")[2]

    def off(helpers: Helpers) -> Measured:
        clocks = {
            node: read_clock(kube, pod.name, ["python3", "-c", ahead] if node == WORKER else None)
            for node, pod in helpers.pods.items()
        }
        return Measured(clocks=Answers(clocks))

    row = failed(look_at(kube, off), WORKER, "clock offset")
    assert row.value == pytest.approx(90, abs=1)
    assert "ahead of this machine's" in row.cause


def test_a_threshold_of_the_site_decides(kube: Kube, facility_dir: Path) -> None:
    facility = observers("lab").facility()
    impossible = facility.model_copy(update={"thresholds": Thresholds(allocatable_memory_share_min=1)})
    rows = [row for row in look_at(kube, facility=lambda: impossible).rows if row.verdict is Verdict.FAILED]
    assert {row.check for row in rows} == {"allocatable memory"}


# --- interrupted -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("when", ["burning", pytest.param("start of Dask workers", marks=pytest.mark.long)])
def test_an_interrupted_look_leaves_nothing(
    lab: dict[str, str], repo: Path, kubeconfig: Path, tmp_path: Path, when: str
) -> None:
    process = subprocess.Popen(
        ["bench", "validate", "--site", "lab", "--out", str(tmp_path)],
        cwd=repo, env=lab, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if when in line:
            break
    if when != "burning":
        deadline = time.monotonic() + 60
        while not any(each.startswith("DaskCluster") for each in leftovers(kubeconfig)):
            assert time.monotonic() < deadline
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=180)
    assert process.returncode == 128 + signal.SIGINT, rest
    assert leftovers(kubeconfig) == []
    assert not (tmp_path / "validate.json").exists()
