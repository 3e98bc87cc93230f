"""An image that is built beside something else."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from lab.images import meanwhile

from lab import paths, processes

# tells its arguments and its number, and stays until the file `end` is there
BUILDER = """#!/bin/bash
echo "$@" > {folder}/arguments
echo $$ > {folder}/pid
echo "the image's output"
until [ -e {folder}/end ]; do sleep 0.05; done
echo yes > {folder}/built
"""


@pytest.fixture
def builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a double of `python -m lab.images`."""
    script = tmp_path / "python"
    script.write_text(BUILDER.format(folder=tmp_path))
    script.chmod(0o755)
    (tmp_path / "state").mkdir()
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setattr(paths, "state", lambda: tmp_path / "state")
    return tmp_path


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 10
    while not path.exists() or not (text := path.read_text()):
        assert time.monotonic() < deadline, f"no {path.name}"
        time.sleep(0.02)
    return text


def test_it_goes_on_after_the_block(builder: Path) -> None:
    with meanwhile.built("analysis"):
        pid = int(wait_for(builder / "pid"))
    assert processes.start_ticks(pid)
    assert (builder / "arguments").read_text() == "-m lab.images analysis\n"
    (builder / "end").touch()
    assert wait_for(builder / "built") == "yes\n"
    assert "the image's output" in (builder / "state/image-analysis.log").read_text()


def test_it_ends_with_a_block_that_fails(builder: Path) -> None:
    def failing() -> None:
        with meanwhile.built("analysis"):
            wait_for(builder / "pid")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        failing()
    assert processes.start_ticks(int(wait_for(builder / "pid"))) is None
    assert not (builder / "built").exists()
