"""What is sent to the cluster and what comes back, without a cluster."""

from __future__ import annotations

import asyncio
import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bench_inputs import WORKLOAD

from bench.datasets import staging
from bench.datasets.files import sha256
from bench.engines.compat import accept_old_clusters, wait_for_names, with_singular_names
from bench.engines.envelope import Envelope, Failure, from_lines, to_lines
from bench.engines.incluster import JobFile, JobSpec, cluster_spec
from bench.engines.kubernetes import analysis_nodes, default_workers, job_manifest
from bench.engines.local import Serial
from bench.errors import BenchError, Exit
from bench.facility.kube import Kube, KubeNode, as_node, quantity
from bench.facility.scripted import command
from bench.facility.site import Facility, InstalledNode
from bench.report import schemas
from bench.run import run_here
from bench.terminal import Terminal

SPEC = JobSpec(
    name="bench-0a1b2c3d",
    namespace="bench",
    image="mirror:5000/facility/analysis@sha256:0",
    workload="fcc-zee",
    files=(JobFile(path="/var/lib/facility/datasets/0/x.root", sha256="0"),),
    dataset_folder="/var/lib/facility/datasets",
    repeats=3,
    replicas=None,
    workers=2,
    infn=False,
    nodes=("lab-cp0", "lab-w0"),
    mark="",
)


def node(name: str, cores: float = 2, memory_gib: int = 8, ready: bool = True, schedulable: bool = True) -> KubeNode:
    return KubeNode(name, ready, "", schedulable, cores, cores, memory_gib << 30)


def facility(*workers: str, allow_overcommit: bool = False) -> Facility:
    return Facility(
        site="lab",
        facility="lab",
        tfvars_sha256="",
        written="",
        nodes={name: InstalledNode(groups=frozenset({"worker"})) for name in workers},
        kubeconfig="",
        allow_overcommit=allow_overcommit,
    )


