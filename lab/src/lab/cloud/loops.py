"""Loop devices: a volume is a file, and a guest sees it through one of these."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def _losetup(*arguments: str) -> str:
    run = subprocess.run(["losetup", *arguments], capture_output=True, text=True)
    if run.returncode:
        raise OSError(f"losetup {' '.join(arguments)}: {run.stderr.strip()}")
    return run.stdout.strip()


def of_file(path: Path | str) -> list[str]:
    """The loop devices of one file."""
    return _losetup("--noheadings", "--output", "NAME", "--associated", str(path)).split()


def below(folder: Path) -> dict[str, str]:
    """Loop device → file, for all files below a folder, removed ones included."""
    result = {}
    for line in _losetup("--list", "--noheadings", "--output", "NAME,BACK-FILE").splitlines():
        device, _, backing = line.strip().partition(" ")
        backing = backing.strip().removesuffix(" (deleted)")
        if backing.startswith(f"{folder}/"):
            result[device] = backing
    return result


def attach(path: Path | str, minor: int | None = None) -> int:
    """Attach a file and return the device's minor number: the wanted one where it is free."""
    for device in of_file(path):
        return os.minor(Path(device).stat().st_rdev)
    if minor is not None:
        device = f"/dev/loop{minor}"
        try:
            _losetup(device, str(path))
            return minor
        except OSError:
            pass  # taken by somebody else since
    return os.minor(Path(_losetup("--find", "--show", str(path))).stat().st_rdev)


def detach(device: str) -> None:
    _losetup("--detach", device)


def resize(device: str) -> None:
    """Let a device see that its file has grown."""
    _losetup("--set-capacity", device)
