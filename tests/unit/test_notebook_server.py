"""What the configuration of users' notebook servers lets their proxy ask, and where it says dashboards are."""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from pathlib import Path

import dask
import pytest
from distributed.utils import format_dashboard_link

LINK = "DASK_DISTRIBUTED__DASHBOARD__LINK"
Allowed = Callable[[object, str], bool]


def configured(repo: Path) -> Allowed:
    """Whom the proxy may ask, after the file was read as Jupyter Server reads it."""
    found = types.SimpleNamespace(ServerProxy=types.SimpleNamespace())
    path = repo / "images/analysis/jupyter_server_config.py"
    exec(compile(path.read_text(), path, "exec"), {"get_config": lambda: found})
    return found.ServerProxy.host_allowlist


@pytest.fixture
def in_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    # set first, so that what the configuration sets is taken back
    monkeypatch.setenv(LINK, "")
    monkeypatch.delenv(LINK)
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/alice/")
    monkeypatch.setenv("FACILITY_DASK", json.dumps({"namespace": "user-alice"}))


@pytest.mark.usefixtures("in_a_pod")
def test_the_proxy_asks_the_users_own_schedulers_and_its_pod(repo: Path) -> None:
    allowed = configured(repo)
    for host in ("localhost", "127.0.0.1", "dask-0a1b-scheduler.user-alice", "mine-scheduler.user-alice"):
        assert allowed(None, host), host


@pytest.mark.usefixtures("in_a_pod")
@pytest.mark.parametrize(
    "host",
    [
        "dask-0a1b-scheduler.user-bob",
        "dask-0a1b-scheduler.user-alice.elsewhere.example",
        "dask-0a1b-scheduler.user-alicex",
        "elsewhere.example/-scheduler.user-alice",
        "hub.jupyterhub",
        "169.254.169.254",
        "kubernetes.default",
    ],
)
def test_it_asks_nobody_else(repo: Path, host: str) -> None:
    assert not configured(repo)(None, host)


def test_elsewhere_it_asks_its_own_machine_only(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LINK, "")
    monkeypatch.delenv("FACILITY_DASK", raising=False)
    assert configured(repo)(None, "localhost")
    assert not configured(repo)(None, "a-scheduler.")


@pytest.mark.usefixtures("in_a_pod")
def test_dashboards_are_behind_the_hub(repo: Path) -> None:
    configured(repo)
    said = dask.config.get("distributed.dashboard.link", config=dask.config.collect_env())
    with dask.config.set({"distributed.dashboard.link": said}):
        link = format_dashboard_link("dask-0a1b-scheduler.user-alice", 8787)
    assert link == "/user/alice/proxy/dask-0a1b-scheduler.user-alice:8787/status"
