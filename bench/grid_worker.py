"""On a Dask worker: the user's proxy as a file that is its owner's alone (`dask worker --preload bench.grid_worker`).

kubelet mounts the Secret for the group to read, and brings a renewed one after a minute or so. Programs of the grid
want a file that nobody else may read, so it is copied, and copied again when it changes.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any

from .datasets.files import replacing

SOURCE_VARIABLE = "FACILITY_PROXY"
TARGET_VARIABLE = "X509_USER_PROXY"
LOOK_EVERY_S = 10.0

log = logging.getLogger(__name__)


def copy(source: Path, target: Path) -> None:
    """Have at `target` what is at `source`, mode 0600; nothing where there is no proxy."""
    try:
        wanted = source.read_bytes()
    except FileNotFoundError:
        wanted = b""
    if not wanted:
        target.unlink(missing_ok=True)
    elif not target.is_file() or target.read_bytes() != wanted:
        with replacing(target, mode=0o600) as temporary:
            temporary.write_bytes(wanted)


def keep(source: Path, target: Path) -> None:
    """Copy for ever."""
    pause = threading.Event()
    while not pause.wait(LOOK_EVERY_S):
        try:
            copy(source, target)
        except OSError as error:
            log.warning("the grid proxy is not copied: %s", error)


def dask_setup(_worker: Any) -> None:
    """What Dask calls before the worker gets its first task."""
    source, target = Path(os.environ[SOURCE_VARIABLE]), Path(os.environ[TARGET_VARIABLE])
    copy(source, target)
    threading.Thread(target=keep, args=(source, target), name="grid-proxy", daemon=True).start()
