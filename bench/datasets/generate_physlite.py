"""Generated events in the layout of DAOD_PHYSLITE: the names and types of its split branches, no real physics.

Left out are the trigger matches (more than 500 containers) and the branches whose classes have no dictionary here.
"""

from __future__ import annotations

from pathlib import Path

from ..workloads.root import load

TREE = "CollectionTree"
DEFAULT_SEED = 1
ENTRIES_PER_CLUSTER = 1000


def write_physlite(
    target: Path, name: str, entries: int, seed: int = DEFAULT_SEED, entries_per_cluster: int = ENTRIES_PER_CLUSTER
) -> None:
    """Write a file; `name` is what it calls itself. The same arguments give the same bytes in a fresh process.

    An event depends on the seed and on its own number alone.
    """
    root = load()
    root.gInterpreter.Declare((Path(__file__).parent / "cxx" / "physlite.hpp").read_text())
    root.bench.physlite.Write(f"{target}?reproducible={name}", entries, seed, entries_per_cluster)
