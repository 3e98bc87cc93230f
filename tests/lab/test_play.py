"""Playbooks on the standing facility: what is asked before and after an installation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from plays import changes, play, said

if TYPE_CHECKING:
    from conftest import Site

pytestmark = pytest.mark.lab

FIRST, WORKER = "lab-cp0", "lab-w0"


# --- check mode and time -------------------------------------------------------------------------------------------
def test_a_check_of_a_running_facility_would_change_nothing(site: Site) -> None:
    run = play(site, "site", "--check", "--diff")
    assert set(changes(run).values()) == {0}, run.stdout[-4000:]


def test_a_check_tells_what_it_would_change_and_leaves_it(site: Site) -> None:
    path = "/etc/crictl.yaml"
    assert site.on(WORKER, f"echo '# by hand' | sudo tee -a {path}").returncode == 0
    try:
        run = play(site, "site", "--check", "--diff")
        assert changes(run) == {FIRST: 0, WORKER: 1, "localhost": 0}
        assert "-# by hand" in run.stdout
        assert "# by hand" in site.on(WORKER, f"cat {path}").stdout
    finally:
        site.on(WORKER, f"sudo sed -i '/^# by hand$/d' {path}")


def test_the_seconds_of_each_task_are_kept(site: Site) -> None:
    changes(play(site, "validate", "--tags", "before"))
    kept = json.loads((site.runtime / "timing.json").read_text())["validate.yml"]
    assert kept["nodes"][WORKER]["failures"] == 0
    assert {"play", "task", "seconds", "changed", "failed"} == set(kept["tasks"][-1])
    assert sum(task["seconds"] for task in kept["tasks"]) <= kept["seconds"]


# --- validate.yml -------------------------------------------------------------------------------------------------
def test_a_sound_facility_passes_and_nothing_is_changed(site: Site) -> None:
    run = play(site, "validate")
    assert set(changes(run).values()) == {0}
    # What bench says is passed on.
    assert "What bench validate says" in run.stdout


@pytest.fixture
def wrong_clock(site: Site) -> Iterator[None]:
    """A double: `date` of a node is an hour ahead. Guests share the machine's clock, which nobody may set."""
    shim = '#!/bin/sh\\nexec /usr/bin/date.real -d "now + 1 hour" "$@"\\n'
    made = site.on(
        WORKER,
        f"sudo cp -p /usr/bin/date /usr/bin/date.real && printf '{shim}' | sudo tee /run/date.shim >/dev/null"
        " && sudo chmod 755 /run/date.shim && sudo mount --bind /run/date.shim /usr/bin/date",
    )
    assert made.returncode == 0, made.stderr
    try:
        yield
    finally:
        site.on(WORKER, "sudo umount /usr/bin/date; sudo rm -f /usr/bin/date.real /run/date.shim")


def test_faults_of_all_nodes_are_named_together(site: Site, wrong_clock: None) -> None:
    wrong = "http://172.31.250.2:9/github.com"
    text = said(play(site, "validate", "--tags", "before", "-e", f"artifact_url_github={wrong}"))
    assert re.search(
        rf"{WORKER}: its clock is (3599|36\d\d) s ahead of this machine's, at most 10 s are expected", text
    )
    for node in (FIRST, WORKER):
        assert f"{node}: {wrong} (artifact_url_github) does not answer" in text
    assert "3 findings, nothing was changed" in text
