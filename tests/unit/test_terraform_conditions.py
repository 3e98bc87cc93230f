"""Each condition of the module is taken out once: `terraform test` has to miss it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from tfsite import program

REPO = Path(__file__).resolve().parents[2]
MODULE = REPO / "terraform"
CONDITION = re.compile(r"(?<=condition) +=.*?(?=\n +error_message)", re.S)
# Where a condition's cases are looked for first; a miss there is enough.
TESTS = {"variables.tf": ["variables"]}


def conditions() -> list[tuple[str, int]]:
    """Files, and numbers of the conditions in each."""
    return [
        (path.name, number)
        for path in sorted(MODULE.glob("*.tf"))
        for number, _ in enumerate(CONDITION.finditer(path.read_text()))
    ]


def without(text: str, number: int) -> str:
    """The file with one condition that is always true; one on a variable has to name it."""
    found = list(CONDITION.finditer(text))[number]
    variables = re.findall(r'^variable "(\w+)"', text[: found.start()], re.M)
    return text[: found.start()] + f" = can(var.{(variables or ['facility'])[-1]})" + text[found.end() :]


def test_all_conditions_are_found() -> None:
    written = sum(len(re.findall(r"^ +condition +=", path.read_text(), re.M)) for path in MODULE.glob("*.tf"))
    assert len(conditions()) == written


@pytest.mark.long
@pytest.mark.parametrize(("name", "number"), conditions())
def test_a_condition_that_is_gone_is_missed(
    tmp_path: Path, provider: Mapping[str, str], name: str, number: int
) -> None:
    for path in (*MODULE.glob("*.tf"), MODULE / "cloud", MODULE / "tests"):
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / name).unlink()
    (tmp_path / name).write_text(without((MODULE / name).read_text(), number))
    filters = [f"-filter=tests/{each}.tftest.hcl" for each in TESTS.get(name, ["conditions", "existing"])]
    for command, status in ((["init", "-input=false"], 0), (["test", *filters], 1)):
        done = subprocess.run(
            [*program.find(), *command, "-no-color"], cwd=tmp_path, env=dict(provider), capture_output=True, text=True
        )
        assert done.returncode == status, done.stdout[-3000:] + done.stderr
    assert "Missing expected failure" in done.stdout + done.stderr
