"""How long what a user has lasts: his home, his server, his clusters; and what the hub refuses a browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from hub_client import REDIRECTS, START_S, User
from kubernetes import client
from platform_tools import Variables, clusters, nothing_is_left, pods, until

pytest_plugins = ["platform_fixtures"]
pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(900)]

IDLE_CLUSTER_S, IDLE_SERVER_S, LOOK_S = 15, 60, 5
SOON = {"jupyterhub_dask_idle_timeout_s": IDLE_CLUSTER_S}
SOONER = {"jupyterhub_cull_timeout": IDLE_SERVER_S, "jupyterhub_cull_every": LOOK_S}


@pytest.fixture(scope="module")
def platform(stands: Callable[[Variables], str], usual: dict[str, Any]) -> str:
    """Clusters without work end soon."""
    return stands(usual | SOON)


def workers(api: client.CoreV1Api, user: str) -> int:
    return sum("-worker-" in name for name in pods(api, f"user-{user}"))


# --- what stays ----------------------------------------------------------------------------------------------------
def test_a_home_outlives_its_server(alice: User, api: client.CoreV1Api) -> None:
    alice.run("from pathlib import Path\nPath('kept.txt').write_text('mine')\nPath('/tmp/lost.txt').write_text('not')")
    before = pods(api, "user-alice")["jupyter-alice"].metadata.uid
    alice.stop()
    nothing_is_left(api, "alice")
    alice.start()
    assert pods(api, "user-alice")["jupyter-alice"].metadata.uid != before
    look = "from pathlib import Path\nprint(Path('kept.txt').read_text(), Path('/tmp/lost.txt').exists())"
    assert alice.run(look).split() == ["mine", "False"]


# --- clusters ------------------------------------------------------------------------------------------------------
ADAPTIVE = """
import time
from bench.dask import cluster
from distributed import Client
with cluster(n=0) as c, Client(c) as client:
    c.adapt(minimum=0, maximum=2)
    futures = client.map(lambda n: time.sleep(1) or n, range(60), pure=False)
    client.wait_for_workers(2, timeout=120)
    print("up", len(client.scheduler_info()["workers"]))
    print("sum", sum(client.gather(futures)))
    del futures
    deadline = time.monotonic() + 180
    while client.scheduler_info()["workers"]:
        assert time.monotonic() < deadline, client.scheduler_info()["workers"]
        time.sleep(1)
    print("down", len(client.scheduler_info()["workers"]))
"""


def test_an_adaptive_cluster_grows_with_its_work_and_shrinks_after_it(alice: User, api: client.CoreV1Api) -> None:
    said = alice.run(ADAPTIVE.replace("cluster(n=0)", "cluster(n=0, name='adaptive')"), timeout_s=400)
    assert said.split() == ["up", "2", "sum", str(sum(range(60))), "down", "0"]
    until(lambda: not workers(api, "alice"), "workers stay")


BUSY = """
import time
from bench.dask import cluster
from distributed import Client
c = cluster(n=1, name={name!r})
c.shutdown_on_close = False
client = Client(c)
client.wait_for_workers(1, timeout=150)
"""


def test_an_idle_cluster_is_removed_and_one_that_computes_is_not(alice: User, api: client.CoreV1Api) -> None:
    work = f"print(client.submit(lambda: time.sleep({3 * IDLE_CLUSTER_S}) or 'done').result())"
    assert alice.run(BUSY.format(name="busy") + work).strip() == "done"
    until(lambda: not clusters("user-alice"), lambda: f"{clusters('user-alice')} stay", 6 * IDLE_CLUSTER_S)
    until(lambda: set(pods(api, "user-alice")) == {"jupyter-alice"}, lambda: f"{set(pods(api, 'user-alice'))} stay")


# --- servers -------------------------------------------------------------------------------------------------------
def test_a_server_that_dies_takes_its_clusters_along_and_can_be_started_again(
    alice: User, api: client.CoreV1Api
) -> None:
    alice.run(BUSY.format(name="orphan"))
    assert clusters("user-alice") == ["orphan"]
    api.delete_namespaced_pod("jupyter-alice", "user-alice", grace_period_seconds=0)
    nothing_is_left(api, "alice")
    until(lambda: not alice.ready(), "the hub takes the lost server for a running one")
    alice.start()
    assert alice.run("print(6 * 7)").strip() == "42"


# --- what a browser is refused -------------------------------------------------------------------------------------
def test_what_changes_something_needs_the_pages_token(alice: User) -> None:
    """Another site's page could have the browser of somebody who is logged in ask for anything."""
    for method, path in (("POST", "/hub/api/users/alice/tokens"), ("DELETE", "/hub/api/users/alice/server")):
        assert alice.http.request(method, f"{alice.url}{path}", json={}).status_code == 403, path
    kernels = f"{alice.url}/user/alice/api/kernels"
    assert alice.http.post(kernels, json={"name": "python3"}).status_code == 403
    assert alice.ready()
    # it is the token that is missed: with it the same is done
    assert alice.api("POST", "/users/alice/tokens", json={"note": "a test", "expires_in": 60}).status_code == 201


ELSEWHERE = ["https://elsewhere.example/", "//elsewhere.example/", "/\\elsewhere.example/", "https:elsewhere.example"]


@pytest.mark.parametrize("place", ELSEWHERE)
def test_a_login_leads_nowhere_else(place: str, alice: User, user: Callable[[str], User]) -> None:
    """A link to the hub's own login page must not end at a page that looks like it."""
    there = alice.http.get(f"{alice.url}/hub/login", params={"next": place}, follow_redirects=False)
    assert there.status_code in REDIRECTS
    assert led_to(there.headers["location"]) in ("", urlsplit(alice.url).netloc)
    bob = user("bob")
    bob.http.cookies.clear()
    assert bob.log_in_at_provider(place).url.host == urlsplit(bob.url).hostname


def led_to(location: str) -> str:
    """The server that a browser goes to; browsers take a backslash for a slash."""
    return urlsplit(location.replace("\\", "/")).netloc


# --- servers that nobody uses: the last, since the hub's settings are others then -----------------------------------
def test_an_idle_server_is_stopped(
    alice: User, stands: Callable[[Variables], str], usual: dict[str, Any], api: client.CoreV1Api
) -> None:
    stands(usual | SOON | SOONER)
    began = time.monotonic()
    until(lambda: not pods(api, "user-alice"), "the idle server stays", IDLE_SERVER_S + START_S)
    print(f"an idle server was stopped after {time.monotonic() - began:.0f} s")
    until(lambda: not alice.ready(), "the hub takes the stopped server for a running one")
    assert clusters("user-alice") == []
