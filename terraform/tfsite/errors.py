"""What stops before Terraform is asked."""

from __future__ import annotations


class Problem(Exception):
    """Something that the person at the keyboard can mend: what is wrong, and what to do about it."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what}\n  {fix}")
        self.what, self.fix = what, fix
