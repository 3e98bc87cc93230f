"""Generated events in the layout of DAOD_PHYSLITE: the names and types of its split branches, no real physics.

Left out are the trigger matches (more than 500 containers) and the branches whose classes have no dictionary here.
"""

from __future__ import annotations

from pathlib import Path

from ..workloads.root import include, load

EVENTS = 20_000
EVENTS_PER_FILE = 100_000
ENTRIES_PER_CLUSTER = 1000
# Seen with 20,000 events.
BYTES_PER_EVENT = 690


def files(events: int) -> list[tuple[str, int, int]]:
    """Name, first event and end of each file."""
    starts = range(0, events, EVENTS_PER_FILE)
    return [
        (f"DAOD_PHYSLITE.{number:06}.root", first, min(events, first + EVENTS_PER_FILE))
        for number, first in enumerate(starts, 1)
    ]


def write(target: Path, name: str, first: int, last: int, seed: int) -> None:
    """Write the events from `first` up to `last`; `name` is what the file calls itself. To be run in a fresh process.

    An event depends on the seed and on its own number alone.
    """
    root = load()
    include(Path(__file__).parent / "cxx" / "physlite.hpp")
    root.bench.physlite.Write(f"{target}?reproducible={name}", first, last, seed, ENTRIES_PER_CLUSTER)
