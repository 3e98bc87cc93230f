"""What a physicist sees: he logs in, gets a notebook and a Dask cluster of his own, and nobody else's."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_client import User
from kubernetes import client
from platform_tools import HUB, Play, another_hub, namespaces, nothing_is_left, pods, until
from xrootd_server import Authority

from bench.datasets.catalogue import CATALOGUE
from bench.datasets.locate import find
from bench.datasets.staging import NODE_FOLDER

pytest_plugins = ["platform_fixtures"]
pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(900)]


# --- the play -----------------------------------------------------------------------------------------------------
def test_without_a_way_to_log_in_nothing_is_done(play: Play) -> None:
    run = play({})
    assert run.returncode != 0
    assert "Set it to oidc or local, and name who may log in" in " ".join(run.stdout.split())


def test_secrets_are_generated_for_their_owner_and_shown_nowhere(platform: str, facility_dir: Path) -> None:
    folder = facility_dir / "jupyterhub"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("proxy-token", "cookie-secret", "ca.key", "tls.key"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name
        assert (folder / name).read_text().splitlines()[0 if name.endswith(("token", "secret")) else 1] not in platform


def test_the_second_play_changes_nothing(play: Play, platform: str, usual: dict[str, Any]) -> None:
    run = play(usual)
    assert run.returncode == 0, run.stdout[-4000:]
    assert set(re.findall(r"changed=(\d+)", run.stdout)) == {"0"}, run.stdout[-4000:]


# --- logging in ---------------------------------------------------------------------------------------------------
def test_nobody_is_somebody_without_logging_in(user: Callable[[str], User]) -> None:
    nobody = user("nobody")
    assert nobody.api("GET", "/users").status_code == 403
    assert nobody.http.get(f"{nobody.url}/hub/signup").status_code == 404
    asked = nobody.http.get(f"{nobody.url}/user/alice/lab")
    assert "/hub/login" in str(asked.url)


def test_who_is_in_no_group_is_refused(user: Callable[[str], User], api: client.CoreV1Api) -> None:
    mallory = user("mallory")
    assert mallory.log_in_at_provider().status_code == 403
    assert mallory.api("GET", "/user").status_code == 403
    assert "user-mallory" not in namespaces(api)


# --- a notebook and a cluster of one's own ------------------------------------------------------------------------
def test_a_notebook_computes_with_root_on_a_dask_cluster(alice: User, api: client.CoreV1Api) -> None:
    said = alice.run(
        """
import time
begin = time.monotonic(); import ROOT; print("import ROOT", round(time.monotonic() - begin, 1))
from bench.dask import cluster
from distributed import Client
begin = time.monotonic()
with cluster(n=2) as c, Client(c) as client:
    client.wait_for_workers(2, timeout=150)
    print("workers", round(time.monotonic() - begin, 1))
    print("sum", sum(client.gather(client.map(lambda x: x * x, range(100)))))
    begin = time.monotonic()
    frame = ROOT.RDataFrame(1000, executor=client, npartitions=2)
    histogram = frame.Define("x", "1.0").Histo1D(("h", "h", 1, 0, 2), "x")
    print("entries", histogram.GetEntries(), round(time.monotonic() - begin, 1))
    print("threads", sorted(client.nthreads().values()))
"""
    )
    print(said)
    assert "sum 328350" in said
    assert "entries 1000.0" in said
    assert "threads [1, 1]" in said
    # closing it takes everything along
    until(lambda: set(pods(api, "user-alice")) == {"jupyter-alice"}, f"{set(pods(api, 'user-alice'))} stay")


@pytest.fixture
def real_file(facility_dir: Path) -> Iterator[None]:
    """The file of the catalogue among the nodes' data sets, as an administrator puts it there."""
    dataset = CATALOGUE["fcc-zee"]
    source = find(dataset)
    assert source, "the real file is not beside the checkout"
    folder = f"{NODE_FOLDER}/{dataset.sha256}"
    nodes = json.loads((facility_dir / "facility.json").read_text())["nodes"]
    for node in nodes:
        receive = f"sudo mkdir -p {folder} && sudo tee {folder}/{dataset.file_name} >/dev/null"
        with source.path.open("rb") as file:
            subprocess.run(["ssh", "-F", str(facility_dir / "ssh_config"), node, receive], stdin=file, check=True)
    yield
    for node in nodes:
        subprocess.run(["ssh", "-F", str(facility_dir / "ssh_config"), node, f"sudo rm -r {folder}"], check=True)


