"""Last of all: destroy the facility, take the lab down, and look for anything left on the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab

EXTERNAL = "172.31.250."


def output(*command: str) -> str:
    """What a command prints; empty when there is no such program or it fails (the engine is gone, say)."""
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, capture_output=True, text=True).stdout


def processes_of_the_lab(repo: Path) -> list[str]:
    """Command lines of processes that run from the lab's environment or serve its mirror."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        if int(entry.parent.name) != os.getpid() and (".venv-lab" in line or "docker-registry" in line):
            found.append(line)
    return found


def test_destroy_leaves_no_resource(lab, repo):
    run = subprocess.run(
        ["terraform/tf", "lab", "destroy", "-auto-approve"], cwd=repo, env=lab, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    for kind in ("server", "volume", "port", "router", "floating ip", "keypair", "server group"):
        listed = subprocess.run(
            ["openstack", *kind.split(), "list", "-f", "value"], env=lab, capture_output=True, text=True, check=True
        )
        assert listed.stdout.strip() == "", kind


def test_down_leaves_nothing(lab, repo):
    run = subprocess.run(["lab", "down"], cwd=repo, env=lab, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert processes_of_the_lab(repo) == []
    assert EXTERNAL not in output("ip", "route", "show", "table", "all")
    assert "lab" not in output("nft", "list", "tables")
    for table in ("nat", "filter"):
        rules = output("iptables", "-t", table, "-S")
        assert EXTERNAL not in rules
        assert "lab" not in rules
    assert "facility-testbed" not in output("losetup", "--list", "--noheadings", "--output", "BACK-FILE")
    assert output("docker", "ps", "-aq", "--filter", "label=lab.uuid").strip() == ""
    assert "lab-" not in output("docker", "network", "ls", "--format", "{{.Name}}")
    assert "lab-" not in output("ip", "-brief", "link")


def test_down_again_has_nothing_to_do(lab, repo):
    run = subprocess.run(["lab", "down"], cwd=repo, env=lab, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
