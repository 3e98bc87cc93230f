"""How an input that lies on a server is read. Imports nothing that takes time: the command line needs it at once."""

from __future__ import annotations

from enum import StrEnum


class Staging(StrEnum):
    """What is done with an input that lies on a server."""

    PULL = "pull"  # copied to this machine's cache, checked, and read from there
    REMOTE = "remote"  # read where it lies, by every task for itself