@pytest.mark.usefixtures("real_file")
def test_an_example_notebook_runs_on_the_users_own_workers(alice: User, api: client.CoreV1Api) -> None:
    said = alice.run(
        """
import json
from pathlib import Path
names = {}
for cell in json.loads(Path("examples/fcc-zee.ipynb").read_text())["cells"]:
    if cell["cell_type"] == "code":
        exec("".join(cell["source"]), names)
"""
    )
    print(said)
    assert "simulated events of the collaboration" in said
    assert "against one thread: equal" in said
    until(lambda: set(pods(api, "user-alice")) == {"jupyter-alice"}, f"{set(pods(api, 'user-alice'))} stay")


def test_every_pod_of_a_user_is_restricted(alice: User, api: client.CoreV1Api) -> None:
    (pod,) = pods(api, "user-alice").values()
    assert pod.spec.security_context.run_as_non_root
    assert pod.spec.security_context.seccomp_profile.type == "RuntimeDefault"
    assert not any(volume.host_path for volume in pod.spec.volumes)
    for container in pod.spec.containers:
        assert not container.security_context.allow_privilege_escalation
        assert container.security_context.capabilities.drop == ["ALL"]
    labels = api.read_namespace("user-alice").metadata.labels
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_data_sets_are_seen_and_not_written(alice: User) -> None:
    said = alice.run(
        """
import json, os
folder = json.loads(os.environ["FACILITY_DASK"])["datasets_folder"]
print("there", os.path.isdir(folder))
try:
    open(folder + "/mine", "w")
except OSError as error:
    print("refused", error.errno)
"""
    )
    assert "there True" in said
    assert "refused" in said


# --- what is not one's own ----------------------------------------------------------------------------------------
REACH = """
import socket
for what, address, port in {targets!r}:
    try:
        socket.create_connection((address, port), 3).close()
        print(what, "open")
    except OSError:
        print(what, "closed")
"""


def test_another_users_scheduler_is_not_reached(alice: User, bob: User, api: client.CoreV1Api) -> None:
    alice.run("from bench.dask import cluster\nc = cluster(n=0, name='hers')\nc.shutdown_on_close = False")
    (scheduler,) = [pod for name, pod in pods(api, "user-alice").items() if "scheduler" in name]
    targets = [(f"port {port}", scheduler.status.pod_ip, port) for port in (8786, 8787)]
    own = alice.run(REACH.format(targets=targets))
    assert own.split() == ["port", "8786", "open", "port", "8787", "open"]
    targets.append(("notebook", pods(api, "user-alice")["jupyter-alice"].status.pod_ip, 8888))
    others = bob.run(REACH.format(targets=targets))
    assert "open" not in others, others
    assert others.count("closed") == 3


def test_nodes_etcd_and_the_clouds_metadata_are_not_reached(
    alice: User, kubeconfig: Path, api: client.CoreV1Api
) -> None:
    nodes = json.loads((kubeconfig.parent / "facility.json").read_text())["nodes"]
    ports = {"kubelet": 10250, "etcd": 2379, "ssh": 22, "node-exporter": 9100}
    targets = [
        (f"{name} {what}", node["fixed_ip"], port) for name, node in nodes.items() for what, port in ports.items()
    ]
    targets.append(("metadata", "169.254.169.254", 80))
    (proxy,) = api.list_namespaced_pod(HUB, label_selector="app=proxy").items
    targets.append(("proxy-api", proxy.status.pod_ip, 8001))
    said = alice.run(REACH.format(targets=targets), timeout_s=300)
    assert "open" not in said, said
    assert said.count("closed") == len(targets)
    control = alice.run(REACH.format(targets=[("api", "kubernetes.default", 443), ("hub", f"hub.{HUB}", 8081)]))
    assert control.split() == ["api", "open", "hub", "open"]


ASK = """
import json, ssl, urllib.error, urllib.request
from pathlib import Path
account = Path("/var/run/secrets/kubernetes.io/serviceaccount")
trust = ssl.create_default_context(cafile=account / "ca.crt")
def ask(method, path, body=None):
    data = body and json.dumps(body).encode()
    request = urllib.request.Request("https://kubernetes.default" + path, method=method, data=data)
    request.add_header("Authorization", "Bearer " + (account / "token").read_text())
    request.add_header("Content-Type", "application/json")
    try:
        return urllib.request.urlopen(request, context=trust).status
    except urllib.error.HTTPError as error:
        return error.code
"""


