"""What is in a file, as tables."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from rich.table import Table

from ..datasets.describe import FileDescription, TreeDescription

MANY = 20


def description_tables(described: FileDescription, all_branches: bool = False) -> Generator[Table]:
    """A table of the trees, then for each tree one of its branches, the largest first.

    Parameters
    ----------
    all_branches : bool
        Whether every branch is listed, or the 20 largest of each tree.
    """
    yield trees_table(described.trees, f"{described.file}, {described.bytes:,} bytes, {described.checksum}")
    for tree in described.trees:
        yield branches_table(tree, None if all_branches else MANY)


def trees_table(trees: Sequence[TreeDescription], title: str) -> Table:
    """Entries, clusters and sizes."""
    table = Table(title=title, title_justify="left")
    table.add_column("tree")
    for column in ("entries", "branches", "clusters", "entries in a cluster", "bytes", "compressed", "ratio"):
        table.add_column(column, justify="right")
    table.add_column("compression")
    for tree in trees:
        low, middle, high = tree.cluster_entries
        table.add_row(
            tree.name,
            f"{tree.entries:,}",
            f"{len(tree.branches):,}",
            f"{tree.clusters:,}",
            f"{low:,}" if low == high else f"{low:,} … {middle:,} … {high:,}",
            f"{tree.bytes:,}",
            f"{tree.compressed_bytes:,}",
            f"{tree.ratio:.2f}",
            ", ".join(tree.compressions),
        )
    return table


def branches_table(tree: TreeDescription, most: int | None) -> Table:
    """The branches of a tree, the largest compressed ones first."""
    shown = sorted(tree.branches, key=lambda branch: -branch.compressed_bytes)[:most]
    left = len(tree.branches) - len(shown)
    title = f"branches of {tree.name}" + (f", the {len(shown)} largest ({left:,} more: --all-branches)" if left else "")
    table = Table(title=title, title_justify="left")
    table.add_column("branch", overflow="fold")
    table.add_column("type", overflow="fold")
    for column in ("bytes", "compressed", "ratio", "baskets"):
        table.add_column(column, justify="right")
    table.add_column("compression")
    for branch in shown:
        table.add_row(
            branch.name,
            branch.type,
            f"{branch.bytes:,}",
            f"{branch.compressed_bytes:,}",
            f"{branch.ratio:.2f}",
            f"{branch.baskets:,}",
            branch.compression,
        )
    return table
