"""One command at a time changes a lab."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError


@contextmanager
def exclusive(state: Path, command: str) -> Iterator[None]:
    """Hold the lab's lock; the kernel releases it with the process, however that ends.

    Raises
    ------
    LabError
        naming the command and the process that hold it
    """
    file = os.fdopen(os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.read().strip() or "another command"
            raise LabError(
                f"This lab is being changed by {holder}.", "Wait for its end, or end it; then type the command again."
            ) from None
        file.truncate(0)
        file.write(f"`{command}` (process {os.getpid()})")
        file.flush()
        yield
