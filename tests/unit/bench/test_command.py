"""The command as it is typed: where it is found, what its options say, and which options go together."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from bench_inputs import job_of
from typer.testing import CliRunner

from bench.cli import app
from bench.commands import RunOptions, chosen_workload
from bench.datasets.catalogue import CATALOGUE
from bench.datasets.files import sha256
from bench.datasets.generate import GENERATORS
from bench.datasets.repack import Repacked
from bench.engines import incluster
from bench.engines.dask import Dask, scheduler
from bench.errors import BenchError
from bench.terminal import Terminal
from bench.workloads import FccZee


def test_uv_run_takes_the_environment_that_is_there(repo: Path) -> None:
    """It would otherwise choose versions of its own, and those of the lock would be gone."""
    before = (repo / ".venv" / ".complete").stat().st_mtime
    uv = repo / ".venv" / "bin" / "uv"
    env = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    ran = subprocess.run([uv, "run", "bench", "--help"], cwd=repo, env=env, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "selftest" in ran.stdout
    assert not (repo / "uv.lock").exists()
    assert (repo / ".venv" / ".complete").stat().st_mtime == before


def test_a_checkout_without_an_environment_says_what_to_do(repo: Path, tmp_path: Path) -> None:
    shutil.copytree(repo / "bench", tmp_path / "bench", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(repo / "pyproject.toml", tmp_path)
    uv = repo / ".venv" / "bin" / "uv"
    env = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    # The interpreter without the environment that these tests run in.
    base = Path(sys.base_prefix) / "bin" / "python3"
    command = [uv, "run", "--python", base, "bench", "--help"]
    ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 1, ran.stdout
    assert "make env" in ran.stderr
    assert "Traceback" not in ran.stderr


def commands(group: Any, path: str = "bench") -> Iterator[tuple[str, Any]]:
    """All commands that are not hidden, with the words that are typed."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        elif not command.hidden:
            yield f"{path} {name}", command


@pytest.mark.parametrize(("typed", "command"), list(commands(typer.main.get_command(app))))
def test_every_command_and_option_says_what_it_does(typed: str, command: Any) -> None:
    assert command.help
    assert [each.name for each in command.params if not getattr(each, "help", None)] == []
    shown = CliRunner().invoke(app, [*typed.split()[1:], "--help"])
    assert shown.exit_code == 0
    assert "Usage" in shown.output


def test_every_command_stands_in_the_docs(repo: Path) -> None:
    page = (repo / "docs" / "bench.md").read_text()
    assert [typed for typed, _ in commands(typer.main.get_command(app)) if typed.split()[-1] not in page] == []


def test_the_list_of_inputs_has_what_can_be_fetched_and_what_can_be_generated() -> None:
    shown = CliRunner().invoke(app, ["data", "list"])
    assert shown.exit_code == 0
    for dataset in CATALOGUE.values():
        assert f"{dataset.size_bytes:,}" in shown.output
    lines = shown.output.splitlines()
    for name in GENERATORS:
        assert any(line.startswith(f"│ {name} ") and "bench data generate" in line for line in lines)


def options(workload: str, **others: Any) -> RunOptions:
    return RunOptions(
        workload=workload, inputs=(), engine="serial", repeats=1, replicas=1, workers=None, entries_per_cluster=250,
        cuts=None, site="lab", out=None, **others,
    )  # fmt: skip


def test_the_number_of_smearings_is_an_option() -> None:
    chosen = chosen_workload(options("fcc-zee", smearings=5))
    assert isinstance(chosen, FccZee)
    assert chosen.n_smearings == 5
    with pytest.raises(BenchError, match="only fcc-zee smears") as caught:
        chosen_workload(options("ml-scan", smearings=5))
    assert caught.value.status == 2


def test_the_number_of_smearings_reaches_the_cluster(
    repacked: Repacked, two_workers: Dask, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incluster, "kube_cluster", lambda _: scheduler(two_workers.client.scheduler.address))
    spec = incluster.JobSpec(
        name="test", namespace="bench", image="", workload="fcc-zee", dataset_folder="", repeats=1, replicas=1,
        workers=2, infn=False, nodes=(), mark="", smearings=1,
        files=(incluster.JobFile(path=str(repacked.path), sha256=sha256(repacked.path)),),
    )  # fmt: skip
    measurement = incluster.run_job(spec, terminal).measurement
    assert measurement is not None
    assert [each.name for each in measurement.outcome.histograms if "smeared" in each.name] == ["m_ee_smeared_1"]
    assert measurement.entries == job_of(repacked.path).entries


@pytest.mark.parametrize("workload", ["fcc-zee", "atlas-stop4body", "cms-tprime", "ml-scan"])
def test_a_folder_for_files_of_a_workload_that_writes_none_is_refused(workload: str, tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["run", workload, "--output", str(tmp_path / "files")])
    assert isinstance(ended.exception, BenchError)
    assert "writes no files" in str(ended.exception)
    assert ended.exception.status == 2
    assert not (tmp_path / "files").exists()
