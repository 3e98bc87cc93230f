"""What `bench data generate` does."""

from __future__ import annotations

from pathlib import Path

from .datasets.generate import events_for, generate, generator
from .errors import BenchError, Exit
from .terminal import STAND_IN, Terminal


def generate_data(
    dataset: str,
    folder: Path,
    events: int | None,
    gigabytes: float | None,
    seed: int,
    processes: int | None,
    terminal: Terminal,
) -> list[Path]:
    """Write stand-in files; those that are there already are kept.

    Raises
    ------
    BenchError
        There is no such generator, or the size is given twice; status 2.
    """
    known = generator(dataset)
    if events and gigabytes:
        raise BenchError(
            "--events and --gigabytes", "each says how much there is to be", "Leave one out.", Exit.CANNOT_TELL
        )
    if gigabytes:
        events = events_for(dataset, gigabytes)
    terminal.mark = STAND_IN
    # Files of another size or seed have the same names: a folder of their own keeps them apart.
    where = folder / f"{dataset}-{events or known.events}-seed{seed}"
    with terminal.step(f"{known.title}: {events or known.events:,} events"):
        files = generate(dataset, where, events or known.events, seed, processes)
    for each in files:
        terminal.say(f"{each}: {each.stat().st_size:,} bytes")
    return files
