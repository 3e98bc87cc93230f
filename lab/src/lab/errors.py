"""The error that a person at the terminal is meant to read."""

from __future__ import annotations


class LabError(Exception):
    """Something that the user can act on.

    Attributes
    ----------
    what : what failed, where and why
    fix : what to do next
    """

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what}\n{fix}")
        self.what = what
        self.fix = fix
