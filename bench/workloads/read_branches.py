"""Reading and nothing else: what the input of an analysis costs without the analysis.

Baskets are read, uncompressed and turned into values, entry by entry; nothing is computed from these.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BenchError, Exit
from .model import CutStep, Outcome
from .root import include, load
from .root_errors import reason, watched
from .tasks import Chunk, Partial, TaskWorkload, chunks, merged

if TYPE_CHECKING:
    from ..engines.model import Job

BYTES = "uncompressed_bytes"
# Smaller shares are the first ones of the same order, so that each holds all that a smaller one holds.
SEED = 4


@dataclass(frozen=True)
class ReadBranches(TaskWorkload):
    """Reads branches of one tree.

    Parameters
    ----------
    share : float
        Which share of the branches at the top of the tree, in an order of their own; one branch at least.
    """

    name: str
    title: str
    tree: str
    share: float = 1.0
    # A copy has other branches than its original.
    repackable: bool = False

    def tasks(self, job: Job, slots: int) -> Sequence[tuple[Chunk, tuple[str, ...]]]:
        names = {each.file: self.branches(each.file) for each in chunks(job, 1)}
        return [(each, names[each.file]) for each in chunks(job, slots)]

    def branches(self, file: str) -> tuple[str, ...]:
        """Names of the branches that are read of a file."""
        every = sorted(str(name) for name in helpers().Names(file, self.tree))
        random.Random(SEED).shuffle(every)
        return tuple(every[: max(1, round(self.share * len(every)))])

    def warm_up(self) -> None:
        helpers()

    def process(self, task: Any, folder: Path) -> Partial:
        chunk, names = task
        place = f"{chunk.file}, entries {chunk.first} to {chunk.last}"
        cxx = helpers()
        try:
            with watched():
                read = int(cxx.Read(chunk.file, chunk.tree, list(names), chunk.first, chunk.last))
        # A C++ exception has no type of its own here.
        except Exception as error:
            raise BenchError(place, reason(error), "Name another --input.", Exit.CANNOT_TELL) from error
        return Partial(chunk.entries, (CutStep("all", "all events", chunk.entries),), {BYTES: read})

    def combine(self, partials: Sequence[Partial]) -> Outcome:
        return merged(partials)


def helpers() -> Any:
    """The C++ side, compiled in this process."""
    root = load()
    include(Path(__file__).parent / "cxx" / "read_branches.hpp")
    return root.bench.read_branches
