"""NanoAOD files of generated events: the same bytes from the same seed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ..workloads.nano_events import collections, generate
from ..workloads.nanoaod import TREE
from ..workloads.numeric import library
from ..workloads.root import load

# Events in memory at a time.
EVENTS_AT_ONCE = 5000


def write_nano(target: Path, name: str, entries: int, seed: int, entries_per_cluster: int) -> None:
    """Generate events and write them. To be run in a fresh process, in which no other ROOT objects are numbered.

    Parameters
    ----------
    target : Path
        File to write.
    name : str
        What the file calls itself.
    """
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
        draft = Path(folder) / "draft.root"
        write_draft(draft, entries, seed)
        # uproot puts the time of writing into its files, ROOT can leave it out; and ROOT makes clusters.
        root = load()
        source = root.TFile.Open(str(draft))
        tree = source.Get(TREE)
        out = root.TFile.Open(
            f"{target}?reproducible={name}", "RECREATE", "", root.RCompressionSetting.EDefaults.kUseGeneralPurpose
        )
        copy = tree.CloneTree(0)
        copy.SetAutoFlush(entries_per_cluster)
        copy.CopyEntries(tree)
        out.Write()
        out.Close()
        source.Close()


def write_draft(path: Path, entries: int, seed: int) -> None:
    """The events as uproot writes them."""
    ak = library("awkward")
    types: dict[str, Any] = {}
    with library("uproot").recreate(path) as file:
        tree: Any = None
        for first in range(0, entries, EVENTS_AT_ONCE):
            grouped = collections(generate(seed, first, min(first + EVENTS_AT_ONCE, entries)))
            columns = {name: np.asarray(values) for name, values in grouped.pop("").items()}
            columns |= {name: ak.zip(members) for name, members in grouped.items()}
            if tree is None:
                types = {
                    name: v.dtype if name in types or v.ndim == 1 else ak.type(v).content for name, v in columns.items()
                }
                tree = file.mktree(TREE, types)
            tree.extend(columns)
