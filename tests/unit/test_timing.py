"""The times of a run are kept with the site, and nothing is written where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PLAY = """
- name: Some play
  hosts: all
  gather_facts: false
  connection: local
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
    - name: It changes
      ansible.builtin.command: sleep 0.3
      changed_when: inventory_hostname == 'x-w0'
    - name: It breaks
      ansible.builtin.fail:
      when: broken | default(false)
"""


def play(repo: Path, site: Path, *options: str) -> subprocess.CompletedProcess[str]:
    site.mkdir(parents=True, exist_ok=True)
    (site / "hosts.yml").write_text("all: {hosts: {x-cp0: {}, x-w0: {}}}")
    book = site / "some.yml"
    book.write_text(PLAY)
    command = [Path(sys.executable).parent / "ansible-playbook", "-i", site / "hosts.yml", book, *options]
    return subprocess.run(command, cwd=repo, capture_output=True, text=True, env=dict(os.environ))


def test_the_seconds_of_every_task_are_kept_with_the_site(repo: Path, tmp_path: Path) -> None:
    runtime = tmp_path / ".facility" / "x"
    runtime.mkdir(parents=True)
    (runtime / "timing.json").write_text(json.dumps({"other.yml": {}}))
    assert play(repo, tmp_path / "inventory" / "x", "-e", "broken=true").returncode != 0
    kept = json.loads((runtime / "timing.json").read_text())
    assert (runtime / "timing.json").stat().st_mode & 0o777 == 0o600
    assert set(kept) == {"other.yml", "some.yml"}
    first, second = kept["some.yml"]["tasks"]
    assert (first["play"], first["task"], first["changed"]) == ("Some play", "It changes", ["x-w0"])
    assert 0.3 <= first["seconds"] <= kept["some.yml"]["seconds"]
    assert sorted(second["failed"]) == ["x-cp0", "x-w0"]
    assert kept["some.yml"]["nodes"]["x-w0"]["failures"] == 1
    assert [path.name for path in runtime.iterdir()] == ["timing.json"]


def test_an_inventory_that_is_no_site_keeps_nothing(repo: Path, tmp_path: Path) -> None:
    run = play(repo, tmp_path / "somewhere")
    assert run.returncode == 0, run.stdout + run.stderr
    assert not list(tmp_path.rglob("timing.json"))
