"""What is sent to nodes to be measured, tried on this machine; and that nothing stays where it was sent."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tornado.httpserver
import tornado.netutil
import tornado.web
import tornado.websocket
from test_cluster import SPEC

from bench.engines.incluster import cluster_spec
from bench.engines.worker_start import measure_workers, owned_by
from bench.errors import BenchError
from bench.facility import burn, clock, disk, guest, pods, starts
from bench.facility.answers import ask_each
from bench.facility.clock import read_clock
from bench.facility.disk import Disk
from bench.facility.guest import LOOKING, Guest
from bench.facility.kube import Kube, PodState
from bench.facility.measured import Plan, PodProber
from bench.facility.memory import Touched
from bench.facility.network import Link, serving
from bench.facility.pods import Shape, each_helper, helper_job
from bench.facility.scripted import command, run_script
from bench.facility.services import Services
from bench.terminal import Terminal


def run(script: str, *arguments: object, **environment: str) -> str:
    line = [sys.executable, *command(script, *arguments)[1:]]
    return subprocess.run(line, capture_output=True, text=True, check=True, timeout=60, env=environment or None).stdout


def test_a_guest_is_seen_with_the_limits_of_either_version_of_control_groups(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  4096 kB\nMemFree: 1 kB\nMemAvailable:  2048 kB\nHugePages_Total: 0\n")

    def seen() -> Guest:
        return Guest.model_validate_json(run("guest", meminfo, tmp_path))

    assert (seen().memory_bytes, seen().available_bytes) == (4096 << 10, 2048 << 10)
    assert (seen().quota_cores, seen().limit_bytes) == (None, None)
    for group, name, text in (
        ("memory/kubepods.slice", "memory.limit_in_bytes", "3221225472"),
        ("memory", "memory.limit_in_bytes", "9223372036854771712"),
        ("cpu", "cpu.cfs_quota_us", "150000"),
        ("cpu", "cpu.cfs_period_us", "100000"),
        ("cpu/kubepods.slice", "cpu.cfs_quota_us", "-1"),
    ):
        (tmp_path / group).mkdir(parents=True, exist_ok=True)
        (tmp_path / group / name).write_text(text + "\n")
    assert (seen().quota_cores, seen().limit_bytes) == (1.5, 3 << 30)
    for old in ("memory", "cpu"):
        subprocess.run(["rm", "-r", tmp_path / old], check=True)
    (tmp_path / "kubepods.slice").mkdir()
    (tmp_path / "kubepods.slice" / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "kubepods.slice" / "memory.max").write_text("max\n")
    assert (seen().quota_cores, seen().limit_bytes) == (0.5, None)


def test_memory_is_touched() -> None:
    found = Touched.model_validate_json(run("memory", 16))
    assert found.touched_mib == found.wanted_mib == 16
    assert found.wall_s > 0
    limited = ["sh", "-c", 'ulimit -v 200000; exec "$0" "$@"', sys.executable, *command("memory", 512)[1:]]
    ran = subprocess.run(limited, capture_output=True, text=True, check=True, timeout=60)
    assert Touched.model_validate_json(ran.stdout).touched_mib == 0


def test_the_disk_is_measured_within_its_bounds_and_nothing_is_left(tmp_path: Path) -> None:
    found = Disk.model_validate_json(run("disk", tmp_path, 8 << 20, 5))
    assert found.written_bytes == found.read_bytes == 8 << 20
    assert found.write_mb_s > 0
    assert found.read_mb_s > 0
    assert found.sync_s > 0
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def port() -> Iterator[int]:
    """A port on which the other end of a connection listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = int(free.getsockname()[1])
    with subprocess.Popen([sys.executable, *command("link", "serve", number, 30)[1:]]) as server:
        run("link", "measure", "127.0.0.1", number, 1, 1)  # which waits for it
        yield number
        server.terminate()


