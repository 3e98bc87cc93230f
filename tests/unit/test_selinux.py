"""What role selinux asks of SELinux's programs, which are doubles here: this kernel need not have SELinux."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

PROGRAMS = ("getenforce", "getsebool", "setsebool", "semanage", "restorecon")
DOUBLE = Path("ansible/roles/selinux/molecule/default/files/selinux")


def pattern(folder: Path | str) -> str:
    """A folder and all below it, as the policy names them."""
    return re.escape(str(folder)) + "(/.*)?"


@pytest.fixture
def state(repo: Path, tmp_path: Path) -> Path:
    """What the double keeps: a policy with two booleans, and a rule that somebody else made."""
    programs, state = tmp_path / "programs", tmp_path / "state"
    programs.mkdir()
    state.mkdir()
    for name in PROGRAMS:
        path = programs / name
        path.write_text((repo / DOUBLE).read_text().replace("/var/lib/selinux-double", str(state)))
        path.chmod(0o755)
    (state / "booleans").write_text("virt_use_nfs --> off\ncontainer_manage_cgroup --> off\n")
    (state / "contexts").write_text(f"/srv/own(/.*)? public_content_t\n{pattern(tmp_path / 'cni.d')} etc_t\n")
    return state


def role(
    repo: Path, tmp_path: Path, *steps: str, mode: str = "Enforcing", **more: Any
) -> subprocess.CompletedProcess[str]:
    """Run the role's entry points one after the other, on this machine and below `tmp_path`."""
    (tmp_path / "programs" / "getenforce").write_text(f"#!/bin/sh\necho {mode}\n")
    values = {
        "selinux_packages": [],
        "selinux_booleans": {"virt_use_nfs": True},
        "selinux_folders": [
            {"path": f"{tmp_path}/etcd", "type": "container_file_t", "mode": "0700"},
            {"path": f"{tmp_path}/cni.d", "type": "container_file_t"},
        ],
        "base_data_mount": f"{tmp_path}/data",
        "base_data_directories": [f"{tmp_path}/lib/containerd"],
        "ansible_python_interpreter": sys.executable,
        **more,
    }
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": values,
        "environment": {"PATH": f"{tmp_path}/programs:{os.environ['PATH']}"},
        "tasks": [{"ansible.builtin.import_role": {"name": "selinux", "tasks_from": step}} for step in steps],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    command = [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", tmp_path / "play.yml"]
    return subprocess.run(command, cwd=repo, capture_output=True, text=True)


def asked(state: Path) -> list[str]:
    path = state / "asked"
    return path.read_text().splitlines() if path.exists() else []


def test_a_policy_gets_what_is_missing_once(repo: Path, tmp_path: Path, state: Path) -> None:
    run = role(repo, tmp_path, "main", "main")
    assert run.returncode == 0, run.stdout
    etcd, cni, data = f"{tmp_path}/etcd", f"{tmp_path}/cni.d", f"{tmp_path}/data/containerd"
    assert asked(state) == [
        "setsebool -P virt_use_nfs=on",
        f"semanage fcontext --add --equal {tmp_path}/lib/containerd {data}",
        f"semanage fcontext --add --type container_file_t {pattern(etcd)}",
        f"semanage fcontext --modify --type container_file_t {pattern(cni)}",
        # All that is in a folder only where a rule is new.
        *(f"restorecon -R -v {folder}" for folder in (etcd, cni)),
        *(f"restorecon -v {folder}" for folder in (etcd, cni)),
    ]
    assert "changed=4" in run.stdout
    assert (tmp_path / "etcd").stat().st_mode & 0o777 == 0o700
    assert "container_manage_cgroup --> off" in (state / "booleans").read_text()


def test_what_it_added_goes_again_and_the_rest_stays(repo: Path, tmp_path: Path, state: Path) -> None:
    run = role(repo, tmp_path, "main", "absent", "absent")
    assert run.returncode == 0, run.stdout
    assert (state / "contexts").read_text() == "/srv/own(/.*)? public_content_t\n"
    assert (state / "equal").read_text() == ""


def test_where_it_is_not_in_force_nothing_is_done(repo: Path, tmp_path: Path, state: Path) -> None:
    run = role(repo, tmp_path, "main", "absent", mode="Disabled")
    assert run.returncode == 0, run.stdout
    assert "changed=0" in run.stdout
    assert asked(state) == []
    assert not (tmp_path / "etcd").exists()


def test_a_boolean_that_the_policy_does_not_have_is_refused(repo: Path, tmp_path: Path, state: Path) -> None:
    run = role(repo, tmp_path, "main", selinux_booleans={"virt_use_nsf": True})
    assert run.returncode != 0
    text = " ".join(run.stdout.split())
    assert "has no boolean virt_use_nsf" in text
    assert "selinux_booleans" in text
    assert asked(state) == []


def test_no_role_switches_it_on_or_off(repo: Path) -> None:
    for path in (repo / "ansible" / "roles").glob("*/tasks/*.yml"):
        assert "setenforce" not in path.read_text(), path
        assert "ansible.posix.selinux" not in path.read_text(), path
        assert "/etc/selinux/config" not in path.read_text(), path
