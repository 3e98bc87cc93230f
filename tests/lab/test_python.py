"""A node whose own Python is too old: the profile's is installed before the first module runs, from the site's mirror.

The package is a double, made on the node: its interpreter calls the guest's own.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess

    from conftest import Site

pytestmark = pytest.mark.lab

PACKAGE, PYTHON = "python39", "/usr/bin/python3.9"
FOLDER = "/var/tmp/facility-python"
SPEC = f"""\
Name: {PACKAGE}
Version: 3.9
Release: 1
Summary: A double of Rocky 8's package, for a test
License: MIT
BuildArch: noarch
AutoReqProv: no
%description
Calls the guest's own Python.
%install
mkdir -p %{{buildroot}}/usr/bin
printf '#!/bin/sh\\nexec /usr/bin/python3 "$@"\\n' > %{{buildroot}}{PYTHON}
%files
%attr(0755, root, root) {PYTHON}
"""
Shell = Callable[[str], None]
Play = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def shell(site: Site) -> Shell:
    """Runs a script on the node as root."""

    def run(script: str) -> None:
        done = site.run("ssh", "-F", site.runtime / "ssh_config", site.nodes[-1], f"sudo sh -ec {shlex.quote(script)}")
        assert done.returncode == 0, done.stdout + done.stderr

    return run


@pytest.fixture
def repository(shell: Shell) -> Iterator[str]:
    """The address of a repository with the package alone."""
    build = f"rpmbuild --quiet -bb --define '_rpmdir {FOLDER}' {FOLDER}/python.spec && createrepo_c -q {FOLDER}"
    shell(f"mkdir -p {FOLDER}\ncat > {FOLDER}/python.spec <<'EOF'\n{SPEC}EOF\n{build}")
    try:
        yield f"file://{FOLDER}/"
    finally:
        shell(f"rpm --erase {PACKAGE} 2>/dev/null || true; rm -rf {FOLDER} /root/rpmbuild")


@pytest.fixture
def play(site: Site) -> Iterator[Play]:
    """Runs what comes before all modules, and one module, on the node."""
    steps = [
        {"name": "Python", "ansible.builtin.import_role": {"name": "base", "tasks_from": "python"}},
        {"name": "A module", "ansible.builtin.ping": None},
    ]
    book = site.inventory.parents[1] / "playbooks" / ".python.yml"
    book.write_text(json.dumps([{"hosts": site.nodes[-1], "become": True, "gather_facts": False, "tasks": steps}]))

    def run(repository: str, package: str = PACKAGE) -> subprocess.CompletedProcess[str]:
        values = {
            "ansible_python_interpreter": PYTHON, "base_python_package": package,
            "base_rpm_repository_url": repository, "base_rpm_repository_gpgcheck": False,
        }  # fmt: skip
        return site.playbook(book, "-e", json.dumps(values))

    try:
        yield run
    finally:
        book.unlink()


def changed(run: subprocess.CompletedProcess[str]) -> int:
    assert run.returncode == 0, run.stdout[-3000:]
    return int(re.findall(r"(?m)^\S+-w0\s.*changed=(\d+)", run.stdout)[0])


def test_a_python_that_is_new_enough_comes_from_the_sites_repository(play: Play, repository: str) -> None:
    assert changed(play(repository)) == 1
    assert changed(play(repository)) == 0


def test_a_python_that_cannot_be_had_is_named(site: Site, play: Play, repository: str) -> None:
    run = play(repository, "python38")
    text = " ".join(run.stdout.split())
    assert run.returncode != 0
    for words in (
        f"{site.nodes[-1]} has no {PYTHON}",
        "python38 (base_python_package)",
        repository,
        "base_rpm_repository_url",
    ):
        assert words in text, run.stdout