def test_both_ways_of_a_link_are_measured(port: int) -> None:
    found = Link.model_validate_json(run("link", "measure", "127.0.0.1", port, 4 << 20, 2))
    assert found.error is None
    assert found.up_bytes == found.down_bytes == 4 << 20
    assert 0 < found.round_trip_s < 1
    assert found.up_mbit_s > 0


def test_a_link_that_is_not_there_is_told() -> None:
    found = Link.model_validate_json(run("link", "measure", "no.such.host.invalid", 1, 1, 1))
    assert found.error


def test_names_and_services_say_either_a_time_or_an_error(port: int) -> None:
    good = Services.model_validate_json(run("names", "localhost", port, KUBERNETES_SERVICE_HOST="127.0.0.1"))
    assert good.dns_s is not None
    assert good.service_s is not None
    bad = Services.model_validate_json(run("names", "no.such.host.invalid", 1, KUBERNETES_SERVICE_HOST="127.0.0.1"))
    assert bad.dns_s is None
    assert bad.dns_error
    assert bad.service_error


class Pods:
    """A cluster of which the pods are processes of this machine, or none."""

    kubeconfig = Path("kubeconfig")

    def __init__(self, phase: str = "Running", stays: int = 0) -> None:
        self.phase, self.stays = phase, stays
        self.jobs: dict[str, Any] = {}
        self.clusters: dict[str, Any] = {}
        self.output = (0, "{}", "")

    def create_job(self, body: Any) -> None:
        self.jobs[body["metadata"]["name"]] = body

    def delete_job(self, name: str) -> None:
        self.jobs.pop(name, None)

    def create_dask_cluster(self, body: Any) -> None:
        self.clusters[body["metadata"]["name"]] = body

    def delete_dask_cluster(self, name: str) -> None:
        self.clusters.pop(name, None)

    def pods(self, selector: str) -> list[PodState]:
        return [
            PodState(name, self.phase, job["spec"]["template"]["spec"]["nodeName"], self.phase == "Running", "why")
            for name, job in self.jobs.items()
        ]

    def execute(self, pod: str, command: list[str]) -> tuple[int, str, str]:
        return self.output

    def converse(self, pod: str, command: list[str], questions: int) -> Iterator[tuple[float, str, float]]:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for _ in range(questions):
                asked = time.time()
                process.stdin.write("\n")
                process.stdin.flush()
                yield asked, process.stdout.readline(), time.time()
            process.stdin.close()


def test_a_clock_is_read_to_half_of_the_shortest_round_trip() -> None:
    here: Any = Pods()
    found = read_clock(here, "pod", [sys.executable, *command("clock")[1:]])
    assert abs(found.offset_s) <= found.uncertainty_s + 1e-3
    ahead = "import time; real = time.time; time.time = lambda: real() + 90\n" + command("clock")[2]
    found = read_clock(here, "pod", [sys.executable, "-c", ahead])
    assert found.offset_s == pytest.approx(90, abs=found.uncertainty_s + 1e-3)


def test_a_clock_that_talks_nonsense_is_no_clock() -> None:
    cluster: Any = SimpleNamespace(converse=lambda *_: iter([(0.0, "Traceback", 0.1)]))
    with pytest.raises(BenchError, match="it says 'Traceback'"):
        read_clock(cluster, "pod")
    assert clock.QUESTIONS > 1


def test_a_script_that_finds_nothing_is_an_error_with_its_last_line() -> None:
    here: Any = Pods()
    here.output = (1, "", "Traceback\nOSError: [Errno 28] No space left on device\n")
    with pytest.raises(BenchError, match=r"disk.py in pod p: it ended with status 1: OSError: \[Errno 28\] No space"):
        run_script(here, "p", Disk, "disk")
    here.output = (137, "", "")
    with pytest.raises(BenchError, match="no memory was left"):
        run_script(here, "p", Touched, "memory")


