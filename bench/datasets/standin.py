"""Generated events with the columns of a real file, for where the real file cannot be had."""

from __future__ import annotations

from pathlib import Path

from ..workloads.root import include, load
from .files import replacing
from .fresh import in_fresh_process

# Part of the file's name: to be raised when other events would be generated.
FORMAT = 1
NANO_SEED = 1


def make_stand_in(folder: Path, name: str, entries: int) -> Path:
    """A file of generated events; the same file every time, made once.

    Parameters
    ----------
    folder : Path
        Where the file is kept.
    name : str
        Name of the dataset that it stands in for: `fcc-zee` or `cms-tprime-skim`.
    entries : int
        Number of events.

    Returns
    -------
    Path
        The file, in one cluster of entries like the real one.
    """
    if name not in ("fcc-zee", "cms-tprime-skim"):
        raise LookupError(f"there is no generator for {name}")
    final = folder / f"{name}-{entries}-v{FORMAT}.root"
    if not final.is_file():
        with replacing(final, suffix=".root") as temporary:
            if name == "fcc-zee":
                in_fresh_process("stand-in", temporary, final.name, entries)
            else:
                in_fresh_process("generate", temporary, "cms-tprime-skim", final.name, 0, entries, NANO_SEED)
    return final


def write_stand_in(target: Path, name: str, entries: int, seed: int = 0) -> None:
    """Generate the events of fcc-zee; `name` is what the file calls itself. To be run in a fresh process."""
    root = load()
    include(Path(__file__).parent / "cxx" / "standin.hpp")
    root.bench.standin.WriteFccZee(f"{target}?reproducible={name}", entries, seed)
