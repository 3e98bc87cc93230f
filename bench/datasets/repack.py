"""Rewrite a file in small clusters, so that it can be cut into tasks.

A distributed RDataFrame cuts its input at the edges of clusters. ROOT's default cluster is some 30 MB; a small file
is one cluster, and then one worker works and all others wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import paths
from ..errors import BenchError, Exit
from ..workloads.fcc_zee import ENTRY_COLUMN, FILE_COLUMN
from ..workloads.root import include, load, open_file
from ..workloads.root_errors import reason, watched
from .files import replacing, sha256
from .fresh import in_fresh_process
from .inspect import no_tree

DEFAULT_ENTRIES_PER_CLUSTER = 250
# Part of the name in the cache: to be raised when the same input would be written in another way.
FORMAT = 2
ZSTD_LEVEL_5 = 505


@dataclass(frozen=True)
class Repacked:
    """A file in small clusters."""

    path: Path
    sha256: str
    entries_per_cluster: int


def repack(
    source: Path, source_sha256: str, tree: str, entries_per_cluster: int = DEFAULT_ENTRIES_PER_CLUSTER
) -> Repacked:
    """Rewrite `tree` in clusters of `entries_per_cluster`, with columns that identify the entries; copy other trees.

    An entry is identified by its number and by the first 64 bits of the original file's checksum.
    The same input gives the same bytes with the same ROOT. The result is cached under the input's checksum and these
    parameters, and every branch's content is compared with the input's before it gets its final name.

    Raises
    ------
    BenchError
        The input cannot be read, or the copy does not hold what the input holds.
    """
    if entries_per_cluster < 1:
        raise BenchError(
            "data repack",
            f"--entries-per-cluster is {entries_per_cluster}",
            "Give 1 or more.",
            Exit.CANNOT_TELL,
        )
    folder = paths.cache() / "data" / "repack" / f"v{FORMAT}-{source_sha256[:16]}-{entries_per_cluster}"
    final = folder / source.name
    if not final.is_file():
        with replacing(final, suffix=".root") as temporary:
            in_fresh_process("repack", source, temporary, tree, entries_per_cluster, file_number(source_sha256))
            verify(source, temporary, tree)
    return Repacked(final, sha256(final), entries_per_cluster)


def helpers() -> Any:
    """The C++ helpers."""
    root = load()
    include(Path(__file__).parent / "cxx" / "repack.hpp")
    return root.bench.repack


def trees(file: Any) -> list[str]:
    """Names of the trees in a file, in the order of their keys."""
    names = dict.fromkeys(str(key.GetName()) for key in file.GetListOfKeys() if "TTree" in str(key.GetClassName()))
    return list(names)


def file_number(sha256: str) -> int:
    """What stands for a file of that checksum: its first 64 bits."""
    return int(sha256[:16], 16)


def write(source: Path, target: Path, tree: str, entries_per_cluster: int, number: int) -> None:
    """Copy all trees of `source` into a new file `target`; to be run in a fresh process."""
    root, cxx = load(), helpers()
    try:
        with watched(), open_file(str(source)) as original:
            if tree not in trees(original):
                raise no_tree(source, tree, trees(original))
            # Without this option a file holds its time of writing and a random identifier.
            out = root.TFile(f"{target}?reproducible={source.name}", "RECREATE", "", ZSTD_LEVEL_5)
            # Collections that are not split are written object by object, as podio writes them; ROOT's default for
            # them is member by member, which could not be compared byte by byte.
            member_wise = root.TVirtualStreamerInfo.SetStreamMemberWise(False)
            try:
                cxx.Copy(original.Get(tree), entries_per_cluster, ENTRY_COLUMN, FILE_COLUMN, number)
                for name in trees(original):
                    if name != tree:
                        out.cd()
                        original.Get(name).CloneTree(-1, "fast").Write()
            finally:
                root.TVirtualStreamerInfo.SetStreamMemberWise(member_wise)
                out.Close()
    except (OSError, root.std.exception) as error:
        next_step = "Name another --input, or make room on the disk."
        raise BenchError(f"{source} cannot be repacked", reason(error), next_step, Exit.CANNOT_TELL) from error


def digests(path: Path) -> dict[str, str]:
    """A digest of the entries of every branch of every tree, by `tree/branch`; independent of the clusters."""
    cxx = helpers()
    with open_file(str(path)) as file:
        return {
            f"{name}/{pair.first}": str(pair.second) for name in trees(file) for pair in cxx.Digests(file.Get(name))
        }


def verify(source: Path, copy: Path, tree: str) -> None:
    """Compare all branches of two files.

    Raises
    ------
    BenchError
        A branch differs, is missing or was added (but for those that identify the entries).
    """
    before, after = digests(source), digests(copy)
    for identity in (f"{tree}/{ENTRY_COLUMN}", f"{tree}/{FILE_COLUMN}"):
        if identity not in before:
            after.pop(identity, None)
    different = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if different:
        raise BenchError(
            f"the repacked copy of {source} was thrown away",
            f"it differs from the original in {', '.join(different[:5])} ({len(different)} of {len(before)} branches)",
            "Run on the original with --no-repack and report this.",
        )
