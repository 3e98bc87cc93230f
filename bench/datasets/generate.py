"""Generated inputs: stand-ins for files that are not public, at any size, the same bytes every time.

Every file is written by a process of its own, so the number of processes that work at once changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..errors import BenchError, Exit
from . import generate_nano, generate_physlite, generate_stop4body
from .files import replacing
from .fresh import in_fresh_process
from .standin import write_stand_in

DEFAULT_SEED = 1


@dataclass(frozen=True)
class Generator:
    """How the files of a dataset are generated.

    `files` gives name, first event and end of each file for a number of events; `write` writes one of them.
    `bytes_per_event` is the size on disk, over all files, as seen with `events`.
    """

    title: str
    events: int
    bytes_per_event: int
    files: Callable[[int], Sequence[tuple[str, int, int]]]
    write: Callable[[Path, str, int, int, int], None]


def one_file(name: str) -> Callable[[int], Sequence[tuple[str, int, int]]]:
    """All events in one file."""
    return lambda events: [(f"{name}.root", 0, events)]


def write_fcc_zee(target: Path, name: str, _first: int, last: int, seed: int) -> None:
    """Write all events."""
    write_stand_in(target, name, last, seed)


GENERATORS: dict[str, Generator] = {
    "fcc-zee": Generator("FCC-ee Z → ee, EDM4hep, in one cluster", 5000, 52, one_file("fcc-zee"), write_fcc_zee),
    "atlas-stop4body": Generator(
        "ATLAS 4-body stop, Wt: 41 trees of 3 campaigns",
        generate_stop4body.EVENTS,
        3800,
        generate_stop4body.files,
        generate_stop4body.write,
    ),
    "atlas-slimming": Generator(
        "ATLAS DAOD_PHYSLITE",
        generate_physlite.EVENTS,
        generate_physlite.BYTES_PER_EVENT,
        generate_physlite.files,
        generate_physlite.write,
    ),
    "cms-tprime-skim": Generator(
        "CMS T' → tZ(νν) and tt̄, NanoAOD v12",
        generate_nano.EVENTS,
        generate_nano.BYTES_PER_EVENT,
        generate_nano.files,
        generate_nano.write,
    ),
}


def generator(dataset: str) -> Generator:
    """The generator of a dataset.

    Raises
    ------
    BenchError
        There is none; status 2.
    """
    if dataset not in GENERATORS:
        raise BenchError(
            f"bench data generate {dataset}", "there is no generator for it", f"Known: {', '.join(GENERATORS)}.",
            Exit.CANNOT_TELL,
        )  # fmt: skip
    return GENERATORS[dataset]


def events_for(dataset: str, gigabytes: float) -> int:
    """How many events make files of that size together (in 10⁹ bytes)."""
    return max(1, round(gigabytes * 1e9 / generator(dataset).bytes_per_event))


def generate(
    dataset: str, folder: Path, events: int, seed: int = DEFAULT_SEED, processes: int | None = None
) -> list[Path]:
    """Write the files of a dataset, those that are not there.

    Parameters
    ----------
    folder : Path
        Where the files are put; a file of that name that is there is taken to be the right one.
    events : int
        Number of events in all files together.
    processes : int or None
        How many files are written at once; None: as many as there are processors.
    """
    wanted = [each for each in generator(dataset).files(events) if each[2] > each[1]]

    def write_one(file: tuple[str, int, int]) -> Path:
        name, first, last = file
        final = folder / name
        if not final.is_file():
            with replacing(final, suffix=".root") as temporary:
                in_fresh_process("generate", temporary, dataset, name, first, last, seed)
        return final

    with ThreadPoolExecutor(processes or len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(write_one, wanted))


def write_file(target: Path, dataset: str, name: str, first: int, last: int, seed: int) -> None:
    """Write one file. To be run in a fresh process."""
    generator(dataset).write(target, name, first, last, seed)
