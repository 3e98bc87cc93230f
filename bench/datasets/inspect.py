"""What a file holds: entries and clusters."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..errors import BenchError, Exit
from ..workloads.columns import nearest
from ..workloads.root import load, open_file
from ..workloads.root_errors import reason, watched
from .remote import FilePath


@dataclass(frozen=True)
class Layout:
    """Entries of a tree, and the clusters they lie in: the smallest pieces that tasks can be made of.

    `cluster_starts` are the numbers of the clusters' first entries; `types` are the C++ types of the columns.
    """

    entries: int
    cluster_starts: tuple[int, ...]
    columns: tuple[str, ...]
    types: tuple[str, ...] = ()

    @property
    def n_clusters(self) -> int:
        return len(self.cluster_starts)


@contextmanager
def readable(path: FilePath) -> Generator[Any]:
    """An open TFile, closed afterwards.

    Raises
    ------
    BenchError
        The file is missing, is no ROOT file, is truncated, or cannot be read inside the block; status 2.
    """
    try:
        with watched(), open_file(str(path)) as file:
            if file.TestBit(load().TFile.kRecovered):
                raise OSError("it was not closed by who wrote it, or is truncated")
            yield file
    except OSError as error:
        raise BenchError(f"{path} cannot be read", reason(error), "Name another --input.", Exit.CANNOT_TELL) from error


def tree_names(file: Any) -> tuple[str, ...]:
    """Names of the trees at the top of a file, in the order of their keys, each once."""
    keys = ((str(key.GetName()), str(key.GetClassName())) for key in file.GetListOfKeys())
    return tuple(dict.fromkeys(name for name, kind in keys if kind in ("TTree", "TNtuple", "TNtupleD", "TChain")))


def get_tree(file: Any, path: FilePath, name: str) -> Any:
    """A tree of an open file.

    Raises
    ------
    BenchError
        There is none of that name; the nearest names are told; status 2.
    """
    if name in (names := tree_names(file)):
        return file.Get(name)
    raise no_tree(path, name, names)


def no_tree(path: FilePath, name: str, names: Sequence[str]) -> BenchError:
    """The error for a tree that a file has not got, with the nearest names of those that it has."""
    near = nearest(name, names)
    held = ", ".join(names[:10]) or "none at all"
    why = f"it holds no tree {name!r}; " + (f"nearest: {', '.join(near)}" if near else f"its trees: {held}")
    return BenchError(f"{path} cannot be read", why, "Name another --input.", Exit.CANNOT_TELL)


def cluster_starts(tree: Any) -> tuple[int, ...]:
    """The numbers of the clusters' first entries."""
    entries, starts = int(tree.GetEntries()), list[int]()
    iterator = tree.GetClusterIterator(0)
    while (start := int(iterator())) < entries:
        starts.append(start)
    return tuple(starts)


def layout(path: FilePath, tree_name: str) -> Layout:
    """Read the layout of one tree of a file.

    Raises
    ------
    BenchError
        The file is no ROOT file, is truncated, or holds no such tree; status 2.
    """
    return layouts(path, (tree_name,))[tree_name]


def layouts(path: FilePath, names: Sequence[str]) -> dict[str, Layout]:
    """Read the layouts of trees of a file, by name; the file is opened once.

    Raises
    ------
    BenchError
        The file is no ROOT file, is truncated, or holds not all trees; status 2.
    """
    with readable(path) as file:
        return {name: layout_of(get_tree(file, path, name)) for name in names}


def layout_of(tree: Any) -> Layout:
    """The layout of a tree of an open file."""
    frame = load().RDataFrame(tree)
    columns = tuple(str(name) for name in frame.GetColumnNames())
    types = tuple(str(frame.GetColumnType(name)) for name in columns)
    return Layout(int(tree.GetEntries()), cluster_starts(tree), columns, types)


def refuse_mixed(paths: Sequence[FilePath], layouts: Sequence[Layout], tree_name: str) -> None:
    """See that a column has the same type in all files: ROOT reads them as one, with the first one's types.

    Raises
    ------
    BenchError
        One has not; status 2.
    """
    first = dict(zip(layouts[0].columns, layouts[0].types, strict=True)) if layouts else {}
    for path, each in zip(paths, layouts, strict=True):
        for column, kind in zip(each.columns, each.types, strict=True):
            if first.get(column, kind) != kind:
                raise BenchError(
                    f"{path} cannot be read together with {paths[0]}",
                    f"in the tree {tree_name!r} its column {column} is {kind}, not {first[column]}",
                    "Run them apart.",
                    Exit.CANNOT_TELL,
                )


def refuse_empty(paths: Sequence[FilePath], layouts: Sequence[Layout], tree_name: str) -> None:
    """See that there is something to read.

    Raises
    ------
    BenchError
        The tree has no entries in any of the files; status 2.
    """
    if not any(each.entries for each in layouts):
        named = ", ".join(map(str, paths[:3]))
        why = f"the tree {tree_name!r} has no entries"
        raise BenchError(f"{named} cannot be analysed", why, "Name another --input.", Exit.CANNOT_TELL)


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
