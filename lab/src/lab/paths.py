"""Where the lab keeps what it fetched or built (cache) and what it runs on (state)."""

from __future__ import annotations

import os
from pathlib import Path

NAME = "facility-testbed"


def _base(variable: str, default: str) -> Path:
    value = os.environ.get(variable, "")
    # the XDG specification: relative paths are invalid and to be ignored
    return Path(value) if value.startswith("/") else Path.home() / default


def cache() -> Path:
    """Folder of what can be fetched or built again."""
    path = _base("XDG_CACHE_HOME", ".cache") / NAME
    path.mkdir(parents=True, exist_ok=True)
    return path


def state() -> Path:
    """Folder of the running lab: passwords, databases, logs, pid files; closed to others."""
    path = _base("XDG_STATE_HOME", ".local/state") / NAME / "lab"
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def checkout() -> Path:
    """The checkout that this package belongs to."""
    return Path(__file__).resolve().parents[3]
