"""ROOT, imported once, late and quietly.

ROOT has no type stubs and builds its names at run time, so it enters this package through one untyped door.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

# An XRootD server that does not answer is given up after these seconds (XRootD's own limits add up to an hour);
# whoever has set one in the environment has his own way.
XROOTD_LIMITS = {
    "XRD_CONNECTIONWINDOW": "10",
    "XRD_CONNECTIONRETRY": "2",
    "XRD_REQUESTTIMEOUT": "30",
    "XRD_STREAMTIMEOUT": "15",
    "XRD_STREAMERRORWINDOW": "30",
    "XRD_TIMEOUTRESOLUTION": "1",
}

# For what ROOT compiles at run time: with its own -O1, loops over varied weights take 1.5 times as long.
COMPILER_OPTIONS = {"EXTRA_CLING_ARGS": "-O2"}


@cache
def load() -> Any:
    """The module ROOT, in batch mode and without the notice that the wheel prints at every start."""
    for name, value in {**XROOTD_LIMITS, **COMPILER_OPTIONS}.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module: Any = importlib.import_module("ROOT")
    module.gROOT.SetBatch(True)
    # The input's classes have no compiled dictionary and are read through the schema stored in the file:
    # ROOT warns about each of them in every process. Errors still reach the terminal.
    module.gErrorIgnoreLevel = module.kError
    # Without it ROOT looks for a file of this machine where the server's name is this machine's.
    module.gEnv.SetValue("Path.ForceRemote", 1)
    module.gInterpreter.Declare((Path(__file__).parent / "cxx" / "root_errors.hpp").read_text())
    module.bench.root_errors.Install()
    return module


def include(header: Path) -> None:
    """Have ROOT compile a header; headers that this one includes are looked for in its folder."""
    load().gInterpreter.Declare(f'#include "{header}"')


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
