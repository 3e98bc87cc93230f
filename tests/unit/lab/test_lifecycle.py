"""What `lab down` removes when no Docker Engine answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lab.cloud import lifecycle

from lab import settings


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done, in order, on a machine where nothing really is."""
    done: list[str] = []

    def note(what: str) -> Any:
        return lambda *_: done.append(what)

    monkeypatch.setattr(lifecycle.services, "stop", note("services stopped"))
    monkeypatch.setattr(lifecycle.engine, "ensure", note("engine started"))
    monkeypatch.setattr(lifecycle.engine, "installed", lambda: True)
    monkeypatch.setattr(lifecycle.host, "remove_guests", note("guests removed"))
    monkeypatch.setattr(lifecycle.databases, "discard", note("data discarded"))
    return done


def take_away(monkeypatch: pytest.MonkeyPatch, made_for: dict[str, object] | None) -> None:
    monkeypatch.setattr(lifecycle.databases, "made_for", lambda folder: made_for)
    lifecycle._take_away(settings.Settings(), Path("/nowhere"))


def test_guests_on_the_disk_of_a_restarted_machine_are_removed(monkeypatch: pytest.MonkeyPatch, steps: list[str]):
    take_away(monkeypatch, {"name": "lab"})
    assert steps == ["services stopped", "engine started", "guests removed", "data discarded"]


def test_no_engine_is_started_where_no_cloud_was(monkeypatch: pytest.MonkeyPatch, steps: list[str]):
    take_away(monkeypatch, None)
    assert "engine started" not in steps


def test_no_engine_is_installed_by_down(monkeypatch: pytest.MonkeyPatch, steps: list[str]):
    monkeypatch.setattr(lifecycle.engine, "installed", lambda: False)
    take_away(monkeypatch, {"name": "lab"})
    assert "engine started" not in steps
