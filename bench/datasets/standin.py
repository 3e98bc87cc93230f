"""Generated events with the columns of a real file, for where the real file cannot be had."""

from __future__ import annotations

from pathlib import Path

from ..workloads.root import include, load
from .files import replacing
from .fresh import in_fresh_process

# Part of the file's name: to be raised when other events would be generated.
FORMAT = 1
# Of the datasets that have a stand-in.
SEEDS = {"fcc-zee": 0, "cms-tprime-skim": 1}


def make_stand_in(folder: Path, name: str, entries: int) -> Path:
    """A file of generated events; the same file every time, made once.

    Parameters
    ----------
    folder : Path
        Where the file is kept.
    name : str
        Name of the dataset that it stands in for, one of `SEEDS`.
    entries : int
        Number of events.

    Returns
    -------
    Path
        The file, in one cluster of entries like the real one.
    """
    if name not in SEEDS:
        raise LookupError(f"there is no generator for {name}")
    final = folder / f"{name}-{entries}-v{FORMAT}.root"
    if not final.is_file():
        with replacing(final, suffix=".root") as temporary:
            in_fresh_process("generate", temporary, name, final.name, 0, entries, SEEDS[name])
    return final


def write_stand_in(target: Path, name: str, entries: int, seed: int) -> None:
    """Generate the events of fcc-zee; `name` is what the file calls itself. To be run in a fresh process."""
    root = load()
    include(Path(__file__).parent / "cxx" / "standin.hpp")
    root.bench.standin.WriteFccZee(f"{target}?reproducible={name}", entries, seed)
