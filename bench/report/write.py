"""Write results."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel

from .. import paths
from ..datasets.files import replacing

# Names of the results in the folder of a command.
RUN_FILE = "run.json"
VALIDATE_FILE = "validate.json"
ACCEPT_FILE = "accept.json"


def run_folder(out: Path | None, site: str, command: str) -> Path:
    """Folder for the results of one command: the one asked for, or a new one among the site's runs."""
    if out is not None:
        folder = out
    else:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        folder = paths.site_runtime(site) / "runs" / f"{stamp}-{os.getpid()}-{command}"
        paths.site_runtime(site).mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """Write texts under their names; no name ever holds half of one."""
    for name, text in texts.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(text)


def write_json(path: Path, record: BaseModel) -> None:
    """Write a record; the name never holds half of it."""
    with replacing(path) as temporary:
        temporary.write_text(record.model_dump_json(indent=1) + "\n")
