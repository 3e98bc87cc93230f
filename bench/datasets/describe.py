"""What is in a file: trees, entries, clusters, branches, and how they are compressed."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Generator
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ..workloads.root import load
from .inspect import cluster_starts, get_tree, readable, tree_names
from .remote import FilePath

# The first letters of a compressed block, behind the basket's key.
ALGORITHMS = {b"ZL": "ZLIB", b"XZ": "LZMA", b"L4": "LZ4", b"ZS": "ZSTD", b"CS": "old"}
# Enough for a key, which holds the names of branch and tree.
BASKET_HEADER_BYTES = 1024


class Part(BaseModel):
    """A value that is read back as it was written."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BranchDescription(Part):
    """A branch with its own baskets; a branch that only holds others has none and is left out."""

    name: str
    type: str = Field(description="type of an entry, [] for an array of variable length")
    bytes: int = Field(description="uncompressed")
    compressed_bytes: int
    baskets: int
    compression: str = Field(description="algorithm and level, the level where it is known")

    @property
    def ratio(self) -> float:
        """Uncompressed over compressed size; 1 for an empty branch."""
        return self.bytes / self.compressed_bytes if self.compressed_bytes else 1.0


class TreeDescription(Part):
    """A tree. The last cluster is what the writer had left: mostly smaller than the others."""

    name: str
    entries: int
    bytes: int = Field(description="uncompressed")
    compressed_bytes: int
    clusters: int
    cluster_entries: tuple[int, int, int] = Field(description="entries in the smallest, middle and largest cluster")
    compressions: tuple[str, ...] = Field(description="algorithms and levels of the branches, most bytes first")
    branches: tuple[BranchDescription, ...]

    @property
    def ratio(self) -> float:
        """Uncompressed over compressed size; 1 for an empty tree."""
        return self.bytes / self.compressed_bytes if self.compressed_bytes else 1.0


class FileDescription(Part):
    """A file. `remarks` say what stands in the way of reading it on so many slots."""

    file: str
    origin: str
    checksum: str
    bytes: int
    compression: str = Field(description="algorithm and level of what would be added to the file")
    slots: int = Field(description="tasks at a time that the remarks are for")
    trees: tuple[TreeDescription, ...]
    remarks: tuple[str, ...]


def describe(path: FilePath, origin: str, checksum: str, slots: int, only: str | None = None) -> FileDescription:
    """Look into a file.

    Parameters
    ----------
    slots : int
        Tasks at a time that there are to be clusters for.
    only : str or None
        Name of the one tree that is described; None: all at the top of the file.

    Raises
    ------
    BenchError
        It cannot be read, or has no such tree; status 2.
    """
    with readable(path) as file:
        names = tree_names(file) if only is None else (only,)
        trees = tuple(describe_tree(get_tree(file, path, name)) for name in names)
        size, setting = int(file.GetSize()), compression(file.GetCompressionSettings())
    return FileDescription(
        file=str(path),
        origin=origin,
        checksum=checksum,
        bytes=size,
        compression=setting,
        slots=slots,
        trees=trees,
        remarks=remarks(path, trees, slots),
    )


