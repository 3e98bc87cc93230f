"""The part of the Kubernetes API that `bench` uses, with types.

The client library has none, so everything untyped stays in this file.
"""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import BenchError, Exit

NAMESPACE = "bench"
ROLE_LABEL = "node-role.kubernetes.io/"
DASK = {"group": "kubernetes.dask.org", "version": "v1", "namespace": NAMESPACE, "plural": "daskclusters"}
REQUEST_TIMEOUT_S = (5, 30)


@dataclass(frozen=True)
class KubeNode:
    """A node as the Kubernetes API describes it."""

    name: str
    ready: bool
    reason: str
    schedulable: bool
    capacity_cores: float
    allocatable_cores: float
    allocatable_memory_bytes: int
    capacity_memory_bytes: int = 0
    roles: frozenset[str] = frozenset()
    taints: tuple[str, ...] = ()
    kubelet: str = ""
    runtime: str = ""
    boot_id: str = ""
    images: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def state(self) -> str:
        """Whether it is ready and takes pods, as `kubectl get nodes` has it."""
        return ("Ready" if self.ready else "NotReady") + ("" if self.schedulable else ", cordoned")


@dataclass(frozen=True)
class PodState:
    """Where a pod stands; `message` says why it does not go on."""

    name: str
    phase: str
    node: str
    ready: bool
    message: str
    ip: str = ""
    uid: str = ""


@dataclass(frozen=True)
class PodUse:
    """A pod of any namespace, and what is promised to it. `node` is empty while none has room; `message` says why."""

    namespace: str
    name: str
    node: str
    phase: str
    labels: Mapping[str, str]
    priority: str
    cores: float
    age_s: float
    message: str


def quantity(text: str) -> float:
    """A Kubernetes quantity ('2', '1900m', '5941804Ki') as a number."""
    factors = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
    for suffix in sorted(factors, key=len, reverse=True):
        if text.endswith(suffix):
            return float(text.removesuffix(suffix)) * factors[suffix]
    return float(text)


