"""The example notebooks, run from their first cell to their last, and what brings inputs to the workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import notebook
from bench.errors import BenchError
from bench.workloads import Histogram

NOTEBOOKS = sorted((Path(notebook.__file__).parent / "notebooks").glob("*.ipynb"))


def run(path: Path, home: Path) -> str:
    """What a notebook prints."""
    runner = Path(__file__).with_name("run_notebook.py")
    env = {
        **os.environ,
        "MPLBACKEND": "Agg",
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        [sys.executable, str(runner), str(path)], env=env, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_there_is_one_for_each_analysis_of_the_seed() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["atlas-stop4body", "cms-tprime", "fcc-zee"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_they_are_kept_without_output(path: Path) -> None:
    cells: list[dict[str, Any]] = json.loads(path.read_text())["cells"]
    assert cells[0]["cell_type"] == "markdown"
    for cell in cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


# Of the long ones one generates its events, the other one makes candidates of tops first.
SHORT = "fcc-zee"


@pytest.mark.timeout(450)
@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[] if path.stem == SHORT else [pytest.mark.long], id=path.stem) for path in NOTEBOOKS],
)
def test_they_run_and_workers_find_what_one_thread_finds(path: Path, tmp_path: Path) -> None:
    assert "against one thread: equal" in run(path, tmp_path)


# --- bringing inputs --------------------------------------------------------------------------------------------------
class Client:
    """A double of a Dask client that keeps what it is to register."""

    def __init__(self) -> None:
        self.plugins: list[notebook.Bring] = []

    def register_plugin(self, plugin: notebook.Bring) -> None:
        self.plugins.append(plugin)


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(notebook, "FOLDER", tmp_path / "inputs")
    return Client()


def test_a_worker_that_comes_later_gets_the_file_too(client: Client, tmp_path: Path) -> None:
    (tmp_path / "a.root").write_bytes(b"events")
    there = notebook.brought(tmp_path / "a.root", client)
    assert isinstance(there, Path)
    assert there.read_bytes() == b"events"
    there.unlink()
    client.plugins[0].setup(None)
    assert there.read_bytes() == b"events"


def test_two_files_of_one_name_are_two(client: Client, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.root").write_text(folder)
    paths = {notebook.brought(tmp_path / folder / "a.root", client) for folder in ("one", "two")}
    assert len(paths) == 2
    assert len({plugin.name for plugin in client.plugins}) == 2


def test_what_is_too_large_for_the_scheduler_is_refused(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook, "MAX_BRING_BYTES", 5)
    (tmp_path / "a.root").write_bytes(b"events")
    with pytest.raises(BenchError, match="6 bytes are too many") as error:
        notebook.brought(tmp_path / "a.root", client)
    assert "root://" in str(error.value)
    assert client.plugins == []


def test_an_analysis_that_there_is_not_names_those_that_there_are(client: Client) -> None:
    with pytest.raises(BenchError, match="there is none") as error:
        notebook.Analysis.of("fcc-hh", client)
    assert "fcc-zee" in str(error.value)


def test_bins_are_without_what_lies_outside() -> None:
    histogram = Histogram("h", "h", "", False, (0.0, 1.0, 2.0), (9.0, 4.0, 1.0, 9.0), (9.0, 4.0, 1.0, 9.0), 5, 0.7, 0.4)
    assert notebook.bins(histogram) == ([4.0, 1.0], [0.0, 1.0, 2.0], [2.0, 1.0])
