"""What runs on a node runs there with the node's Python: 3.9 in both profiles, Rocky 8's own 3.6 in neither.

Tried with a real interpreter of that version where this machine has one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import ansible

NODE_PYTHON, TOO_OLD = "3.9", "3.6"
# Those of ansible/library that are for nodes; the others run on the controller.
ON_NODES = ("artifacts", "node_files", "node_services")


def interpreter(version: str) -> str | None:
    """A Python of that version, on the search path or kept by pyenv."""
    kept = sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python{version}"))
    for found in (shutil.which(f"python{version}"), *map(str, kept)):
        if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
            return found
    return None


@pytest.fixture
def ansible_alone(tmp_path: Path) -> Path:
    """A folder with nothing but ansible-core, as the archive that Ansible sends to a node has it."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "ansible").symlink_to(Path(ansible.__file__).parent)
    return tmp_path / "lib"


def run(repo: Path, python: str, module: str, lib: Path, **arguments: Any) -> subprocess.CompletedProcess[str]:
    given = json.dumps({"ANSIBLE_MODULE_ARGS": arguments})
    command = [python, "-B", str(repo / "ansible" / "library" / f"{module}.py"), given]
    return subprocess.run(command, env={"PYTHONPATH": str(lib)}, capture_output=True, text=True)


@pytest.fixture
def python() -> str:
    return interpreter(NODE_PYTHON) or pytest.skip(f"this machine has no Python {NODE_PYTHON}")


def test_files_are_written_with_the_nodes_python(repo: Path, tmp_path: Path, python: str, ansible_alone: Path) -> None:
    wanted = {"directories": [str(tmp_path / "etc")], "files": [{"path": str(tmp_path / "etc/a"), "content": "one\n"}]}
    for changed in (True, False):
        done = run(repo, python, "node_files", ansible_alone, **wanted)
        assert done.stdout, done.stderr
        assert json.loads(done.stdout)["changed"] is changed, done.stdout
    assert (tmp_path / "etc/a").read_text() == "one\n"


def test_artefacts_are_fetched_with_the_nodes_python(
    repo: Path, tmp_path: Path, python: str, ansible_alone: Path
) -> None:
    source = tmp_path / "programs"
    source.mkdir()
    (source / "tool").write_text("a program\n")
    archive = Path(shutil.make_archive(str(tmp_path / "archive"), "gztar", source))
    file = {
        "name": "tool", "url": archive.as_uri(), "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "dest": str(tmp_path / "cache.tgz"), "unpack": str(tmp_path / "bin"),
    }  # fmt: skip
    for changed in (True, False):
        done = run(repo, python, "artifacts", ansible_alone, files=[file])
        assert done.stdout, done.stderr
        assert json.loads(done.stdout).get("changed") is changed, done.stdout
    assert (tmp_path / "bin/tool").read_text() == "a program\n"


@pytest.mark.parametrize("module", ON_NODES)
def test_modules_compile_for_the_nodes_python(repo: Path, python: str, module: str) -> None:
    source = repo / "ansible" / "library" / f"{module}.py"
    done = subprocess.run([python, "-c", f"compile(open({str(source)!r}).read(), 'm', 'exec')"], capture_output=True)
    assert done.returncode == 0, done.stderr


def test_the_own_python_of_rocky_8_cannot_load_ansible_core(repo: Path, ansible_alone: Path) -> None:
    python = interpreter(TOO_OLD) or pytest.skip(f"this machine has no Python {TOO_OLD}")
    code = "import ansible.module_utils.basic"
    done = subprocess.run([python, "-c", code], env={"PYTHONPATH": str(ansible_alone)}, capture_output=True, text=True)
    assert done.returncode != 0
    assert "SyntaxError: future feature annotations is not defined" in done.stderr
