"""`bench run` on the standing facility: what it computes, and that it leaves nothing."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cluster_tools import leftovers

if TYPE_CHECKING:
    from conftest import Site

pytestmark = pytest.mark.lab


def test_the_distributed_result_is_equal_to_the_serial_one(site: Site, tmp_path: Path) -> None:
    ran = site.run("bench", "run", "fcc-zee", "--engine", "dask-kubernetes", "--site", site.name, "--out", tmp_path)
    assert (tmp_path / "run.json").exists(), ran.stdout + ran.stderr
    result: dict[str, Any] = json.loads((tmp_path / "run.json").read_text())
    assert result["physics"] == "equal", ran.stdout + ran.stderr
    # A machine that is busy with something else disturbs the times, and only them.
    valid = result["timing"] == "valid"
    assert ran.returncode == (0 if valid else 3), ran.stdout
    assert (result["speed_up"] is not None) == valid
    shares = result["measurement"]["distributed"]["passes"][0]["workers"]
    assert {share["host"] for share in shares} == set(site.nodes)
    assert all(share["tasks"] > 0 for share in shares)
    if not result["input"]["stand_in"]:
        assert result["yields"]["cutflow"][-1]["events"] == 2783
    assert leftovers(site.runtime / "kubeconfig") == []


def test_an_interrupted_run_leaves_nothing(lab: dict[str, str], repo: Path, tmp_path: Path, kubeconfig: Path) -> None:
    command = ["bench", "run", "fcc-zee", "--engine", "dask-kubernetes", "--site", "lab", "--out", str(tmp_path)]
    process = subprocess.Popen(command, cwd=repo, env=lab, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "first pass" in line:
            break
    process.terminate()
    process.communicate(timeout=120)
    assert process.returncode == 128 + 15
    assert leftovers(kubeconfig) == []
    assert not (tmp_path / "run.json").exists()
