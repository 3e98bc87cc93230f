"""The Terraform module without a cloud: its own tests, with every Terraform that this machine has."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
MODULE = REPO / "terraform"
WHEEL = [sys.executable, str(MODULE / "tfsite" / "wheel.py")]
PROGRAMS = {
    name: command
    for name, command in {"terraform": ["terraform"], "tofu": ["tofu"], "wheel": WHEEL}.items()
    if name == "wheel" or shutil.which(name)
}
INIT = ["init", "-input=false", "-no-color"]


def run(command: list[str], root: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=root, env=dict(env), capture_output=True, text=True)


@pytest.fixture(params=list(PROGRAMS))
def terraform(request: pytest.FixtureRequest) -> list[str]:
    return PROGRAMS[request.param]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The module, where a lock file and providers may be put beside it."""
    for path in (*MODULE.glob("*.tf"), MODULE / "cloud", MODULE / "tests"):
        (tmp_path / path.name).symlink_to(path)
    return tmp_path


def test_conditions_and_outputs(terraform: list[str], root: Path, provider: Mapping[str, str]) -> None:
    init = run([*terraform, *INIT], root, provider)
    assert init.returncode == 0, init.stdout + init.stderr
    done = run([*terraform, "test", "-no-color"], root, provider)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    assert "0 failed" in done.stdout


def test_status_of_a_failure_is_passed_on(terraform: list[str], tmp_path: Path, provider: Mapping[str, str]) -> None:
    (tmp_path / "main.tf").write_text('output "x" { value = var.nobody_declared }\n')
    done = run([*terraform, "plan", "-no-color", "-input=false"], tmp_path, provider)
    assert done.returncode == 1
    assert "undeclared" in done.stdout + done.stderr


SLOW = """\
resource "terraform_data" "slow" {
  provisioner "local-exec" {
    command = "echo begun; sleep 60"
  }
}
"""


def test_an_interrupt_ends_it_in_good_order(terraform: list[str], tmp_path: Path, provider: Mapping[str, str]) -> None:
    (tmp_path / "main.tf").write_text(SLOW)
    assert run([*terraform, *INIT], tmp_path, provider).returncode == 0
    process = subprocess.Popen(
        [*terraform, "apply", "-auto-approve", "-no-color"],
        cwd=tmp_path, env=dict(provider), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        # Output comes as it is made, not at the end.
        if "local-exec): begun" in line:
            process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 1
    assert "Interrupt received.\n" in lines
    # What was begun is in the state, for the next run to go on from.
    assert "terraform_data" in (tmp_path / "terraform.tfstate").read_text()


@pytest.mark.parametrize("folder", [MODULE, REPO / "inventory"], ids=lambda path: path.name)
def test_format(folder: Path) -> None:
    done = run([*WHEEL, "fmt", "-check", "-recursive", "-no-color"], folder, {"PATH": os.environ["PATH"]})
    assert done.returncode == 0, done.stdout


def test_every_variable_says_what_changing_it_does() -> None:
    text = (MODULE / "variables.tf").read_text()
    for name, body in re.findall(r'^variable "(\w+)" {\n(.*?)^}', text, re.M | re.S):
        assert re.search(r"^  type +=", body, re.M), name
        assert "Changing this later" in body or "only changes the check" in body, name


def test_the_tests_share_one_mocked_cloud_and_order() -> None:
    texts = [path.read_text() for path in (MODULE / "tests").glob("*.tftest.hcl")]
    shared = {text[text.index("mock_provider") : text.index("\nrun ")].rstrip() for text in texts}
    # Comments before the first run are its own.
    assert len({re.sub(r"\n#[^\n]*$", "", text).rstrip() for text in shared}) == 1
