"""Where the lab keeps what it fetched or built (cache), what it runs on (state) and what it hands to others."""

from __future__ import annotations

import os
from pathlib import Path

NAME = "facility-testbed"


def lab_name() -> str:
    """The name of this lab; a second one on the same machine has another (variable LAB_NAME)."""
    return os.environ.get("LAB_NAME") or "lab"


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
    return private(_base("XDG_STATE_HOME", ".local/state") / NAME / lab_name())


def checkout() -> Path:
    """The checkout that this package belongs to."""
    return Path(__file__).resolve().parents[3]


def site() -> Path:
    """Runtime files of the site that this lab serves (clouds.yaml and others); closed to others."""
    return private(checkout() / ".facility" / lab_name())


def private(path: Path) -> Path:
    """The folder, made when it is not there, for its owner only."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, at once or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)
