"""What the tests share: where things are, and one facility on one lab for all tests that need it.

Order: unit tests, then the chain (`lab demo`), then what looks at the standing facility, last what takes it down.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml
from tfvars import from_tfvars

REPO = Path(__file__).resolve().parent.parent
FIRST, LAST = "test_demo.py", "test_teardown.py"


def rank(path: Path) -> tuple[int, str]:
    """The place of a test file in the run."""
    if "lab" not in path.relative_to(REPO / "tests").parts[:1]:
        return 0, str(path)
    return {FIRST: 1, LAST: 3}.get(path.name, 2), path.name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: rank(item.path))


@pytest.fixture(scope="session")
def repo() -> Path:
    return REPO


@pytest.fixture(scope="session")
def facility_dir(repo: Path) -> Path:
    """Runtime files of the site `lab`."""
    return repo / ".facility" / "lab"


@pytest.fixture(scope="session")
def site_env(repo: Path, facility_dir: Path) -> dict[str, str]:
    """The environment in which a person works on the site `lab` after `make demo`."""
    path = f"{repo / '.venv' / 'bin'}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "OS_CLIENT_CONFIG_FILE": str(facility_dir / "clouds.yaml"), "OS_CLOUD": "lab"}


@pytest.fixture(scope="session")
def demo(repo: Path, site_env: dict[str, str]) -> dict[str, object]:
    """The result of the whole chain, run once: cloud, artefacts, terraform, ansible, an analysis, the report."""
    log = repo / ".facility" / "lab" / "demo.out"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        command = ["lab", "demo"]
        run = subprocess.run(command, cwd=repo, env=site_env, stdout=out, stderr=subprocess.STDOUT, timeout=3600)
    text = log.read_text(errors="replace")
    if run.returncode:
        pytest.exit(f"`lab demo` ended with {run.returncode}; its last lines:\n" + text[-6000:], returncode=1)
    result: dict[str, object] = json.loads((repo / ".facility" / "lab" / "demo.json").read_text())
    return {**result, "output": text}


@pytest.fixture(scope="session")
def lab(demo: dict[str, object], site_env: dict[str, str]) -> dict[str, str]:
    """The standing facility; the value is the environment to work in."""
    return site_env


@pytest.fixture(scope="session")
def kubeconfig(lab: dict[str, str], facility_dir: Path) -> Path:
    return facility_dir / "kubeconfig"


@dataclass(frozen=True)
class Site:
    """A facility that stands, made of the site of the same name.

    Attributes
    ----------
    env : the environment to work in
    """

    name: str
    env: dict[str, str]

    @property
    def inventory(self) -> Path:
        return REPO / "inventory" / self.name

    @property
    def runtime(self) -> Path:
        return REPO / ".facility" / self.name

    @cached_property
    def ordered(self) -> dict[str, Any]:
        return from_tfvars((self.inventory / "terraform.tfvars").read_text())

    @cached_property
    def profile(self) -> dict[str, Any]:
        return yaml.safe_load((self.inventory / "group_vars" / "all" / "profile.yml").read_text())

    @property
    def nodes(self) -> list[str]:
        return sorted(f"{self.name}-{key}" for key in self.ordered["nodes"])

    def run(self, *command: str | Path, timeout: float = 900) -> subprocess.CompletedProcess[str]:
        """What a person types in the checkout."""
        argv = [str(word) for word in command]
        return subprocess.run(
            argv, cwd=REPO, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
        )

    def on(self, node: str, command: str) -> subprocess.CompletedProcess[str]:
        """Run a shell command on a node; over a connection of its own, which a restart of the node does not outlive."""
        return self.run("ssh", "-F", self.runtime / "ssh_config", "-S", "none", node, command, timeout=120)

    def playbook(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = ["ansible-playbook", "-i", self.inventory / "openstack.yml"]
        return self.run(*command, *arguments, timeout=1200)


@pytest.fixture(scope="session")
def site(lab: dict[str, str]) -> Site:
    """The standing facility; a module that overrides this runs shared tests on another one."""
    return Site("lab", lab)
