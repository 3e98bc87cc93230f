"""Playbooks on the standing facility: what is asked before and after an installation."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab

SITE = "lab"
WORKER = f"{SITE}-w0"


def playbook(repo: Path, env: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["ansible-playbook", "-i", f"inventory/{SITE}/openstack.yml", *map(str, arguments)]
    return subprocess.run(command, cwd=repo, env=env, capture_output=True, text=True, timeout=900)


def changed(run: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Changed tasks by node, as the recap counts them."""
    recap = run.stdout[run.stdout.index("PLAY RECAP") :]
    return {name: int(count) for name, count in re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", recap, re.MULTILINE)}


def on(facility_dir: Path, node: str, command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command on a node."""
    ssh = ["ssh", "-F", str(facility_dir / "ssh_config"), "-S", "none", node, command]
    return subprocess.run(ssh, capture_output=True, text=True, timeout=120)


# --- check mode and time -------------------------------------------------------------------------------------------
def test_a_check_of_a_running_facility_would_change_nothing(lab: dict[str, str], repo: Path) -> None:
    run = playbook(repo, lab, "playbooks/site.yml", "--check", "--diff")
    assert run.returncode == 0, run.stdout[-4000:]
    assert set(changed(run).values()) == {0}, run.stdout[-4000:]


def test_a_check_tells_what_it_would_change_and_leaves_it(lab: dict[str, str], repo: Path, facility_dir: Path) -> None:
    path = "/etc/crictl.yaml"
    assert on(facility_dir, WORKER, f"echo '# by hand' | sudo tee -a {path}").returncode == 0
    try:
        run = playbook(repo, lab, "playbooks/site.yml", "--check", "--diff")
        assert run.returncode == 0, run.stdout[-4000:]
        assert changed(run) == {f"{SITE}-cp0": 0, WORKER: 1, "localhost": 0}
        assert "-# by hand" in run.stdout
        assert "# by hand" in on(facility_dir, WORKER, f"cat {path}").stdout
    finally:
        on(facility_dir, WORKER, f"sudo sed -i '/^# by hand$/d' {path}")


def test_the_seconds_of_each_task_are_kept(lab: dict[str, str], repo: Path, facility_dir: Path) -> None:
    run = playbook(repo, lab, "playbooks/validate.yml", "--tags", "before")
    assert run.returncode == 0, run.stdout[-4000:]
    kept = json.loads((facility_dir / "timing.json").read_text())["validate.yml"]
    assert kept["nodes"][WORKER]["failures"] == 0
    assert {"play", "task", "seconds", "changed", "failed"} == set(kept["tasks"][-1])
    assert sum(task["seconds"] for task in kept["tasks"]) <= kept["seconds"]


# --- validate.yml -------------------------------------------------------------------------------------------------
def test_a_sound_facility_passes_and_nothing_is_changed(lab: dict[str, str], repo: Path) -> None:
    run = playbook(repo, lab, "playbooks/validate.yml")
    assert run.returncode == 0, run.stdout[-4000:]
    assert set(changed(run).values()) == {0}
    # What bench says is passed on.
    assert "What bench validate says" in run.stdout


@pytest.fixture
def wrong_clock(lab: dict[str, str], facility_dir: Path) -> Iterator[None]:
    """A double: `date` of a node is an hour ahead. Guests share the machine's clock, which nobody may set."""
    shim = '#!/bin/sh\\nexec /usr/bin/date.real -d "now + 1 hour" "$@"\\n'
    made = on(
        facility_dir,
        WORKER,
        f"sudo cp -p /usr/bin/date /usr/bin/date.real && printf '{shim}' | sudo tee /run/date.shim >/dev/null"
        " && sudo chmod 755 /run/date.shim && sudo mount --bind /run/date.shim /usr/bin/date",
    )
    assert made.returncode == 0, made.stderr
    try:
        yield
    finally:
        on(facility_dir, WORKER, "sudo umount /usr/bin/date; sudo rm -f /usr/bin/date.real /run/date.shim")


def test_faults_of_all_nodes_are_named_together(lab: dict[str, str], repo: Path, wrong_clock: None) -> None:
    wrong = "http://172.31.250.2:9/github.com"
    run = playbook(repo, lab, "playbooks/validate.yml", "--tags", "before", "-e", f"artifact_url_github={wrong}")
    text = " ".join(run.stdout.split())
    assert run.returncode != 0
    assert re.search(
        rf"{WORKER}: its clock is (3599|36\d\d) s ahead of this machine's, at most 10 s are expected", text
    )
    for node in (f"{SITE}-cp0", WORKER):
        assert f"{node}: {wrong} (artifact_url_github) does not answer" in text
    assert "3 findings, nothing was changed" in text
