"""What a measurement was made on: machine, load, software, commit."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from .. import paths
from ..engines.versions import software_versions


@dataclass(frozen=True)
class Environment:
    """The machine of the process that drives a run, and its state when the run began.

    `load_1min` is the load average; where it is near the number of cores, others were at work.
    """

    taken: datetime
    host: str
    cpu_model: str
    cores: int
    memory_bytes: int
    kernel: str
    load_1min: float
    versions: dict[str, str]
    git_commit: str | None


def environment() -> Environment:
    """Look at this machine."""
    return Environment(
        taken=datetime.now(UTC),
        host=platform.node(),
        cpu_model=cpu_model(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=int(psutil.virtual_memory().total),
        kernel=platform.release(),
        load_1min=os.getloadavg()[0],
        versions={**software_versions(), "python": platform.python_version()},
        git_commit=git_commit(),
    )


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Name of the processor as the kernel knows it."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def git_commit() -> str | None:
    """Commit of the checkout that `bench` runs from, with `+` where files differ from it; None without a checkout."""
    root = paths.checkout()
    if root is None:
        return None
    try:
        run = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.strip() or None if run.returncode == 0 else None
