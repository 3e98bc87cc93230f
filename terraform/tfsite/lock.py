"""Whether somebody else works on a site's local state at this moment."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Sequence
from pathlib import Path

from .errors import Problem
from .site import Site


def info_file(site: Site) -> Path:
    """Where Terraform says who holds the lock; left behind by a run that was killed."""
    return site.state.with_name(f".{site.state.name}.lock.info")


def held(site: Site) -> bool:
    """Does a Terraform that runs hold the lock? It is a POSIX lock on the file, which ends with its process."""
    if not site.state.is_file():
        return False
    with site.state.open("r+b") as state:
        try:
            fcntl.lockf(state, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def check(site: Site, command: Sequence[str]) -> None:
    """Stop while another run holds the lock, unless the command says itself what to do then."""
    if any(option.lstrip("-").startswith("lock") for option in command[1:]) or not held(site):
        return
    try:
        info = json.loads(info_file(site).read_text())
    except (OSError, json.JSONDecodeError):
        info = {}
    operation = str(info.get("Operation", "")).removeprefix("OperationType").lower() or "another command"
    who, since = info.get("Who", "somebody"), str(info.get("Created", ""))[:19].replace("T", " ")
    raise Problem(
        f"Site {site.name} is locked: {operation} by {who}" + (f" since {since} UTC." if since else "."),
        "Nothing was changed. Type it again when that has ended; -lock-timeout=10m waits for it.",
    )