class Kube:
    """A connection to one cluster, as the site's administrator."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self._config: Any = importlib.import_module("kubernetes.config")
        self._client: Any = importlib.import_module("kubernetes.client")
        self._stream: Any = importlib.import_module("kubernetes.stream")
        self._errors: Any = importlib.import_module("kubernetes.client.exceptions")
        self._urllib3: Any = importlib.import_module("urllib3.exceptions")
        self._websocket: Any = importlib.import_module("websocket")
        self._api = self._connect()
        self.endpoint = str(self._api.configuration.host)
        self._core: Any = self._client.CoreV1Api(self._api)
        self._batch: Any = self._client.BatchV1Api(self._api)
        self._custom: Any = self._client.CustomObjectsApi(self._api)

    def _connect(self) -> Any:
        try:
            api = self._config.new_client_from_config(str(self.kubeconfig))
        except Exception as error:  # the library raises its own, yaml's and OSError
            raise BenchError(
                f"kubeconfig {self.kubeconfig}",
                f"it cannot be used: {error}",
                "Run the playbook site.yml again; it writes the file anew.",
                Exit.CANNOT_TELL,
            ) from error
        # An API that does not answer is to be reported, not waited for.
        api.configuration.retries = 1
        return api

    @contextmanager
    def _reporting(self, what: str) -> Generator[None]:
        try:
            yield
        except self._errors.ApiException as error:
            # A connection that fails while a command is run in a pod has status 0.
            if not error.status:
                raise self._silence(what, error.reason) from error
            raise BenchError(
                f"{what} at {self.endpoint}",
                f"{error.status} {error.reason}: {api_message(error.body)}",
                f"kubectl --kubeconfig {self.kubeconfig} shows more.",
                Exit.CANNOT_TELL if error.status in (401, 403) else Exit.FAILED,
            ) from error
        except (self._urllib3.HTTPError, self._websocket.WebSocketException, OSError) as error:
            raise self._silence(what, error) from error

    def _silence(self, what: str, why: object) -> BenchError:
        return BenchError(
            f"{what} at {self.endpoint}",
            f"the Kubernetes API does not answer: {why}",
            f"See that the control plane runs and that {self.kubeconfig} names the right address.",
            Exit.CANNOT_TELL,
        )

    def nodes(self) -> list[KubeNode]:
        """All nodes that have joined."""
        with self._reporting("listing nodes"):
            items = self._core.list_node(_request_timeout=REQUEST_TIMEOUT_S).items
        return [as_node(item) for item in items]

    def pods(self, selector: str) -> list[PodState]:
        """Pods with the given labels."""
        with self._reporting(f"listing pods {selector}"):
            items = self._core.list_namespaced_pod(
                NAMESPACE, label_selector=selector, _request_timeout=REQUEST_TIMEOUT_S
            ).items
        return [as_pod(item) for item in items]

    def pods_of_all(self) -> list[PodUse]:
        """The pods of all namespaces."""
        with self._reporting("listing the pods of all namespaces"):
            items = self._core.list_pod_for_all_namespaces(_request_timeout=REQUEST_TIMEOUT_S).items
        return [as_use(item, time.time()) for item in items]

    def exchange(self, namespace: str, selector: str, port: int, question: bytes) -> bytes:
        """Send bytes to a port of the first pod with the given labels; all that comes back until it ends."""
        with self._reporting(f"port {port} of the pod {selector} in {namespace}"):
            found = self._core.list_namespaced_pod(
                namespace, label_selector=selector, _request_timeout=REQUEST_TIMEOUT_S
            ).items
            if not found:
                raise OSError(f"there is no pod {selector} in {namespace}")
            # As for commands in pods: a client of its own, whose method the library swaps.
            core = self._client.CoreV1Api(self._connect())
            forward = self._stream.portforward(
                core.connect_get_namespaced_pod_portforward, found[0].metadata.name, namespace, ports=str(port)
            )
            with closing(forward.socket(port)) as connection:
                connection.settimeout(REQUEST_TIMEOUT_S[1])
                connection.sendall(question)
                return b"".join(iter(lambda: bytes(connection.recv(65536)), b""))

    def create_job(self, body: Mapping[str, Any]) -> None:
        """Create a Job in the namespace of `bench`."""
        with self._reporting(f"creating Job {body['metadata']['name']}"):
            self._batch.create_namespaced_job(NAMESPACE, body, _request_timeout=REQUEST_TIMEOUT_S)

    def delete_job(self, name: str) -> None:
        """Delete a Job with all it owns; one that is gone already is no error."""
        with self._reporting(f"deleting Job {name}"):
            self._unless_gone(
                lambda: self._batch.delete_namespaced_job(
                    name, NAMESPACE, propagation_policy="Background", _request_timeout=REQUEST_TIMEOUT_S
                )
            )

    def dask_clusters(self) -> list[str]:
        """Names of the DaskClusters in the namespace of `bench`."""
        with self._reporting("listing DaskClusters"):
            found = self._custom.list_namespaced_custom_object(**DASK, _request_timeout=REQUEST_TIMEOUT_S)
        return [item["metadata"]["name"] for item in found["items"]]

    def create_dask_cluster(self, body: Mapping[str, Any]) -> None:
        """Create a DaskCluster in the namespace of `bench`."""
        with self._reporting(f"creating DaskCluster {body['metadata']['name']}"):
            self._custom.create_namespaced_custom_object(**DASK, body=body, _request_timeout=REQUEST_TIMEOUT_S)

    def delete_dask_cluster(self, name: str) -> None:
        """Delete a DaskCluster with all it owns; one that is gone already is no error."""
        with self._reporting(f"deleting DaskCluster {name}"):
            self._unless_gone(
                lambda: self._custom.delete_namespaced_custom_object(
                    **DASK, name=name, propagation_policy="Background", _request_timeout=REQUEST_TIMEOUT_S
                )
            )

    def follow_log(self, pod: str) -> Iterator[str]:
        """Lines of a pod's log as they come; ends with the pod or when the connection breaks."""
        with self._reporting(f"reading the log of {pod}"):
            response = self._core.read_namespaced_pod_log(pod, NAMESPACE, follow=True, _preload_content=False)
            pending = b""
            try:
                for block in response.stream():
                    *lines, pending = (pending + block).split(b"\n")
                    yield from (line.decode(errors="replace") for line in lines)
            except self._urllib3.HTTPError:
                return
            finally:
                response.release_conn()
            if pending:
                yield pending.decode(errors="replace")

    def log(self, pod: str) -> str:
        """A pod's log so far."""
        with self._reporting(f"reading the log of {pod}"):
            raw = self._core.read_namespaced_pod_log(
                pod, NAMESPACE, _preload_content=False, _request_timeout=REQUEST_TIMEOUT_S
            )
            return bytes(raw.data).decode(errors="replace")

    def execute(self, pod: str, command: list[str], stdin: Iterator[bytes] | None = None) -> tuple[int, str, str]:
        """Run a command in a pod.

        Returns
        -------
        (int, str, str)
            Exit status, standard output, standard error.
        """
        with self._reporting(f"running {command[0]} in pod {pod}"):
            channel = self._channel(pod, command, stdin=stdin is not None)
            out: list[str] = []
            err: list[str] = []
            try:
                for block in stdin or ():
                    channel.write_stdin(block)
                while channel.is_open():
                    channel.update(timeout=5)
                    out.append(channel.read_stdout() if channel.peek_stdout() else "")
                    err.append(channel.read_stderr() if channel.peek_stderr() else "")
                status = channel.returncode
            finally:
                channel.close()
        return (1 if status is None else int(status)), "".join(out), "".join(err)

    def converse(self, pod: str, command: list[str], questions: int) -> Iterator[tuple[float, str, float]]:
        """Write empty lines to a command in a pod, one at a time, each after the answer to the one before.

        Yields
        ------
        (float, str, float)
            When the line was written (Unix time), the line that came back, and when.
        """
        with self._reporting(f"running {command[0]} in pod {pod}"):
            channel = self._channel(pod, command, stdin=True)
            try:
                for _ in range(questions):
                    asked = time.time()
                    channel.write_stdin("\n")
                    answer = channel.readline_stdout(timeout=REQUEST_TIMEOUT_S[1])
                    if not answer:
                        raise OSError(f"the command gave no answer: {channel.read_stderr(timeout=1)[-300:]}")
                    yield asked, str(answer), time.time()
            finally:
                channel.close()

    def _channel(self, pod: str, command: list[str], stdin: bool) -> Any:
        # The library's stream() swaps a method of the client it is given: a client of its own for each call
        # keeps other threads out of it.
        core = self._client.CoreV1Api(self._connect())
        return self._stream.stream(
            core.connect_get_namespaced_pod_exec,
            pod,
            NAMESPACE,
            command=command,
            stdin=stdin,
            stdout=True,
            stderr=True,
            tty=False,
            _preload_content=False,
        )

    def wait_for_pods(self, selector: str, wanted: int, timeout_s: float, what: str) -> list[PodState]:
        """Wait until that many pods run and are ready.

        Raises
        ------
        BenchError
            They do not get there in time, or cannot (an image that cannot be pulled, a container that fails).
        """
        deadline = time.monotonic() + timeout_s
        while True:
            pods = self.pods(selector)
            if len([pod for pod in pods if pod.ready]) >= wanted:
                return pods
            hopeless = [pod for pod in pods if pod.phase == "Failed" or is_hopeless(pod.message)]
            if hopeless or time.monotonic() > deadline:
                states = "; ".join(f"{pod.name} on {pod.node or 'no node'}: {pod.phase} {pod.message}" for pod in pods)
                raise BenchError(
                    f"{what} did not start",
                    states or "no pod was made",
                    f"kubectl --kubeconfig {self.kubeconfig} -n {NAMESPACE} describe pods -l {selector} shows more.",
                )
            time.sleep(0.5)

    def _unless_gone(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except self._errors.ApiException as error:
            if error.status != 404:
                raise


def api_message(body: str | None) -> str:
    """The sentence in the answer of an API that refuses."""
    try:
        return str(json.loads(body or "")["message"])
    except (ValueError, KeyError, TypeError):
        return (body or "").strip()[:300]


def is_hopeless(message: str) -> bool:
    """Whether waiting will not help."""
    return any(word in message for word in ("ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError"))


def as_node(item: Any) -> KubeNode:
    """A node out of the library's object."""
    ready = next((each for each in item.status.conditions or () if each.type == "Ready"), None)
    is_ready = ready is not None and ready.status == "True"
    # a node that somebody created by hand has neither until its kubelet reports
    capacity: dict[str, str] = item.status.capacity or {}
    allocatable: dict[str, str] = item.status.allocatable or {}
    info = item.status.node_info
    labels: dict[str, str] = item.metadata.labels or {}
    return KubeNode(
        name=item.metadata.name,
        ready=is_ready,
        reason="" if is_ready else (f"{ready.reason}: {ready.message}" if ready else "its kubelet has never reported"),
        schedulable=not item.spec.unschedulable,
        capacity_cores=quantity(capacity.get("cpu", "0")),
        allocatable_cores=quantity(allocatable.get("cpu", "0")),
        allocatable_memory_bytes=int(quantity(allocatable.get("memory", "0"))),
        capacity_memory_bytes=int(quantity(capacity.get("memory", "0"))),
        roles=frozenset(label.removeprefix(ROLE_LABEL) for label in labels if label.startswith(ROLE_LABEL)),
        taints=tuple(f"{each.key}:{each.effect}" for each in item.spec.taints or ()),
        kubelet=info.kubelet_version if info else "",
        runtime=info.container_runtime_version if info else "",
        boot_id=info.boot_id if info else "",
        images={name: int(image.size_bytes or 0) for image in item.status.images or () for name in image.names or ()},
    )


def as_pod(item: Any) -> PodState:
    """A pod out of the library's object."""
    conditions = item.status.conditions or ()
    containers = item.status.container_statuses or ()
    messages = [
        f"{each.reason}: {each.message}"
        for each in conditions
        if each.type == "PodScheduled" and each.status == "False"
    ]
    for each in containers:
        for state in (each.state.waiting, each.state.terminated):
            if state is not None:
                messages.append(f"{state.reason} {state.message or ''}".strip())
    return PodState(
        name=item.metadata.name,
        phase=item.status.phase,
        node=item.spec.node_name or "",
        ready=any(each.type == "Ready" and each.status == "True" for each in conditions),
        message="; ".join(messages),
        ip=item.status.pod_ip or "",
        uid=item.metadata.uid or "",
    )


def as_use(item: Any, now: float) -> PodUse:
    """What a pod uses, out of the library's object; `now` is in Unix time."""
    requests: list[dict[str, str]] = [
        each.resources.requests or {} for each in item.spec.containers if each.resources is not None
    ]
    return PodUse(
        namespace=item.metadata.namespace,
        name=item.metadata.name,
        node=item.spec.node_name or "",
        phase=item.status.phase or "",
        labels=item.metadata.labels or {},
        priority=item.spec.priority_class_name or "",
        cores=sum(quantity(each.get("cpu", "0")) for each in requests),
        age_s=max(0.0, now - item.metadata.creation_timestamp.timestamp()),
        message="; ".join(
            each.message or each.reason or ""
            for each in item.status.conditions or ()
            if each.type == "PodScheduled" and each.status == "False"
        ),
    )
