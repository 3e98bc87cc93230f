"""What a physicist sees in a browser: the login, a notebook that computes on his cluster, the Dask tab, the end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browse import SERVER_MS, Visitor, usable
from hub_client import User
from jupyterlab_page import DaskTab, fresh, opened
from kubernetes import client
from platform_tools import QUOTA, another_hub, clusters, nothing_is_left, pods, until
from playwright.sync_api import expect

from bench import dask

pytest_plugins = ["platform_fixtures", "browser_fixtures"]
pytestmark = [pytest.mark.lab, pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(900)]

# It makes its events itself, so it runs wherever there is no file of the collaboration.
EXAMPLE = "atlas-stop4body.ipynb"
Person = Callable[[str], Visitor]


@pytest.fixture
def person(visitor: Callable[[str], Visitor], user: Callable[[str], User]) -> Person:
    """Users of the hub at their browsers; what they leave goes with the others' at the end of the module."""

    def named(name: str) -> Visitor:
        user(name)
        return visitor(name)

    return named


@pytest.fixture
def alice(person: Person) -> Visitor:
    """At JupyterLab, with a server of her own."""
    return at_jupyterlab(person("alice"))


def at_jupyterlab(someone: Visitor) -> Visitor:
    someone.log_in_at_provider()
    someone.jupyterlab()
    return someone


def example_of(someone: Visitor) -> str:
    return f"{someone.url}/user/{someone.name}/lab/tree/examples/{EXAMPLE}"


# --- from the login to the histogram, and back --------------------------------------------------------------------
def test_from_the_login_to_a_histogram_and_back(person: Person, api: client.CoreV1Api) -> None:
    alice = person("alice")
    alice.page.goto(f"{alice.url}/hub/login")
    alice.picture("1-login")
    alice.sign_in()
    alice.page.wait_for_url(re.compile("/hub/spawn-pending/|/lab"))
    alice.picture("2-server-starts")
    alice.jupyterlab()
    alice.picture("3-jupyterlab")

    notebook = opened(alice.page, example_of(alice))
    notebook.run_through("cluster(n=2)")
    alice.picture("4-cluster")
    (name,) = clusters("user-alice")
    tab = DaskTab(alice.page)
    tab.show()
    dashboard = tab.find()
    assert f"proxy/{name}-scheduler.user-alice:8787" in dashboard
    # from now on the scheduler keeps tasks for this page
    tab.chart("Task Stream")

    notebook.front(EXAMPLE)
    notebook.down()
    assert "against one thread: equal" in notebook.run_through("stop.run()")
    notebook.down()
    notebook.run_through("plt.show()")
    (width,) = notebook.images()
    assert width > 200
    alice.picture("5-histogram")

    tab.chart("Task Stream")
    until(lambda: max(tab.rows()) > 2, lambda: f"the task stream shows no tasks: {tab.rows()}")
    alice.picture("6-task-stream")
    tab.chart("Workers")
    # a row for each, and one for all
    until(lambda: 3 in tab.rows(), lambda: f"two workers are not shown: {tab.rows()}")
    alice.picture("7-workers")
    others_do_not_see_it(alice, person("bob"), f"{alice.url}/user/alice/proxy/{name}-scheduler.user-alice:8787/status")

    alice.stop_server()
    alice.picture("8-stopped")
    nothing_is_left(api, "alice")


def others_do_not_see_it(owner: Visitor, other: Visitor, dashboard: str) -> None:
    """Through the hub's proxy a dashboard is its owner's alone."""
    assert owner.context.request.get(dashboard).status == 200
    other.page.goto(dashboard)
    assert "/hub/login" in other.page.url
    other.sign_in()
    expect(other.page.get_by_role("heading", name="403")).to_be_visible()
    assert other.context.request.get(dashboard).status == 403


def test_two_users_at_once_have_a_server_and_a_cluster_each(person: Person) -> None:
    both = [at_jupyterlab(person(name)) for name in ("alice", "bob")]
    tabs = [DaskTab(each.page) for each in both]
    for tab in tabs:
        tab.show()
        tab.new()
    for each, tab in zip(both, tabs, strict=True):
        expect(tab.clusters).to_have_count(1)
        tab.has_workers(2)
        each.picture(f"two-users-{each.name}")
    names = [clusters(f"user-{each.name}") for each in both]
    assert [len(found) for found in names] == [1, 1]
    for each, tab, other in zip(both, tabs, both[::-1], strict=True):
        tab.shut_down()
        expect(tab.clusters).to_have_count(0)
        assert clusters(f"user-{each.name}") == []
        answer = each.page.goto(f"{each.url}/user/{other.name}/lab")
        assert answer
        assert answer.status == 403
        each.page.goto(f"{each.url}/hub/home")
        expect(each.page.get_by_role("button", name="Stop My Server")).to_be_visible()


