"""C++ that is compiled once into a shared library, sent to whoever needs it, and loaded there.

The library is kept in the user's cache under a checksum over its sources, ROOT's version and the flags; its own
checksum is the file's name. A worker gets the bytes with the workload, needs no compiler, and loads nothing whose
checksum is not the one that it was told.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import paths
from ..datasets.files import replacing, sha256
from ..errors import BenchError
from .root import load

FLAGS = ("-O2", "-std=c++17", "-fPIC", "-shared")
COMPILERS = ("g++", "c++", "clang++")
# ROOT's own libraries that the code may call; loaded before it, so that the linker finds them by their names wherever
# ROOT is installed.
ROOT_LIBRARIES = ("libRIO", "libTree", "libTreePlayer", "libHist", "libROOTVecOps", "libROOTDataFrame")
TIMEOUT_S = 600


@dataclass(frozen=True)
class Library:
    """A shared library: its checksum and its bytes."""

    name: str
    sha256: str
    content: bytes

    @classmethod
    def of(cls, path: Path) -> Library:
        """A library that is here as a file named after its content, or after its sources."""
        return cls(path.stem.partition("-")[0], sha256(path), path.read_bytes())

    def path(self) -> Path:
        """The library as a file in this machine's cache, put there where it is not."""
        path = library_folder() / "by-content" / f"{self.name}-{self.sha256}.so"
        if not path.is_file() or sha256(path) != self.sha256:
            with replacing(path) as temporary:
                temporary.write_bytes(self.content)
        return path

    def load(self) -> ctypes.CDLL:
        """Load it into this process.

        Raises
        ------
        BenchError
            Its bytes are not those that the checksum is of, or it cannot be loaded.
        """
        path = self.path()
        found = sha256(path)
        if found != self.sha256:
            raise BenchError(
                f"the library {path} is not loaded",
                f"its sha256 is {found} instead of {self.sha256}",
                "Run this again; the client sends the library anew.",
            )
        root = load()
        for each in ROOT_LIBRARIES:
            root.gSystem.Load(each)
        try:
            return ctypes.CDLL(str(path))
        except OSError as error:
            raise BenchError(
                f"the library {path} cannot be loaded", str(error), "Run client and workers from the same image."
            ) from error


def library_folder() -> Path:
    """Where compiled libraries are kept."""
    return paths.cache() / "libraries"


def library(name: str, sources: Sequence[Path]) -> Library:
    """The library of some sources, of which the first is compiled and the others are its headers.

    Raises
    ------
    BenchError
        It has to be compiled and there is no compiler, or the compiler refuses it.
    """
    digest = hashlib.sha256(repr((FLAGS, str(load().gROOT.GetVersion()), platform.machine())).encode())
    for source in sources:
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    final = library_folder() / f"{name}-{digest.hexdigest()[:16]}.so"
    if not final.is_file():
        with replacing(final, suffix=".so") as temporary:
            compile_library(name, sources[0], temporary)
    return Library.of(final)


def compile_library(name: str, source: Path, target: Path) -> None:
    """Compile one source into a shared library.

    Raises
    ------
    BenchError
        There is no compiler, or it refuses the source.
    """
    named = os.environ.get("CXX")
    found = [shutil.which(each) for each in ((named,) if named else COMPILERS)]
    compiler = next((each for each in found if each), None)
    if compiler is None:
        # ROOT's ACLiC calls the same compiler: it is no way out.
        raise BenchError(
            f"the C++ library {name} cannot be compiled",
            f"none of {', '.join((named,) if named else COMPILERS)} is on the PATH, and ROOT's ACLiC needs one as well",
            f"Install g++, or copy {library_folder()} from a machine that has it.",
        )
    include = str(load().gROOT.GetIncludeDir())
    # The compiler's own file: some write nothing over an empty one, and an empty one must not look compiled.
    target.unlink()
    ended = subprocess.run(
        [compiler, *FLAGS, f"-I{include}", str(source), "-o", str(target)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    if ended.returncode != 0 or not target.is_file():
        raise BenchError(
            f"the C++ library {name} cannot be compiled",
            next((line for line in ended.stderr.splitlines() if "error" in line), f"{compiler} made no library"),
            f"Compile it by hand to see more: {compiler} {' '.join(FLAGS)} -I{include} {source}",
        )
