"""What a file holds: entries and clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ..errors import BenchError
from ..workloads.root import load, open_file


@dataclass(frozen=True)
class Layout:
    """Entries of a tree, and the clusters they lie in: the smallest pieces that tasks can be made of.

    `cluster_starts` are the numbers of the clusters' first entries.
    """

    entries: int
    cluster_starts: tuple[int, ...]
    columns: tuple[str, ...]

    @property
    def n_clusters(self) -> int:
        return len(self.cluster_starts)


def layout(path: Path, tree_name: str) -> Layout:
    """Read a file's layout.

    Raises
    ------
    BenchError
        The file is no ROOT file, is truncated, or holds no such tree.
    """
    try:
        with open_file(str(path)) as file:
            tree = file.Get(tree_name)
            if not tree:
                held = ", ".join(key.GetName() for key in file.GetListOfKeys())
                raise BenchError(
                    f"{path} cannot be read", f"it holds no tree {tree_name!r} but {held}", "Name another --input."
                )
            entries = int(tree.GetEntries())
            starts: list[int] = []
            iterator = tree.GetClusterIterator(0)
            while (start := int(iterator())) < entries:
                starts.append(start)
    except OSError as error:
        raise BenchError(f"{path} cannot be read", str(error), "Name another --input.") from error
    columns = tuple(str(name) for name in load().RDataFrame(tree_name, str(path)).GetColumnNames())
    return Layout(entries, tuple(starts), columns)


def entries_per_partition(layouts: Sequence[Layout], n_partitions: int) -> list[int]:
    """Entries that each task of a distributed RDataFrame gets.

    ROOT cuts the list of files into equal shares and moves every cut up to the next cluster's edge
    (`ROOT/_distrdf/Ranges.py`, ROOT 6.40). A share without an edge in it is a task without work.
    """
    offsets = [0]
    for each in layouts:
        offsets.append(offsets[-1] + each.entries)
    share = len(layouts) / n_partitions

    def edge(position: float) -> int:
        index = int(position)
        if index >= len(layouts):
            return offsets[-1]
        each = layouts[index]
        wanted = int((position - index) * each.entries)
        inside = next((start for start in each.cluster_starts if start >= wanted), each.entries)
        return offsets[index] + inside

    edges = [edge(share * i) for i in range(n_partitions)] + [offsets[-1]]
    return [after - before for before, after in pairwise(edges)]