def test_the_dask_tab_scales_its_cluster(alice: Visitor) -> None:
    tab = DaskTab(alice.page)
    tab.show()
    tab.new()
    tab.has_workers(2)
    tab.scale(1)
    tab.has_workers(1)
    tab.adapt(0, 2)
    alice.picture("adaptive")
    # without work
    tab.has_workers(0)
    tab.shut_down()
    expect(tab.clusters).to_have_count(0)


def test_a_second_tab_of_a_server_works(alice: Visitor) -> None:
    first = fresh(alice.page)
    second = fresh(alice.another_tab())
    for number, notebook in enumerate((first, second, first)):
        notebook.write(f"print({number} + 40)")
        assert notebook.run().strip() == str(number + 40)


# --- who does not get in -------------------------------------------------------------------------------------------
def test_who_is_in_no_group_is_told_so(person: Person) -> None:
    mallory = person("mallory")
    mallory.log_in_at_provider()
    expect(mallory.page.get_by_role("heading", name="you are not currently authorized")).to_be_visible()
    mallory.picture("not-authorized")


def log_out_elsewhere(someone: Visitor) -> None:
    someone.context.new_page().goto(f"{someone.url}/hub/logout")


def lose_cookies(someone: Visitor) -> None:
    someone.context.clear_cookies()


@pytest.mark.parametrize("end", [lose_cookies, log_out_elsewhere])
def test_an_ended_session_leads_to_the_login_and_back(alice: Visitor, end: Callable[[Visitor], None]) -> None:
    opened(alice.page, example_of(alice))
    end(alice)
    alice.page.reload()
    expect(alice.page).to_have_url(re.compile("/hub/login"))
    alice.sign_in()
    usable(alice.page)
    expect(alice.page).to_have_url(re.compile(re.escape(f"/tree/examples/{EXAMPLE}") + "$"))
    expect(alice.page.locator(".jp-NotebookPanel", has_text="stop to four bodies")).to_be_visible()


# --- what goes wrong ------------------------------------------------------------------------------------------------
def test_page_and_kernel_go_on_while_the_hub_restarts(alice: Visitor, api: client.CoreV1Api) -> None:
    notebook = fresh(alice.page)
    notebook.write("import time\nfor n in range(1000):\n    print('step', n, flush=True)\n    time.sleep(0.2)")
    notebook.start()

    def step() -> int:
        return max(map(int, re.findall(r"step (\d+)", notebook.text())), default=-1)

    until(lambda: step() > 2, "the cell does not run")
    another_hub(api)
    before = step()
    until(lambda: step() > before + 5, f"no output after step {before}, when the new hub was there")
    alice.picture("hub-restarted")
    notebook.interrupt()
    notebook.write("print(6 * 7)")
    assert notebook.run().strip() == "42"
    page = alice.context.new_page()
    page.goto(f"{alice.url}/hub/home")
    expect(page.get_by_role("button", name="Stop My Server")).to_be_visible()


@contextmanager
def forgotten_cluster(facility_dir: Path, namespace: str, n_pods: int) -> Iterator[None]:
    """A Dask cluster that does not go with its user's server, of so many pods, which find no node and cost nothing."""
    image = json.loads((facility_dir / "facility.json").read_text())["analysis_image"]
    settings = dask.Settings(
        image=image,
        namespace=namespace,
        worker_limit_mib=1500,
        worker_requests={"cpu": "100m", "memory": "500Mi"},
        priority_interactive="facility-dask",
        priority_batch="facility-dask-batch",
        idle_timeout_s=0,
    )
    made = dask.manifest(n_pods - 1, settings, name="forgotten", batch=False, owner=None)
    for part in ("worker", "scheduler"):
        made["spec"][part]["spec"]["nodeSelector"] = {"kubernetes.io/hostname": "none"}
    objects, kind = client.CustomObjectsApi(), ("kubernetes.dask.org", "v1", namespace, "daskclusters")
    objects.create_namespaced_custom_object(*kind, made)
    try:
        yield
    finally:
        objects.delete_namespaced_custom_object(*kind, "forgotten")


def test_a_used_up_quota_is_said_and_what_to_do(alice: Visitor, api: client.CoreV1Api, facility_dir: Path) -> None:
    alice.stop_server()
    nothing_is_left(api, "alice")
    n_pods = QUOTA["jupyterhub_quota_pods"]
    with forgotten_cluster(facility_dir, "user-alice", n_pods):
        until(lambda: len(pods(api, "user-alice")) == n_pods, "the quota is not used up")
        alice.page.goto(f"{alice.url}/hub/spawn")
        said = alice.page.get_by_text("Your share of the facility is used up").first
        expect(said).to_be_visible(timeout=SERVER_MS)
        expect(said).to_contain_text("an administrator can end them")
        alice.picture("quota-used-up")
    nothing_is_left(api, "alice")
    alice.page.goto(f"{alice.url}/hub/spawn")
    alice.jupyterlab()
