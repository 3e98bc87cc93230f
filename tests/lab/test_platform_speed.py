"""How long a user waits, and what the hub bears: figures are printed, and kept beside the pictures."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from browse import Visitor
from hub_client import User
from kubernetes import client
from platform_tools import CROWD, HUB, Variables, nothing_is_left

pytest_plugins = ["platform_fixtures", "browser_fixtures"]
pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(900)]

LOGIN_S, IMPORT_S, WORKERS_S, HISTOGRAM_S = 15, 3, 10, 20
N_LOGGED_IN, N_SPAWNS, SPAWNS_WITHIN_S = 100, 20, 60
# Twenty servers on two nodes with 10 GB: what they reserve is what an idle one takes, not what ROOT needs.
SMALL = {"jupyterhub_singleuser_memory_guarantee": "150M", "jupyterhub_singleuser_cpu_guarantee": 0.02}


@pytest.fixture(scope="module")
def platform(stands: Callable[[Variables], str], usual: dict[str, Any]) -> str:
    return stands(usual | SMALL)


class Figures:
    """Numbers of this module, written to a file as they come."""

    def __init__(self, path: Path) -> None:
        self.path, self.values = path, {}

    def add(self, name: str, value: float) -> float:
        self.values[name] = round(value, 2)
        self.path.write_text(json.dumps(self.values, indent=2) + "\n")
        print(f"{name}: {value:.2f}")
        return value


@pytest.fixture(scope="module")
def figures(runs: Path) -> Figures:
    return Figures(runs / "speed.json")


# --- one user ------------------------------------------------------------------------------------------------------
@pytest.mark.browser
def test_from_the_login_to_jupyterlab(
    visitor: Callable[[str], Visitor], user: Callable[[str], User], api: client.CoreV1Api, figures: Figures
) -> None:
    """Warm: the image is on the node, and the user has a home."""
    user("alice")
    for name in ("login to JupyterLab, first time", "login to JupyterLab, warm"):
        alice = visitor("alice")
        alice.page.goto(f"{alice.url}/hub/login")
        began = time.monotonic()
        alice.sign_in()
        alice.jupyterlab()
        taken = figures.add(f"{name} [s]", time.monotonic() - began)
        alice.stop_server()
        nothing_is_left(api, "alice")
    assert taken <= LOGIN_S


TIMED = """
import json, time
taken = {}
def lap(name):
    global begin
    taken[name] = time.monotonic() - begin
    begin = time.monotonic()
begin = time.monotonic()
import ROOT
lap("import ROOT")
from bench.dask import cluster
from distributed import Client
begin = time.monotonic()
with cluster(n=2) as c, Client(c) as client:
    client.wait_for_workers(2, timeout=150)
    lap("workers")
    frame = ROOT.RDataFrame(100000, executor=client, npartitions=2)
    histogram = frame.Define("x", "gRandom->Gaus()").Histo1D(("h", "h", 100, -5, 5), "x")
    assert histogram.GetEntries() == 100000
    lap("histogram")
print(json.dumps(taken))
"""


def test_root_workers_and_the_first_histogram(alice: User, figures: Figures) -> None:
    taken = json.loads(alice.run(TIMED).strip().splitlines()[-1])
    figures.add("import ROOT [s]", taken["import ROOT"])
    figures.add("two Dask workers, from asking for them [s]", taken["workers"])
    figures.add("first histogram, from then [s]", taken["histogram"])
    assert taken["import ROOT"] <= IMPORT_S
    assert taken["workers"] <= WORKERS_S
    assert taken["histogram"] <= HISTOGRAM_S


# --- many users ----------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def crowd(user: Callable[[str], User], alice: User) -> list[User]:
    """So many users; nobody else is at work."""
    alice.stop()
    return [user(name) for name in CROWD[:N_LOGGED_IN]]


def percentile_95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def hub_memory_mib(api: client.CoreV1Api) -> float:
    """Memory of the hub's container that cannot be taken from it, as kubelet counts it."""
    (hub,) = api.list_namespaced_pod(HUB, label_selector="app=hub").items
    said = api.connect_get_node_proxy_with_path(hub.spec.node_name, "stats/summary", _preload_content=False)
    found = [each for each in json.loads(said.data)["pods"] if each["podRef"]["uid"] == hub.metadata.uid]
    return found[0]["memory"]["workingSetBytes"] / 2**20


def test_a_hundred_users_log_in(crowd: list[User], api: client.CoreV1Api, figures: Figures) -> None:
    figures.add("hub's memory, nobody logged in [MiB]", hub_memory_mib(api))

    def log_in(someone: User) -> float:
        began = time.monotonic()
        answer = someone.log_in_at_provider("/hub/home")
        assert answer.status_code == 200, answer.text[-500:]
        return time.monotonic() - began

    # so many at once, as the start of a course: each client is a thread of this machine, which is the lab's too
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(log_in, crowd))
        answers = list(pool.map(timed_page, crowd))
    figures.add("login of one of 100, 95 % within [s]", percentile_95(taken))
    figures.add("the hub's page for one of 100, 95 % within [s]", percentile_95(answers))
    figures.add("hub's memory, 100 users logged in [MiB]", hub_memory_mib(api))
    assert all(someone.logged_in() for someone in crowd)


def timed_page(someone: User) -> float:
    began = time.monotonic()
    assert someone.http.get(f"{someone.url}/hub/home").status_code == 200
    return time.monotonic() - began


def test_twenty_servers_start_within_a_minute(crowd: list[User], api: client.CoreV1Api, figures: Figures) -> None:
    starting = crowd[:N_SPAWNS]
    for someone in starting:
        if not someone.logged_in():
            someone.log_in_at_provider("/hub/home")
    began = time.monotonic()

    def start(number: int) -> float:
        # asked for evenly over the minute; this is the load, no wait for anything
        time.sleep(max(0.0, began + number * SPAWNS_WITHIN_S / N_SPAWNS - time.monotonic()))
        return starting[number].start()

    with ThreadPoolExecutor(N_SPAWNS) as pool:
        taken = list(pool.map(start, range(N_SPAWNS)))
    figures.add("start of one of 20 servers, median [s]", statistics.median(taken))
    figures.add("start of one of 20 servers, 95 % within [s]", percentile_95(taken))
    figures.add("start of one of 20 servers, longest [s]", max(taken))
    figures.add("hub's memory, 20 servers running [MiB]", hub_memory_mib(api))
    assert all(someone.ready() for someone in starting), "a server was lost"
