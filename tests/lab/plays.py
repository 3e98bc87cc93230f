"""Playbooks on a site, and what they have said."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Site

Ran = subprocess.CompletedProcess[str]


def play(site: Site, name: str, *options: str) -> Ran:
    return site.playbook(f"playbooks/{name}.yml", *options)


def changes(run: Ran) -> dict[str, int]:
    """Changed tasks of each machine on which a playbook that came to its end did anything."""
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    recap = run.stdout[run.stdout.index("PLAY RECAP") :]
    return {name: int(n) for name, n in re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", recap, re.MULTILINE)}


def said(run: Ran) -> str:
    """What a playbook that has failed said, on one line."""
    assert run.returncode != 0, run.stdout[-4000:]
    return " ".join((run.stdout + run.stderr).split())
