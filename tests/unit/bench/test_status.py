"""Who uses a facility: from what Kubernetes and Prometheus say, to the terminal, a page and JSON."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import site_double

from bench import status
from bench.errors import BenchError, Exit
from bench.facility.kube import KubeNode, PodUse, as_use
from bench.facility.prometheus import Prometheus
from bench.facility.usage import CERTIFICATES, CPU, USERS_CPU, Usage, usage
from bench.report.status import certificate_line, headline, status_page
from bench.terminal import Terminal


def pod(namespace: str, name: str, node: str = "lab-w0", cores: float = 0.5, **more: Any) -> PodUse:
    values: dict[str, Any] = {"phase": "Running", "labels": {}, "priority": "", "age_s": 60.0, "message": ""} | more
    return PodUse(namespace=namespace, name=name, node=node, cores=cores, **values)


WORKER = {"dask.org/component": "worker"}
PODS = [
    pod("user-alice", "jupyter-alice", labels={"component": "singleuser-server"}),
    pod("user-alice", "a", labels=WORKER, cores=1),
    pod("user-alice", "b", node="", phase="Pending", labels=WORKER, cores=1, message="0/3 nodes", age_s=120.0),
    pod("user-bob", "c", node="lab-w1", labels=WORKER, cores=1.5),
    pod("user-bob", "done", phase="Succeeded", cores=8),
    pod("metrics", "prometheus", node="lab-cp0", cores=0.1),
]


class Cluster:
    """A double of Kubernetes: three nodes of two cores, and these pods."""

    def nodes(self) -> list[KubeNode]:
        return [site_double.joined(name) for name in site_double.NAMES]

    def pods_of_all(self) -> list[PodUse]:
        return PODS


def answers(values: dict[str, list[tuple[dict[str, str], float]]]) -> Prometheus:
    """A double of Prometheus that knows the values of some expressions."""

    def exchange(_namespace: str, _selector: str, _port: int, question: bytes) -> bytes:
        from urllib.parse import parse_qs, urlsplit

        expression = parse_qs(urlsplit(question.split()[1].decode()).query)["query"][0]
        result = [{"metric": labels, "value": [0, str(value)]} for labels, value in values.get(expression, [])]
        return b"HTTP/1.0 200 OK\r\n\r\n" + json.dumps({"status": "success", "data": {"result": result}}).encode()

    return Prometheus(exchange)


def days(left: float) -> list[tuple[dict[str, str], float]]:
    return [({"node": "lab-cp0", "certificate": "apiserver"}, left)]


@pytest.fixture
def found() -> Usage:
    values = {
        CPU: [({"node": name}, 0.5) for name in site_double.NAMES],
        USERS_CPU: [({"namespace": "user-alice"}, 0.9), ({"namespace": "metrics"}, 0.1)],
        CERTIFICATES: days(340.0),
    }
    return usage(Cluster(), answers(values))


def test_what_is_promised_is_told_apart_from_what_is_used(found: Usage) -> None:
    assert headline(found) == "2 users, 6 cores: 3.10 promised, 2.90 free, 1.50 used; 1 pods wait"
    nodes = {node.name: node for node in found.nodes}
    assert (nodes["lab-w0"].promised_cores, nodes["lab-w0"].used_cores, nodes["lab-w0"].load) == (1.5, 0.5, None)


def test_each_user_has_his_own_and_what_has_ended_counts_for_nothing(found: Usage) -> None:
    alice, bob = found.users
    assert (alice.name, alice.notebook, alice.workers, alice.promised_cores, alice.used_cores, alice.waiting) == (
        "alice", True, 1, 1.5, 0.9, 1,
    )  # fmt: skip
    assert (bob.name, bob.notebook, bob.workers, bob.promised_cores, bob.used_cores) == ("bob", False, 1, 1.5, None)


def test_who_waits_is_named_with_the_reason(found: Usage) -> None:
    (waits,) = found.queue
    assert (waits.namespace, waits.name, waits.since_s, waits.why) == ("user-alice", "b", 120.0, "0/3 nodes")
    assert "0/3 nodes" in status_page(found, "lab", datetime.now(UTC))


@pytest.mark.parametrize(("left", "words"), [(340.0, "340 days left"), (12.4, "renew them now")])
def test_certificates_that_end_soon_are_said_to(left: float, words: str) -> None:
    found = usage(Cluster(), answers({CERTIFICATES: days(left)}))
    assert words in certificate_line(found)
    page = status_page(found, "lab", datetime.now(UTC))
    assert ("apiserver on lab-cp0" in page) is (left < 30)
    assert ('class="mark bad"' in page) is (left < 30)


def refused(_namespace: str, _selector: str, _port: int, _question: bytes) -> bytes:
    return b'HTTP/1.0 400 Bad Request\r\n\r\n{"status": "error", "error": "parse error"}'


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.0 200 OK\r\n\r\nnonsense", None])
def test_a_prometheus_that_says_nothing_hides_no_pods(answer: bytes | None) -> None:
    exchange = refused if answer is None else lambda *_: answer
    found = usage(Cluster(), Prometheus(exchange))
    assert len(found.users) == 2
    assert headline(found).endswith("– used; 1 pods wait")
    assert found.unknown
    assert certificate_line(found) == "certificates: not known"
    assert "Could not tell" in status_page(found, "lab", datetime.now(UTC))


def test_a_refused_expression_is_told_with_prometheus_words() -> None:
    with pytest.raises(BenchError, match="parse error"):
        Prometheus(refused).query("sum(")


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_writes_the_page_and_says_the_same(
    as_json: bool,
    found: Usage,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    terminal: Terminal,
    said: io.StringIO,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(status, "ask", lambda _site: found)
    assert status.show_status("lab", tmp_path / "out" / "status.html", as_json, terminal) is Exit.OK
    assert "2 users, 6 cores" in (tmp_path / "out" / "status.html").read_text()
    if as_json:
        values = json.loads(capsys.readouterr().out)
        assert values["certificates"] == [{"node": "lab-cp0", "name": "apiserver", "days": 340.0}]
        assert [each["name"] for each in values["users"]] == ["alice", "bob"]
    else:
        assert "340 days left" in said.getvalue()


def test_a_pod_as_the_library_has_it() -> None:
    client = pytest.importorskip("kubernetes.client")
    item = client.V1Pod(
        metadata=client.V1ObjectMeta(namespace="user-a", name="p", creation_timestamp=datetime.fromtimestamp(100, UTC)),
        spec=client.V1PodSpec(
            priority_class_name="facility-dask",
            containers=[
                client.V1Container(name="a", resources=client.V1ResourceRequirements(requests={"cpu": "250m"})),
                client.V1Container(name="b", resources=client.V1ResourceRequirements(requests={"cpu": "1"})),
                client.V1Container(name="c"),
            ],
        ),
        status=client.V1PodStatus(
            phase="Pending",
            conditions=[client.V1PodCondition(type="PodScheduled", status="False", message="no room")],
        ),
    )
    use = as_use(item, 160.0)
    assert (use.node, use.cores, use.age_s, use.message, use.priority) == ("", 1.25, 60.0, "no room", "facility-dask")
