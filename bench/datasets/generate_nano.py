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

# Of a default sample, and of one file at most.
EVENTS, EVENTS_PER_FILE = 20_000, 100_000
BYTES_PER_EVENT = 470
ENTRIES_PER_CLUSTER = 500
# Events in memory at a time.
EVENTS_AT_ONCE = 5000


def files(events: int) -> list[tuple[str, int, int]]:
    """Name, first event and end of each file."""
    starts = range(0, events, EVENTS_PER_FILE)
    return [
        (f"cms-tprime-{number:04}.root", first, min(first + EVENTS_PER_FILE, events))
        for number, first in enumerate(starts)
    ]


def write(target: Path, name: str, first: int, last: int, seed: int) -> None:
    """Generate events first … last - 1 and write them. To be run in a fresh process (`fresh`).

    Parameters
    ----------
    target : Path
        File to write.
    name : str
        What the file calls itself.
    """
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
        draft = Path(folder) / "draft.root"
        write_draft(draft, first, last, seed)
        # uproot puts the time of writing into its files, ROOT can leave it out; and ROOT makes clusters.
        root = load()
        source = root.TFile.Open(str(draft))
        tree = source.Get(TREE)
        out = root.TFile.Open(
            f"{target}?reproducible={name}", "RECREATE", "", root.RCompressionSetting.EDefaults.kUseGeneralPurpose
        )
        copy = tree.CloneTree(0)
        copy.SetAutoFlush(ENTRIES_PER_CLUSTER)
        copy.CopyEntries(tree)
        out.Write()
        out.Close()
        source.Close()


def write_draft(path: Path, first: int, last: int, seed: int) -> None:
    """The events as uproot writes them."""
    ak = library("awkward")
    types: dict[str, Any] = {}
    with library("uproot").recreate(path) as file:
        tree: Any = None
        for start in range(first, last, EVENTS_AT_ONCE):
            grouped = collections(generate(seed, start, min(start + EVENTS_AT_ONCE, last)))
            columns = {name: np.asarray(values) for name, values in grouped.pop("").items()}
            columns |= {name: ak.zip(members) for name, members in grouped.items()}
            if tree is None:
                types = {
                    name: v.dtype if name in types or v.ndim == 1 else ak.type(v).content for name, v in columns.items()
                }
                tree = file.mktree(TREE, types)
            tree.extend(columns)
