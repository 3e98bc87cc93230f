"""Weights that are no numbers: found by the result that they spoil, named by their column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from ..errors import BenchError, Exit
from ..workloads import Outcome
from ..workloads.columns import NO_NUMBER
from ..workloads.root import include, load
from .inspect import get_tree, readable
from .remote import FilePath

FLOATING = {"Float_t", "Double_t", "Float16_t", "Double32_t"}


def refuse_not_finite(outcome: Outcome, paths: Sequence[FilePath], trees: Sequence[str]) -> None:
    """See that every histogram is made of numbers.

    Only when one is not are the columns searched, all of them, so that a good input costs nothing.

    Raises
    ------
    BenchError
        A histogram holds NaN or infinity, or the workload has counted weights that do: the columns are named with
        their counts; status 2.
    """
    spoilt = [f"{count:,} {name}" for name, count in outcome.tallies.items() if count and name.endswith(NO_NUMBER)]
    for each in outcome.histograms:
        if not all(map(math.isfinite, (*each.contents, *each.sumw2))):
            spoilt.append(f"the histogram {each.name} is not finite")
    if not spoilt:
        return
    found = [f"{where} has {counts}" for path in paths for where, counts in not_finite(path, trees).items()]
    more = f" and {len(found) - 5} more columns" if len(found) > 5 else ""
    raise BenchError(
        f"{', '.join(map(str, paths[:3]))}: {spoilt[0]}",
        f"{'; '.join(found[:5])}{more}" if found else "no column of the input is so: the workload makes it",
        "Mend the weights, or take the events out.",
        Exit.CANNOT_TELL,
    )


def not_finite(path: FilePath, trees: Sequence[str]) -> dict[str, str]:
    """Floating-point columns of a file that hold NaN or infinity.

    Returns
    -------
    dict
        By `tree/column`, in words: how many values of how many, and the first entry that has one.
    """
    root = load()
    include(Path(__file__).parent / "cxx" / "finite.hpp")
    found: dict[str, str] = {}
    with readable(path) as file:
        for name in trees:
            tree = get_tree(file, path, name)
            for leaf in tree.GetListOfLeaves():
                if str(leaf.GetTypeName()) in FLOATING | {"float", "double"}:
                    counted = root.bench.finite.Count(leaf)
                    if counted.bad:
                        found[f"{name}/{leaf.GetBranch().GetName()}"] = (
                            f"{counted.bad:,} of {counted.values:,} values NaN or infinite, "
                            f"the first in entry {counted.first:,}"
                        )
    return found
