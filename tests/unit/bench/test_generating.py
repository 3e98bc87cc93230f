"""How much memory it takes to generate inputs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# The most memory of any one process below it, in KiB.
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_mib(folder: Path, dataset: str, gigabytes: float) -> float:
    bench = Path(sys.executable).with_name("bench")
    command = [bench, "data", "generate", dataset, "--folder", folder, "--gigabytes", str(gigabytes)]
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *map(str, command)], capture_output=True, text=True, check=True, timeout=800
    )
    assert sum(path.stat().st_size for path in folder.rglob("*.root")) > 0.8e9 * gigabytes
    return int(done.stdout) / 1024


@pytest.mark.long
@pytest.mark.timeout(1600)
@pytest.mark.parametrize("dataset", ["atlas-stop4body", "cms-tprime-skim"])
def test_memory_does_not_grow_with_the_size(tmp_path: Path, dataset: str) -> None:
    """Four times as much takes no more of it."""
    small = peak_mib(tmp_path / "small", dataset, 0.05)
    large = peak_mib(tmp_path / "large", dataset, 0.2)
    print(f"{dataset}: {small:.0f} MiB for 0.05 GB, {large:.0f} MiB for 0.2 GB")
    assert large < 1.2 * small
