"""Users share the facility: n who ask for all of it have 1/n each, more when one leaves, and lose nothing of theirs."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import second_site
from cluster_tools import kubectl
from hub_client import REDIRECTS, User
from kubernetes import client, config
from plays import changes, play

if TYPE_CHECKING:
    from conftest import Site

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(1800)]

NAME, PROFILE = "share", "current"
NODES = """\
  cp0 = { groups = ["controlplane", "etcd", "worker"], flavor = "c2.r6" }
  w0  = { groups = ["worker"], flavor = "c2.r6" }"""
USERS = ("alice", "bob", "carol", "dave")
# Small ones that import no ROOT: the facility is what its administrator says it is, and here it is so many of these.
WORKERS, WORKER_CPU_M, WORKER_MEMORY_MIB = 24, 50, 100
SETTINGS = {
    "jupyterhub_enabled": True,
    "jupyterhub_authenticator": "local",
    "jupyterhub_allowed_users": list(USERS),
    "jupyterhub_singleuser_memory_guarantee": "200M",
    "jupyterhub_quota_pods": 60,
    "jupyterhub_dask_worker_cpu": f"{WORKER_CPU_M}m",
    "jupyterhub_dask_worker_memory_mib": WORKER_MEMORY_MIB,
    "jupyterhub_dask_worker_memory_limit_mib": 500,
    "kueue_cpu": WORKERS * WORKER_CPU_M / 1000,
    "kueue_memory_mib": WORKERS * WORKER_MEMORY_MIB,
}
SHARE_S = 60
GATE = "kueue.x-k8s.io/admission"
DASK = ("kubernetes.dask.org", "v1")
# Asks for all there is and computes until the user has enough; each task takes two seconds and has one right result. So
# many workers that look at themselves a hundred times a second would be most of what this machine does.
WORK = """
import time
from pathlib import Path
from bench.dask import cluster
from distributed import Client, WorkerPlugin

class Unwatched(WorkerPlugin):
    def setup(self, worker):
        for name in ("profile", "profile-cycle"):
            worker.periodic_callbacks[name].stop()

def square(x):
    time.sleep(2)
    return x * x

enough, n = Path.home() / "enough", 0
with cluster(n=WORKERS, batch=BATCH) as c, Client(c) as client:
    client.register_plugin(Unwatched())
    while not enough.exists():
        some = range(n, n + WORKERS)
        assert client.gather(client.map(square, some)) == [x * x for x in some]
        n += len(some)
enough.unlink()
print("right", n)
"""
ORDER = """
import json, ssl, urllib.request
from pathlib import Path
from bench import dask
folder = Path("/var/run/secrets/kubernetes.io/serviceaccount")
context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
def ask(method, path, body=None):
    headers = {"Authorization": "Bearer " + (folder / "token").read_text(), "Content-Type": "application/json"}
    data = json.dumps(body).encode() if body else None
    asked = urllib.request.Request("https://kubernetes.default" + path, data, headers, method=method)
    urllib.request.urlopen(asked, context=context).close()
settings = dask.settings()
clusters = f"/apis/kubernetes.dask.org/v1/namespaces/{settings.namespace}/daskclusters"
def order(name, metadata, **more):
    made = dask.manifest(2, settings, name=name, batch=False, owner=None)
    made["spec"]["worker"]["metadata"] = metadata
    made["spec"]["worker"]["spec"].update(more)
    ask("POST", clusters, made)