@pytest.mark.parametrize("how", [KeyboardInterrupt(), SystemExit(143), BenchError("a", "b", "c")])
def test_nothing_is_left_in_the_cluster_however_it_ends(how: BaseException) -> None:
    here: Any = Pods()

    def work() -> None:
        with each_helper(here, ["a", "b"], "image", "x", Shape()) as helpers:
            assert set(helpers.pods) == {"a", "b"}
            assert len(here.jobs) == 2
            raise how

    with pytest.raises(type(how)):
        work()
    assert here.jobs == {}


def test_a_pod_that_does_not_start_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    here: Any = Pods(phase="Pending")
    with each_helper(here, ["a"], "image", "x", Shape(), timeout_s=0.2) as helpers:
        assert helpers.pods == {}
        assert helpers.failures == {"a": "Pending why after 0.2 s"}
    here.phase = "Failed"
    with each_helper(here, ["a"], "image", "x", Shape()) as helpers:
        assert helpers.failures == {"a": "Failed why"}
    with (
        pytest.raises(BenchError, match="the x pods did not start: on a: Failed why"),
        pods.helpers(here, ["a"], "image", "x"),
    ):
        pass
    assert here.jobs == {}


def test_pods_that_look_at_a_node_may_write_nothing_of_it() -> None:
    spec = helper_job("x-0", "x", "lab-w0", "image", serving(LOOKING))["spec"]
    pod = spec["template"]["spec"]
    assert spec["activeDeadlineSeconds"] > 0
    assert spec["ttlSecondsAfterFinished"] > 0
    of_the_node = {volume["name"] for volume in pod["volumes"] if "hostPath" in volume}
    assert of_the_node
    assert all(mount.get("readOnly") for mount in pod["containers"][0]["volumeMounts"] if mount["name"] in of_the_node)
    assert "securityContext" not in pod["containers"][0]
    assert pod["automountServiceAccountToken"] is False


ASKER = PodState("x-0", "Running", "lab-w0", True, "", "10.0.0.1", "1234")


def test_the_dask_cluster_goes_with_the_pod_that_asks() -> None:
    owners = owned_by(cluster_spec(SPEC, ""), ASKER)["metadata"]["ownerReferences"]
    assert owners == [{"apiVersion": "v1", "kind": "Pod", "name": "x-0", "uid": "1234"}]


@pytest.mark.parametrize("came", [2, 1])
def test_the_dask_cluster_is_taken_back_whether_its_workers_came_or_not(came: int) -> None:
    here: Any = Pods()
    here.output = (0, json.dumps({"workers": came, "said": ""}), "")
    if came == 2:
        assert measure_workers(here, ASKER, ["a", "b"], "image", "/data") >= 0
    else:
        with pytest.raises(BenchError, match="2 Dask workers: 1 came in 120 s"):
            measure_workers(here, ASKER, ["a", "b"], "image", "/data")
    assert here.clusters == {}


def test_one_that_fails_hides_no_other() -> None:
    def question(number: int) -> int:
        if number == 2:
            raise BenchError("it", "broke", "Mend it.")
        return 10 * number

    found = ask_each([1, 2, 3], question)
    assert found.values == {1: 10, 3: 30}
    assert found.failures == {2: "it: broke"}


@pytest.fixture
def pod_over_the_wire(tmp_path: Path) -> Iterator[Kube]:
    """A Kubernetes API that runs commands in its one pod: every line that is written to them comes back numbered."""
    ready, loops = threading.Event(), list[Any]()

    class Exec(tornado.websocket.WebSocketHandler):
        lines = 0

        def select_subprotocol(self, subprotocols: list[str]) -> str:
            return subprotocols[0]

        async def on_message(self, message: str | bytes) -> None:
            # The first byte of a message is its channel: 0 is standard input, 1 standard output.
            assert message in ("\0\n", b"\0\n")
            self.lines += 1
            await self.write_message(f"\1line {self.lines}\n".encode(), binary=True)

    async def serve() -> None:
        server = tornado.httpserver.HTTPServer(tornado.web.Application([(r"/api/v1/.*/exec", Exec)]))
        sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        loops.extend([asyncio.get_running_loop(), stop := asyncio.Event(), sockets[0].getsockname()[1]])
        ready.set()
        await stop.wait()
        server.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    config = tmp_path / "kubeconfig"
    config.write_text(
        json.dumps(
            {
                "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{loops[2]}"}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "users": [{"name": "u", "user": {}}],
                "current-context": "c",
            }
        )
    )
    yield Kube(config)
    loops[0].call_soon_threadsafe(loops[1].set)
    thread.join(10)