def test_a_users_token_is_good_for_his_own_clusters_only(alice: User, bob: User) -> None:
    said = bob.run(
        ASK
        + """
print("own", ask("GET", "/apis/kubernetes.dask.org/v1/namespaces/user-bob/daskclusters"))
for path in (
    "/api/v1/namespaces/user-bob/secrets",
    "/api/v1/namespaces/user-alice/secrets",
    "/api/v1/namespaces/user-alice/pods",
    "/apis/kubernetes.dask.org/v1/namespaces/user-alice/daskclusters",
    "/api/v1/namespaces/jupyterhub/secrets/hub",
    "/api/v1/nodes",
):
    print(path, ask("GET", path))
pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}
pod["spec"] = {"containers": [{"name": "x", "image": "x"}]}
print("pod", ask("POST", "/api/v1/namespaces/user-bob/pods", pod))
"""
    )
    lines = dict(line.rsplit(" ", 1) for line in said.strip().splitlines())
    assert lines.pop("own") == "200"
    assert set(lines.values()) == {"403"}, said


def test_a_grid_proxy_reaches_its_users_workers_and_nobody_else(
    alice: User, bob: User, authority: Authority, tmp_path: Path
) -> None:
    proxy = authority.proxy(tmp_path / "proxy").read_text()
    said = alice.run(
        ASK
        + f"""
import hashlib, os, stat
from pathlib import Path
mine = Path("/tmp/x509up_u1000")
mine.touch(mode=0o600)
mine.write_text({proxy!r})

def look():
    copy = Path(os.environ["X509_USER_PROXY"])
    trusted = os.listdir(os.environ["X509_CERT_DIR"])
    return oct(stat.S_IMODE(copy.stat().st_mode)), hashlib.sha256(copy.read_bytes()).hexdigest(), trusted

from bench.dask import cluster
from distributed import Client
with cluster(n=1) as c, Client(c) as client:
    client.wait_for_workers(1, timeout=150)
    ((mode, digest, trusted),) = client.run(look).values()
print("mode", mode)
print("same", digest == hashlib.sha256(mine.read_bytes()).hexdigest())
print("trusted", *trusted)
print("own", ask("GET", "/api/v1/namespaces/user-alice/secrets/grid-proxy"))
mine.unlink()
"""
    )
    print(said)
    assert said.split() == ["mode", "0o600", "same", "True", "trusted", "ca.pem", "own", "200"]
    others = bob.run(ASK + "print(ask('GET', '/api/v1/namespaces/user-alice/secrets/grid-proxy'))")
    assert others.strip() == "403"


def test_a_dask_cluster_cannot_ask_for_more_than_its_user_may(alice: User, api: client.CoreV1Api) -> None:
    """The operator makes whatever pods a cluster asks for; the namespace is what says no."""
    said = alice.run(
        ASK
        + """
import os
from bench import dask
settings = dask.settings()
def order(name, **more):
    manifest = dask.manifest(1, settings, name=name, batch=False, owner=None)
    for part in ("worker", "scheduler"):
        manifest["spec"][part]["spec"].update(more)
    print(name, ask("POST", "/apis/kubernetes.dask.org/v1/namespaces/user-alice/daskclusters", manifest))
order("host", volumes=[{"name": "datasets", "hostPath": {"path": "/"}}])
order("first", priorityClassName="system-node-critical")
order("network", hostNetwork=True)
"""
    )
    assert [line.split()[1] for line in said.strip().splitlines()] == ["201"] * 3

    def refused() -> set[str]:
        events = api.list_namespaced_event("user-alice", field_selector="reason=FailedCreate").items
        return {
            name
            for name in ("host", "first", "network")
            for event in events
            if event.involved_object.name.startswith(name) and "forbidden" in event.message
        }

    try:
        until(lambda: refused() == {"host", "first", "network"}, f"only {refused()} were refused")
        assert not [name for name in pods(api, "user-alice") if name.startswith(("host", "first", "network"))]
    finally:
        for name in ("host", "first", "network"):
            alice.run(
                ASK + f"print(ask('DELETE', '/apis/kubernetes.dask.org/v1/namespaces/user-alice/daskclusters/{name}'))"
            )


# --- the hub goes, servers stay -----------------------------------------------------------------------------------
def test_servers_go_on_while_the_hub_restarts(alice: User, api: client.CoreV1Api) -> None:
    before = pods(api, "user-alice")["jupyter-alice"].metadata.uid
    another_hub(api)
    until(alice.ready, "the hub does not know the running server")
    assert pods(api, "user-alice")["jupyter-alice"].metadata.uid == before
    assert alice.run("print(6 * 7)").strip() == "42"


# --- what is left -------------------------------------------------------------------------------------------------
def test_a_stopped_server_takes_its_clusters_along(alice: User, api: client.CoreV1Api) -> None:
    assert any("scheduler" in name for name in pods(api, "user-alice")), "nothing that could stay"
    alice.stop()
    nothing_is_left(api, "alice")