"""


@pytest.fixture(scope="module")
def site(site: Site) -> Iterator[Site]:
    """The facility, from its order to its destroy."""
    with second_site.ordered(second_site.of_profile(site, PROFILE, NAME, "10.85.0", NODES)) as made:
        changes(play(made, "site"))
        yield made


@pytest.fixture(scope="module")
def api(site: Site) -> client.CoreV1Api:
    return client.CoreV1Api(config.new_client_from_config(str(site.runtime / "kubeconfig")))


@pytest.fixture(scope="module")
def platform(site: Site) -> str:
    """The platform stands; what its play printed."""
    version = site.profile["kubernetes_version"]
    made = site.run("lab", "artifacts", "--kubernetes", version, "--only", "kueue", "--only", "hub", timeout=2400)
    assert made.returncode == 0, made.stdout[-4000:]
    done = play(site, "platform", "-e", json.dumps(SETTINGS))
    changes(done)
    return done.stdout


@pytest.fixture(scope="module")
def users(site: Site, platform: str) -> Iterator[Mapping[str, User]]:
    """The users, logged in."""
    nodes = json.loads((site.runtime / "facility.json").read_text())["nodes"]
    first = next(node for _, node in sorted(nodes.items()) if "controlplane" in node["groups"])
    folder = site.runtime / "jupyterhub"
    found = {name: User(f"https://{first['floating_ip']}", folder / "ca.crt", name) for name in USERS}
    try:
        for name, user in found.items():
            answer = user.log_in_with((folder / "passwords" / name).read_text().strip())
            assert answer.status_code in REDIRECTS, (name, answer.status_code)
        yield found
    finally:
        for user in found.values():
            user.close()


@pytest.fixture(scope="module")
def servers(users: Mapping[str, User]) -> Mapping[str, User]:
    """Alice and bob have their servers."""
    for name in ("alice", "bob"):
        print(f"server of {name}: {users[name].start():.1f} s")
    return users


def until(condition: Callable[[], Any], message: Callable[[], str], timeout_s: float) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, message()
        time.sleep(0.5)
    return value


def running(api: client.CoreV1Api) -> Counter[str]:
    """Workers that compute, by user."""
    pods = api.list_pod_for_all_namespaces(label_selector="dask.org/component=worker").items
    return Counter(
        pod.metadata.namespace.removeprefix("user-")
        for pod in pods
        if pod.status.phase == "Running" and not pod.metadata.deletion_timestamp
    )


def clusters(api: client.CoreV1Api, name: str) -> list[str]:
    objects = client.CustomObjectsApi(api.api_client)
    found = objects.list_namespaced_custom_object(*DASK, f"user-{name}", "daskclusters")["items"]
    return [each["metadata"]["name"] for each in found]


def shared(api: client.CoreV1Api, names: tuple[str, ...]) -> float:
    """Seconds until each of these has his share, one worker more or less, nobody else has any, and all is in use."""
    began = time.monotonic()

    def fair() -> bool:
        found = running(api)
        return (
            set(found) == set(names)
            and found.total() == WORKERS
            and all(abs(n - WORKERS / len(names)) <= 1 for n in found.values())
        )

    until(fair, lambda: f"{dict(running(api))} after {SHARE_S} s, {len(names)} users", SHARE_S)
    seconds = time.monotonic() - began
    print(f"{len(names)} users: {dict(running(api))} after {seconds:.1f} s")
    return seconds


class Crowd:
    """Users who come, ask for all of the facility, and leave."""

    def __init__(self, api: client.CoreV1Api, kubeconfig: Any, users: Mapping[str, User]) -> None:
        self.api, self.kubeconfig, self.users = api, kubeconfig, users
        self.pool = ThreadPoolExecutor(len(USERS))
        self.said: dict[str, Future[str]] = {}

    def comes(self, name: str, batch: bool = False) -> None:
        """He has asked once this returns."""
        code = WORK.replace("BATCH", str(batch)).replace("WORKERS", str(WORKERS))
        self.said[name] = self.pool.submit(self.users[name].run, code, timeout_s=900)
        until(
            lambda: clusters(self.api, name) or self.said[name].done(),
            lambda: f"{name} has ordered no cluster",
            120,
        )
        assert not self.said[name].done(), self.said[name].result()

    def enough(self, name: str) -> None:
        space, pod = f"user-{name}", f"jupyter-{name}"
        kubectl("-n", space, "exec", pod, "--", "touch", "/home/jovyan/enough", kubeconfig=self.kubeconfig)

    def leaves(self, name: str) -> int:
        """How many tasks came back, all of them right; his workers are given back once this returns."""
        self.enough(name)
        said = self.said.pop(name).result(timeout=300)
        until(lambda: not clusters(self.api, name), lambda: f"the cluster of {name} stays", 60)
        (word, n) = said.split()
        assert word == "right"
        print(f"{name}: {n} tasks")
        return int(n)

    def ends(self) -> None:
        for name in list(self.said):
            if not self.said[name].done():
                self.enough(name)
        self.pool.shutdown()


@pytest.fixture
def crowd(api: client.CoreV1Api, site: Site, servers: Mapping[str, User]) -> Iterator[Crowd]:
    made = Crowd(api, site.runtime / "kubeconfig", servers)
    try:
        yield made
    finally:
        made.ends()
        until(lambda: not running(api), lambda: f"{dict(running(api))} stay", 120)


# --- the play -----------------------------------------------------------------------------------------------------
def test_the_second_play_changes_nothing(site: Site, platform: str) -> None:
    assert "Users do not share the facility fairly" not in platform
    assert set(changes(play(site, "platform", "-e", json.dumps(SETTINGS))).values()) == {0}


# --- shares -------------------------------------------------------------------------------------------------------
def test_each_of_n_users_has_one_nth_and_more_when_one_leaves(api: client.CoreV1Api, crowd: Crowd) -> None:
    crowd.comes("alice")
    # nobody to share with, and the image's programs are read from disk for the first time
    until(lambda: running(api)["alice"] == WORKERS, lambda: f"{dict(running(api))}", 180)
    crowd.comes("bob")
    shared(api, ("alice", "bob"))

    # A login does not wait for an analysis, and its pod for nothing at all.
    seconds = crowd.users["carol"].start()
    (pod,) = api.list_namespaced_pod("user-carol").items
    bound = next(each for each in pod.status.conditions if each.type == "PodScheduled")
    waited = (bound.last_transition_time - pod.metadata.creation_timestamp).total_seconds()
    print(f"server of carol while the facility is full: {seconds:.1f} s, its pod waited {waited:.0f} s for a node")
    assert waited <= 1
    assert pod.spec.priority_class_name == "facility-notebook"

    crowd.comes("carol")
    shared(api, ("alice", "bob", "carol"))
    crowd.users["dave"].start()
    crowd.comes("dave")
    shared(api, USERS)

    assert crowd.leaves("dave") > 0
    shared(api, ("alice", "bob", "carol"))
    assert crowd.leaves("carol") > 0
    shared(api, ("alice", "bob"))
    assert crowd.leaves("bob") > 0
    shared(api, ("alice",))
    assert crowd.leaves("alice") > 0


def test_batch_workers_give_way_to_anybody_who_waits_and_come_back(api: client.CoreV1Api, crowd: Crowd) -> None:
    crowd.comes("alice", batch=True)
    shared(api, ("alice",))
    crowd.comes("bob")
    shared(api, ("bob",))
    assert crowd.leaves("bob") > 0
    shared(api, ("alice",))
    assert crowd.leaves("alice") > 0


# --- no way around ------------------------------------------------------------------------------------------------
def test_what_a_user_writes_into_a_cluster_lets_no_pod_go_first(
    api: client.CoreV1Api, crowd: Crowd, servers: Mapping[str, User]
) -> None:
    crowd.comes("alice")
    shared(api, ("alice",))
    tricks: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "no-queue": ({"labels": {}}, {}),
        "of-a-parent": ({"annotations": {"kueue.x-k8s.io/pod-suspending-parent": "deployment"}}, {}),
        "another-queue": ({"labels": {"kueue.x-k8s.io/queue-name": "user-alice.interactive"}}, {}),
        "not-managed": ({"labels": {"kueue.x-k8s.io/managed": "false"}}, {}),
        "a-notebook": ({"labels": {"component": "singleuser-server"}}, {"priorityClassName": "facility-notebook"}),
        "own-gate": ({}, {"schedulingGates": [{"name": GATE}]}),
    }
    calls = [f"order({name!r}, {metadata!r}, **{more!r})" for name, (metadata, more) in tricks.items()]
    servers["bob"].run(ORDER + "\n".join(calls[:4]))
    try:
        until(lambda: tried(api, list(tricks)[:4]), lambda: f"{pods(api)}", 60)
        assert not passed(api)
        for name in list(tricks)[:4]:
            servers["bob"].run(ORDER + f"ask('DELETE', clusters + '/{name}')")
        servers["bob"].run(ORDER + "\n".join(calls[4:]))
        until(lambda: tried(api, list(tricks)[4:]), lambda: f"{pods(api)}", 60)
        assert not passed(api)
    finally:
        for name in clusters(api, "bob"):
            servers["bob"].run(ORDER + f"ask('DELETE', clusters + '/{name}')")
    assert crowd.leaves("alice") > 0


def pods(api: client.CoreV1Api) -> dict[str, list[str]]:
    """Gates of bob's pods by their names."""
    found = api.list_namespaced_pod("user-bob").items
    return {pod.metadata.name: [each.name for each in pod.spec.scheduling_gates or []] for pod in found}


def passed(api: client.CoreV1Api) -> list[str]:
    """What of bob runs without having waited: nothing may, but his server and his clusters' schedulers."""
    return [
        name for name, gates in pods(api).items() if not gates and "jupyter-" not in name and "scheduler" not in name
    ]


def tried(api: client.CoreV1Api, names: list[str]) -> bool:
    """Whether workers of all these clusters were held back or refused."""
    events = api.list_namespaced_event("user-bob", field_selector="reason=FailedCreate").items
    seen = [name for name, gates in pods(api).items() if GATE in gates]
    seen += [event.involved_object.name for event in events]
    return all(any(each.startswith(f"{name}-default-worker") for each in seen) for name in names)
