"""Columns that an input has not got."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

# Ends the name of a tally that has to be zero: of weights that are NaN or infinite.
NO_NUMBER = "that are no number"


class MissingColumns(LookupError):
    """A workload needs columns that the input has not got; the nearest ones that it has are named.

    Of more than `most` columns the first ones are told, and the number of the others; None tells all.
    """

    def __init__(self, workload: str, missing: Sequence[str], present: Iterable[str], most: int | None = None) -> None:
        told, there = missing[:most], tuple(present)
        others = f" and {len(missing) - len(told)} others" if len(told) < len(missing) else ""
        near = dict.fromkeys(name for each in told for name in nearest(each, there))
        hint = f"; nearest in the input: {', '.join(near)}" if near else ""
        super().__init__(f"{workload} needs the columns {', '.join(told)}{others}{hint}")

    def __reduce__(self) -> tuple[type[LookupError], tuple[str, ...]]:
        # An exception is pickled by its `args`, which here are the sentence; workers send errors to the client.
        return LookupError, self.args


def nearest(wanted: str, present: Sequence[str], n: int = 3) -> list[str]:
    """Names that resemble the wanted one, best first; small and capital letters count as the same."""
    lowered = {name.lower(): name for name in reversed(present)}
    return [lowered[name] for name in difflib.get_close_matches(wanted.lower(), lowered, n)]
