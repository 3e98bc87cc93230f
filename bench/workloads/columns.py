"""Columns that an input has not got."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

# Ends the name of a tally that has to be zero: of weights that are NaN or infinite.
NO_NUMBER = "that are no number"


class MissingColumns(LookupError):
    """A workload needs columns that the input has not got; the nearest ones that it has are named."""

    def __init__(self, workload: str, missing: Sequence[str], present: Iterable[str]) -> None:
        self.missing = tuple(missing)
        near = dict.fromkeys(name for each in missing for name in nearest(each, tuple(present)))
        hint = f"; nearest in the input: {', '.join(near)}" if near else ""
        super().__init__(f"{workload} needs the columns {', '.join(missing)}{hint}")


def nearest(wanted: str, present: Sequence[str], n: int = 3) -> list[str]:
    """Names that resemble the wanted one, best first; small and capital letters count as the same."""
    lowered = {name.lower(): name for name in reversed(present)}
    return [lowered[name] for name in difflib.get_close_matches(wanted.lower(), lowered, n)]