def test_a_command_in_a_pod_is_asked_one_line_after_the_other(pod_over_the_wire: Kube) -> None:
    said = list(pod_over_the_wire.converse("pod", ["clock"], 3))
    assert [line for _, line, _ in said] == ["line 1", "line 2", "line 3"]
    assert all(asked <= answered for asked, _, answered in said)


class ProcessesInsteadOfPods(Pods):
    """A cluster whose pods are processes of this machine, which see it in the place of a node."""

    def __init__(self, scratch: Path) -> None:
        super().__init__()
        self.seen = {guest.MEMINFO: "/proc/meminfo", guest.CGROUPS: "/sys/fs/cgroup", guest.SCRATCH: str(scratch)}
        self.main: dict[str, subprocess.Popen[str]] = {}
        self.most_jobs = 0

    def _here(self, line: list[str]) -> list[str]:
        return [sys.executable if word == "python3" else self.seen.get(word, word) for word in line]

    def create_job(self, body: Any) -> None:
        super().create_job(body)
        self.most_jobs = max(self.most_jobs, len(self.jobs))
        line = self._here(body["spec"]["template"]["spec"]["containers"][0]["command"])
        self.main[body["metadata"]["name"]] = subprocess.Popen(line, text=True)

    def delete_job(self, name: str) -> None:
        super().delete_job(name)
        if name in self.main:
            process = self.main.pop(name)
            process.kill()
            process.wait()

    def pods(self, selector: str) -> list[PodState]:
        run = selector.partition("=")[2]
        return [replace(pod, ip="127.0.0.1") for pod in super().pods(selector) if pod.name.startswith(run)]

    def execute(self, pod: str, command: list[str]) -> tuple[int, str, str]:
        environment = {**os.environ, "KUBERNETES_SERVICE_HOST": "127.0.0.1"}
        ran = subprocess.run(self._here(command), capture_output=True, text=True, timeout=60, env=environment)
        return ran.returncode, ran.stdout, ran.stderr

    def converse(self, pod: str, command: list[str], questions: int) -> Iterator[tuple[float, str, float]]:
        return super().converse(pod, self._here(command), questions)


@pytest.mark.parametrize("quick", [True, False])
def test_all_is_measured_in_one_set_of_pods(
    quick: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    for name, value in (("SECONDS", 0.3), ("LEAD_ALONE_S", 0.7), ("LEAD_TOGETHER_S", 0.7), ("MAX_LATE_S", 60)):
        monkeypatch.setattr(burn, name, value)
    monkeypatch.setattr(disk, "MOST_BYTES", 4 << 20)
    monkeypatch.setattr(starts, "ROUNDS", 2)
    here: Any = ProcessesInsteadOfPods(tmp_path)
    prober = PodProber(here, lambda _kube, asker, nodes, _image: 1.5 if nodes == ("a",) and asker.node == "a" else 0)
    found = prober.measure(Plan({"a": 1, "b": 1}, ("a",), "image", quick), terminal)
    assert here.jobs == {}
    assert here.most_jobs == (2 if quick else 4)
    answers = {name: each for name, each in vars(found).items() if each is not None}
    assert {"started", "guests", "clocks", "alone", "together"} <= answers.keys()
    assert len(answers) == (5 if quick else 11)
    for name, each in answers.items():
        assert each.failures == {}, name
        assert set(each.values) == {"links": {("a", "b")}, "dask_s": {""}}.get(name, {"a", "b"})
    if found.starts:
        assert all(len(times) == 2 for times in found.starts.values.values())
        assert found.dask_s is not None
        assert found.dask_s.values == {"": 1.5}
