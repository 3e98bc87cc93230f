"""Files on XRootD servers, through the client in ROOT: what a server says of a file, and a checked copy of it."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from .. import grid
from ..errors import BenchError, Exit
from ..terminal import Terminal
from ..workloads.root import include, load
from ..workloads.root_errors import reason, watched
from .files import BLOCK_BYTES, replacing

SCHEMES = ("root://", "roots://", "xroot://", "xroots://")
PROXY_HINT = "See that the server runs and the path is right; behind GSI, X509_USER_PROXY names a valid proxy."


@dataclass(frozen=True)
class RemoteFile:
    """A file that is read where it lies, by its address."""

    url: str

    @property
    def name(self) -> str:
        """The file's name, without the server, the folders and what the client is told behind a question mark."""
        return self.url.split("?", 1)[0].rsplit("/", 1)[-1]

    def __str__(self) -> str:
        return self.url


FilePath: TypeAlias = Path | RemoteFile
"""Where an input is: on this machine, or on a server."""


@dataclass(frozen=True)
class RemoteStat:
    """What a server says of a file: size, time of its last change (seconds since the epoch), Adler-32 checksum.

    `adler32` are 8 hexadecimal digits; empty where the server computes no such checksum.
    """

    size_bytes: int
    modified_s: int
    adler32: str


def is_remote(text: str) -> bool:
    """Whether an input is an address on an XRootD server."""
    return text.startswith(SCHEMES)


@cache
def client() -> Any:
    """The C++ side of XRootD's client."""
    root = load()
    root.gInterpreter.AddIncludePath(str(Path(root.__file__).parent / "include" / "xrootd"))
    root.gSystem.Load("libNetxNG")
    include(Path(__file__).parent / "cxx" / "remote.hpp")
    return root.bench.remote


def look(url: str) -> RemoteStat:
    """Ask a server for a file.

    Raises
    ------
    BenchError
        It does not answer, refuses, or has no such file; status 2.
    """
    answer = client().Look(url)
    if problem := str(answer.fProblem):
        raise cannot_read(url, problem)
    algorithm, _, digits = str(answer.fChecksum).partition(" ")
    return RemoteStat(int(answer.fSize), int(answer.fModified), digits.strip() if algorithm == "adler32" else "")


def on_this_machine(path: FilePath, who: str) -> Path:
    """The path of an input for what can only work on a file of this machine.

    Raises
    ------
    BenchError
        It is on a server; status 2.
    """
    if isinstance(path, RemoteFile):
        why = f"{path} is read where it lies"
        raise BenchError(f"{who} needs its input on this machine", why, "Use --staging pull.", Exit.CANNOT_TELL)
    return path


def cannot_read(url: str, why: str) -> BenchError:
    """The error for an address."""
    # The client does not say what it holds against a proxy.
    if "Auth failed" in why:
        why = f"{why}; {grid.state()}"
    return BenchError(f"{url} cannot be read", why, PROXY_HINT, Exit.CANNOT_TELL)


def pull(url: str, folder: Path, terminal: Terminal) -> Path:
    """Copy a file into a folder of this machine, once; size and checksum are compared with the server's.

    The copy is named by the address and by what the server says of the file: another file under the same address is
    another copy.

    Raises
    ------
    BenchError
        The file cannot be had, or what came is not what the server has. Nothing is left under the final name.
    """
    there = look(url)
    key = f"{url} {there.size_bytes} {there.modified_s} {there.adler32}"
    final = folder / hashlib.sha256(key.encode()).hexdigest()[:16] / RemoteFile(url).name
    if final.is_file() and final.stat().st_size == there.size_bytes:
        terminal.say(f"{url}: a copy is here already")
        return final
    root = load()
    with replacing(final, suffix=".root") as temporary, terminal.step(f"{url}: {there.size_bytes:,} bytes"):
        try:
            with watched():
                # Its last argument switches off the bar that it draws on standard error.
                copied = bool(root.TFile.Cp(url, str(temporary), False))
        except OSError as error:
            raise cannot_read(url, reason(error)) from error
        if not copied:
            raise cannot_read(url, "the copy broke off")
        check(temporary, url, there)
    return final


def check(copy: Path, url: str, there: RemoteStat) -> None:
    """Compare a copy with what the server says.

    Raises
    ------
    BenchError
        Size or checksum differ; both are named.
    """
    size = copy.stat().st_size
    if size != there.size_bytes:
        raise cannot_read(url, f"{size:,} bytes came, the server has {there.size_bytes:,}")
    if there.adler32 and (found := adler32(copy)) != there.adler32:
        raise cannot_read(url, f"what came has the checksum adler32 {found}, the server says {there.adler32}")


def adler32(path: Path) -> str:
    """Adler-32 of a file's bytes, the checksum that XRootD servers keep, as 8 hexadecimal digits."""
    value = zlib.adler32(b"")
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            value = zlib.adler32(block, value)
    return f"{value:08x}"


def identity(there: RemoteStat) -> str:
    """What identifies a file that is not copied, for the record: not its sha256, which would have to be read for."""
    if there.adler32:
        return f"adler32:{there.adler32}"
    return f"size:{there.size_bytes},modified:{there.modified_s}"
