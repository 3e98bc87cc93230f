"""ROOT, imported once, late and quietly.

ROOT has no type stubs and builds its names at run time, so it enters this package through one untyped door.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Any


@cache
def load() -> Any:
    """The module ROOT, in batch mode and without the notice that the wheel prints at every start."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module: Any = importlib.import_module("ROOT")
    module.gROOT.SetBatch(True)
    # The input's classes have no compiled dictionary and are read through the schema stored in the file:
    # ROOT warns about each of them in every process. Errors still reach the terminal.
    module.gErrorIgnoreLevel = module.kError
    return module


@contextmanager
def open_file(path: str) -> Generator[Any]:
    """An open TFile, closed afterwards.

    Raises
    ------
    OSError
        The file cannot be opened as a ROOT file.
    """
    root = load()
    try:
        file = root.TFile.Open(path)
    except OSError:
        file = None
    if not file or file.IsZombie():
        raise OSError(f"{path} cannot be opened as a ROOT file")
    try:
        yield file
    finally:
        file.Close()