def pods_of(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    spec = manifest["spec"]
    return (
        [spec["template"]["spec"]] if "template" in spec else [spec[part]["spec"] for part in ("worker", "scheduler")]
    )


def test_the_dask_cluster_goes_with_its_job() -> None:
    owners = cluster_spec(SPEC, "1234")["metadata"]["ownerReferences"]
    assert owners == [{"apiVersion": "batch/v1", "kind": "Job", "name": SPEC.name, "uid": "1234"}]


def test_workers_have_one_thread_and_nobody_may_write_the_input() -> None:
    worker = cluster_spec(SPEC, "1234")["spec"]["worker"]
    arguments = worker["spec"]["containers"][0]["args"]
    assert worker["replicas"] == 2
    assert arguments[arguments.index("--nthreads") + 1] == "1"
    for manifest in (job_manifest(SPEC), cluster_spec(SPEC, "1234")):
        for pod in pods_of(manifest):
            for container in pod["containers"]:
                assert all(mount["readOnly"] for mount in container.get("volumeMounts", []))


def test_pods_leave_a_lost_node_soon() -> None:
    for manifest in (job_manifest(SPEC), cluster_spec(SPEC, "1234")):
        for pod in pods_of(manifest):
            seconds = {each["key"]: each.get("tolerationSeconds") for each in pod["tolerations"]}
            assert seconds["node.kubernetes.io/not-ready"] == seconds["node.kubernetes.io/unreachable"] == 20
            assert pod["terminationGracePeriodSeconds"] == 10


def test_a_job_that_nobody_waits_for_ends_and_is_removed() -> None:
    spec = job_manifest(SPEC)["spec"]
    assert spec["backoffLimit"] == 0
    assert spec["activeDeadlineSeconds"] > 0
    assert spec["ttlSecondsAfterFinished"] > 0


def test_kinds_of_old_clusters_get_their_names() -> None:
    old = [{"name": "pods", "singularName": "", "kind": "Pod"}, {"name": "x", "singularName": "ex", "kind": "X"}]
    assert [each["singularName"] for each in with_singular_names(old)] == ["pod", "ex"]


def test_the_libraries_still_have_what_is_mended() -> None:
    accept_old_clusters()
    wait_for_names()
    mended = importlib.import_module("kr8s._api").Api.async_api_resources_uncached
    patient = importlib.import_module("dask_kubernetes.operator.networking")._is_service_available
    for function in (mended, patient):
        assert function.__module__.startswith(("kr8s", "dask_kubernetes"))
        assert not hasattr(function.__wrapped__, "__wrapped__")
    address = asyncio.run(patient(host="localhost", port=8786, retries=1))
    assert address[0][4][1] == 8786


def test_default_number_of_workers() -> None:
    nodes = [node("a", cores=12, memory_gib=64), node("b", cores=12, memory_gib=6)]
    assert default_workers(facility("a", "b"), nodes) == 12 + 4
    assert default_workers(facility("a", "b", allow_overcommit=True), nodes) == 2


def test_only_nodes_for_analyses_that_can_take_work() -> None:
    nodes = [node("a"), node("b", ready=False), node("c", schedulable=False), node("other")]
    assert [each.name for each in analysis_nodes(facility("a", "b", "c"), nodes)] == ["a"]
    with pytest.raises(BenchError, match="of b none is Ready"):
        analysis_nodes(facility("b"), nodes)


@pytest.mark.parametrize(
    ("text", "value"), [("2", 2), ("1900m", 1.9), ("5941804Ki", 5941804 * 1024), ("6Gi", 6 << 30), ("1M", 1e6)]
)
def test_quantities(text: str, value: float) -> None:
    assert quantity(text) == pytest.approx(value)


def test_a_measurement_comes_back_as_it_was_sent(stand_in: Path, terminal: Terminal) -> None:
    result = run_here(WORKLOAD, [stand_in], Serial(), repeats=1, replicas=1, terminal=terminal)
    envelope = Envelope(measurement=result.measurement)
    lines = to_lines(envelope)
    assert len(lines) > 1 or len(lines[0]) < 4100
    assert from_lines(["before", *lines, "after"]) == envelope
    assert from_lines(lines[:-1]) is None
    assert from_lines([line.replace(line[-1], "A" if line[-1] != "A" else "B") for line in lines]) is None


def test_an_error_comes_back_as_it_was_raised() -> None:
    error = BenchError("what", "why", "next", Exit.INVALID)
    envelope = from_lines(to_lines(Envelope(failure=Failure.of(error))))
    assert envelope is not None
    assert envelope.failure is not None
    assert vars(envelope.failure.error()) == vars(error)


KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: a, user: {token: x}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
current-context: a
"""


@pytest.mark.parametrize("ask", [lambda kube: kube.nodes(), lambda kube: kube.execute("pod", ["true"])])
def test_an_api_that_does_not_answer_is_named(ask: Callable[[Kube], object], tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    with pytest.raises(BenchError, match=r"https://127\.0\.0\.1:1: the Kubernetes API does not answer") as caught:
        ask(Kube(path))
    assert caught.value.status == Exit.CANNOT_TELL
    assert str(path) in str(caught.value)


class ShellInsteadOfPods:
    """Runs on this machine what would be run on nodes."""

    def __init__(self) -> None:
        self.cut = False

    def execute(self, _pod: str, command: list[str], stdin: Iterator[bytes] | None = None) -> tuple[int, str, str]:
        data = b"".join(stdin or ())
        if self.cut:
            data = data[:-1] + b"?"
        done = subprocess.run(command, input=data, capture_output=True)
        return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_staging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: Terminal) -> None:
    from contextlib import nullcontext

    monkeypatch.setattr(staging, "NODE_FOLDER", tmp_path / "node")
    monkeypatch.setattr(staging, "helpers", lambda *_: nullcontext({"lab-w0": "pod"}))
    source = tmp_path / "data.root"
    source.write_bytes(b"x" * 200_000)
    files = {source: sha256(source)}
    shell: Any = ShellInsteadOfPods()

    shell.cut = True
    with pytest.raises(BenchError, match="did not arrive on node lab-w0: what arrived has sha256"):
        staging.stage(shell, ["lab-w0"], "image", files, terminal)
    assert list((tmp_path / "node" / files[source]).iterdir()) == []

    shell.cut = False
    assert staging.stage(shell, ["lab-w0"], "image", files, terminal) == 200_000
    assert (tmp_path / "node" / files[source] / "data.root").read_bytes() == source.read_bytes()
    assert staging.stage(shell, ["lab-w0"], "image", files, terminal) == 0


def test_the_burn_counts_processor_time() -> None:
    ran = subprocess.run(
        [sys.executable, *command("burn", 1, 0.3, 0.5)[1:]], capture_output=True, text=True, check=True
    )
    found = json.loads(ran.stdout)
    assert found["wall_s"] == pytest.approx(0.5, abs=0.2)
    assert 0 < found["cpu_s"] <= found["wall_s"] * 1.05


@pytest.mark.parametrize("name", list(schemas.RECORDS))
def test_the_committed_schema_is_that_of_the_result(name: str) -> None:
    assert schemas.schema_path(name).read_text() == schemas.schema_text(name), "python -m bench.report.schemas"


def test_a_node_that_has_never_reported_has_no_cores() -> None:
    empty = SimpleNamespace(
        metadata=SimpleNamespace(name="lab-w0", labels=None),
        spec=SimpleNamespace(unschedulable=None, taints=None),
        status=SimpleNamespace(conditions=None, capacity=None, allocatable=None, node_info=None, images=None),
    )
    found = as_node(empty)
    assert (found.ready, found.capacity_cores, found.allocatable_cores, found.allocatable_memory_bytes) == (
        False,
        0,
        0,
        0,
    )
    assert found.reason == "its kubelet has never reported"


def test_a_node_is_read_with_all_that_is_compared() -> None:
    found = as_node(
        SimpleNamespace(
            metadata=SimpleNamespace(
                name="lab-cp0", labels={"kubernetes.io/os": "linux", "node-role.kubernetes.io/control-plane": ""}
            ),
            spec=SimpleNamespace(
                unschedulable=True,
                taints=[SimpleNamespace(key="node.kubernetes.io/unschedulable", effect="NoSchedule")],
            ),
            status=SimpleNamespace(
                conditions=[SimpleNamespace(type="Ready", status="True", reason="KubeletReady", message="")],
                capacity={"cpu": "4", "memory": "4194304Ki"},
                allocatable={"cpu": "1900m", "memory": "4091904Ki"},
                node_info=SimpleNamespace(
                    kubelet_version="v1.26.3", container_runtime_version="containerd://1.6.20", boot_id="b"
                ),
                images=[SimpleNamespace(names=["a@sha256:0", "a:1"], size_bytes=7), SimpleNamespace(names=None)],
            ),
        )
    )
    assert (found.ready, found.schedulable, found.capacity_cores) == (True, False, 4)
    assert found.allocatable_cores == pytest.approx(1.9)
    assert (found.capacity_memory_bytes, found.allocatable_memory_bytes) == (4 << 30, 4091904 << 10)
    assert found.roles == {"control-plane"}
    assert found.taints == ("node.kubernetes.io/unschedulable:NoSchedule",)
    assert (found.kubelet, found.runtime, found.boot_id) == ("v1.26.3", "containerd://1.6.20", "b")
    assert found.images == {"a@sha256:0": 7, "a:1": 7}
