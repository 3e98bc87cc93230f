"""The chain that `make demo` runs, looked at from outside."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab

EIGHT_GIB_IN_MIB = 8 * 1024


def test_demo_names_result_files_that_exist(demo):
    for key in ("accept", "page", "kubeconfig"):
        assert Path(demo[key]).exists(), key


def test_demo_prints_the_four_counts_of_nodes_and_cores(demo):
    for word in ("declared", "built", "joined", "measured"):
        assert word in demo["output"]


def test_chain_stays_under_its_memory(demo):
    assert demo["peak_memory_mib"] < EIGHT_GIB_IN_MIB


def test_second_plan_changes_nothing(lab, repo):
    plan = subprocess.run(
        ["terraform/tf", "lab", "plan", "-detailed-exitcode", "-input=false"],
        cwd=repo, env=lab, capture_output=True, text=True,
    )  # fmt: skip
    assert plan.returncode == 0, plan.stdout + plan.stderr


def test_secrets_are_for_their_owner_only(lab, facility_dir):
    for name in ("clouds.yaml", "id_ed25519", "kubeconfig", "facility.json"):
        assert stat.S_IMODE((facility_dir / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE(facility_dir.stat().st_mode) == 0o700


def test_facility_json_says_what_was_ordered(lab, facility_dir):
    facility = json.loads((facility_dir / "facility.json").read_text())
    assert {name: node["groups"] for name, node in facility["nodes"].items()} == {
        "lab-cp0": ["controlplane", "etcd", "worker"],
        "lab-w0": ["worker"],
    }


def test_services_listen_on_loopback_or_the_external_network_only(lab):
    out = subprocess.run(["ss", "-Htlnp"], capture_output=True, text=True, check=True).stdout
    ours = [line.split()[3] for line in out.splitlines() if "lab" in line.split("users:")[-1] or "registry" in line]
    assert ours
    for address in ours:
        assert address.rsplit(":", 1)[0].startswith(("127.0.0.1", "172.31.250.")), address
