"""What role base says where its packages cannot be had; dnf and rpm are doubles here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

SAYS = "Error: Failed to download metadata for repo 'facility'"


def test_a_repository_that_is_gone_is_named(repo: Path, tmp_path: Path) -> None:
    role = repo / "ansible" / "roles" / "base"
    for name, text in {"rpm": "exit 1", "dnf": f'echo "{SAYS}" >&2; exit 1'}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    values = {
        "ansible_python_interpreter": sys.executable,
        "base_packages": ["socat", "ipset"],
        "base_rpm_repository_url": "http://mirror.example/rpm/",
        "base_rpm_repository_gpgcheck": True,
        "__base_sysctl_file": {"path": f"{tmp_path}/sysctl", "content": ""},
    }
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "environment": {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        "tasks": [
            {"ansible.builtin.include_vars": f"{role}/vars/main.yml"},
            # A set fact stands above the role's own variables.
            {
                "ansible.builtin.set_fact": {
                    **values,
                    "__base_repository_file": "{{ __base_repository_file | combine({'path': '"
                    + f"{tmp_path}/repo"
                    + "'}) }}",
                },
            },
            {"ansible.builtin.import_tasks": f"{role}/tasks/packages.yml"},
        ],
        "vars": values,
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    command = [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", tmp_path / "play.yml"]
    run = subprocess.run(command, cwd=repo, capture_output=True, text=True)
    text = " ".join(run.stdout.split())
    assert run.returncode != 0
    assert f"dnf did not install socat, ipset on localhost from http://mirror.example/rpm/: {SAYS}" in text
    assert "base_rpm_repository_url" in text
    # What dnf says of a repository that it passes over would be that there are no such packages.
    assert "skip_if_unavailable=0" in (tmp_path / "repo").read_text().splitlines()
