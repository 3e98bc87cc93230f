"""A stand-in for the n-tuples of the 4-body stop analysis, which are not public: the same trees and kinds of columns.

Out of 48,531 + 62,586 + 53,071 events it gives the raw yields that INFN Napoli's notebook shows for the real ones:
36,190 after the preselection, 25 in SRA, 214 in SRB.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from pathlib import Path

from ..workloads.root import include, load
from ..workloads.stop4body_systematics import DOWN, NOMINAL_TREE, UP, VARIATIONS, WEIGHTS, tree_of

# Run number of each campaign of simulation, and its events in the notebook.
CAMPAIGNS = {"mc16a": (284500, 48531), "mc16d": (300000, 62586), "mc16e": (310000, 53071)}
EVENTS = sum(events for _, events in CAMPAIGNS.values())
# The real files' clusters are whole trees, which cannot be shared among workers.
ENTRIES_PER_CLUSTER = 5000


def files(events: int) -> list[tuple[str, int, int]]:
    """Name, first event and end of each campaign's file, in the proportions of the notebook's."""
    ends = accumulate((of_all for _, of_all in CAMPAIGNS.values()), initial=0)
    edges = [events * end // EVENTS for end in ends]
    return [(f"{campaign}_Wt.root", *edge) for campaign, edge in zip(CAMPAIGNS, pairwise(edges), strict=True)]


def write(target: Path, name: str, first: int, last: int, seed: int) -> None:
    """Write one campaign's events in all trees; `name` is what the file calls itself."""
    root = load()
    include(Path(__file__).parent / "cxx" / "stop4body_standin.hpp")
    run_number, _ = CAMPAIGNS[name.partition("_")[0]]
    weights = [f"{weight}__{side}" for weight in WEIGHTS for side in (UP, DOWN)]
    file = root.TFile.Open(f"{target}?reproducible={name}", "RECREATE", "", 505)

    def write_tree(tree: str, variation: str, stream: int, columns: list[str]) -> None:
        sign = -1.0 if variation.endswith(DOWN) else 1.0
        root.bench.stop4body_standin.WriteTree(
            file, tree, variation, sign, stream, columns, run_number, first, last, seed, ENTRIES_PER_CLUSTER
        )

    write_tree(NOMINAL_TREE, "", 0, weights)
    for stream, variation in enumerate(VARIATIONS, 1):
        write_tree(tree_of(variation), variation, stream, [])
    file.Close()
