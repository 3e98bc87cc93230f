"""Roles of a node on their own, each on a guest of its own: checked, converged, again without a change, verified."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.long]

REPO = Path(__file__).parents[2]
ROLES = sorted(path.parents[1].name for path in REPO.glob("ansible/roles/*/molecule/default"))


@pytest.mark.parametrize("role", ROLES)
def test_a_role_does_on_its_own_what_it_promises(lab: dict[str, str], repo: Path, role: str) -> None:
    folder = repo / "ansible" / "roles" / role
    command = ["molecule", "test"]
    run = subprocess.run(command, cwd=folder, env={**lab, "NO_COLOR": "1"}, capture_output=True, text=True, timeout=900)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