def describe_tree(tree: Any) -> TreeDescription:
    """Look into a tree; only its header is read, no entry."""
    entries, starts = int(tree.GetEntries()), cluster_starts(tree)
    sizes = sorted(after - before for before, after in pairwise((*starts, entries)))
    branches = tuple(describe_branch(branch) for branch in with_baskets(tree))
    by_setting: dict[str, int] = {}
    for branch in branches:
        by_setting[branch.compression] = by_setting.get(branch.compression, 0) + branch.compressed_bytes
    return TreeDescription(
        name=str(tree.GetName()),
        entries=entries,
        bytes=sum(branch.bytes for branch in branches),
        compressed_bytes=sum(branch.compressed_bytes for branch in branches),
        clusters=len(starts),
        cluster_entries=(sizes[0], sizes[len(sizes) // 2], sizes[-1]) if sizes else (0, 0, 0),
        compressions=tuple(sorted(by_setting, key=by_setting.__getitem__, reverse=True)),
        branches=branches,
    )


def with_baskets(parent: Any) -> Generator[Any]:
    """Branches that hold data themselves: those without branches below, and those above that have baskets."""
    for branch in parent.GetListOfBranches():
        if not branch.GetListOfBranches().GetEntries() or branch.GetTotBytes() > 0:
            yield branch
        yield from with_baskets(branch)


def describe_branch(branch: Any) -> BranchDescription:
    """Sizes without the branches below it; the type as ROOT names it, without the typedefs of its own."""
    return BranchDescription(
        name=str(branch.GetName()),
        type=type_of(branch),
        bytes=int(branch.GetTotBytes()),
        compressed_bytes=int(branch.GetZipBytes()),
        baskets=int(branch.GetWriteBasket()),
        compression=compression_of(branch),
    )


def compression_of(branch: Any) -> str:
    """Algorithm and level of a branch; only the algorithm where the branch has lost its setting.

    Files that were merged without decompressing may say "none" of compressed baskets: then what is at the beginning of
    the first one counts.
    """
    words = compression(branch.GetCompressionSettings())
    if words != "none" or branch.GetZipBytes() >= branch.GetTotBytes():
        return words
    start = ctypes.create_string_buffer(BASKET_HEADER_BYTES)
    file, position = branch.GetFile(), int(branch.GetBasketSeek(0))
    if file.ReadBuffer(start, position, min(BASKET_HEADER_BYTES, int(file.GetSize()) - position)):
        return words
    (key_bytes,) = struct.unpack_from(">h", start.raw, 14)
    return ALGORITHMS.get(start.raw[key_bytes : key_bytes + 2], words)


def type_of(branch: Any) -> str:
    """The type of what an entry of a branch holds."""
    leaves = list(branch.GetListOfLeaves())
    kind = str(leaves[0].GetTypeName() if leaves else "") or str(branch.GetClassName())
    kind = {
        "Float_t": "float", "Double_t": "double", "Int_t": "int", "UInt_t": "unsigned int", "Bool_t": "bool",
        "Long64_t": "long", "ULong64_t": "unsigned long", "Short_t": "short", "UShort_t": "unsigned short",
        "Char_t": "char", "UChar_t": "unsigned char",
    }.get(kind, kind)  # fmt: skip
    if leaves and leaves[0].GetLeafCount():
        return f"{kind}[]"
    if leaves and leaves[0].GetLenStatic() > 1:
        return f"{kind}[{leaves[0].GetLenStatic()}]"
    return kind


def compression(setting: int) -> str:
    """A compression setting in words, such as ZSTD 5: ROOT keeps 100 × algorithm + level."""
    algorithm, level = divmod(max(int(setting), 0), 100)
    if level == 0:
        return "none"
    known = load().RCompressionSetting.EAlgorithm
    names = {int(getattr(known, f"k{name}")): name for name in ("ZLIB", "LZMA", "OldCompressionAlgo", "LZ4", "ZSTD")}
    return f"{names.get(algorithm, 'ZLIB').replace('OldCompressionAlgo', 'old')} {level}"


def remarks(path: FilePath, trees: tuple[TreeDescription, ...], slots: int) -> tuple[str, ...]:
    """What stands in the way of a distributed analysis."""
    found = [] if trees else ["it holds no tree"]
    for tree in trees:
        if tree.entries == 0:
            found.append(f"tree {tree.name!r} has no entries")
        elif tree.clusters < slots and tree.entries >= slots:
            clusters = "1 cluster" if tree.clusters == 1 else f"{tree.clusters} clusters"
            options = f"--tree {tree.name} --entries-per-cluster {entries_per_cluster(tree, slots)}"
            found.append(
                f"tree {tree.name!r} has {clusters} for {slots} slots, so at most {tree.clusters} can work at a time: "
                f"`bench data repack {path} {options}` mends it"
            )
    return tuple(found)


def entries_per_cluster(tree: TreeDescription, slots: int, clusters_per_slot: int = 4) -> int:
    """Entries in a cluster that give every slot some clusters."""
    return max(1, tree.entries // (clusters_per_slot * slots))
