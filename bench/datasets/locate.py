"""Find an input: where the user says, beside the checkout, in the cache, at its public address, or a stand-in."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx

from .. import paths
from ..errors import BenchError, Exit
from ..terminal import STAND_IN, Terminal
from ..workloads.columns import nearest
from .access import Staging
from .catalogue import Dataset
from .files import replacing, sha256
from .remote import FilePath, RemoteFile, identity, is_remote, look, pull
from .standin import make_stand_in

Opener = Callable[[str], Iterator[bytes]]


@dataclass(frozen=True)
class Source:
    """An input file.

    `path` is on this machine, or an address that is read where it lies; the latter's `sha256` is what its server says
    of the file (`adler32:…`).
    `dataset` is the catalogue's entry whose checksum the file has; None for a user's own file and for a stand-in.
    """

    path: FilePath
    sha256: str
    origin: str
    dataset: Dataset | None = None
    stand_in: bool = False

    @property
    def checksum(self) -> str:
        """The checksum with the name of its kind, for people."""
        return self.sha256 if ":" in self.sha256 else f"sha256 {self.sha256}"


def data_cache() -> Path:
    """Folder for downloaded and generated inputs."""
    return paths.cache() / "data"


def search_folders() -> list[tuple[str, Path]]:
    """Folders in which an input is looked for, in that order, each with the words that name it to people."""
    folders: list[tuple[str, Path]] = []
    if named := os.environ.get("BENCH_DATA"):
        folders.append(("$BENCH_DATA", Path(named)))
    if root := paths.checkout():
        folders.append(("shared/data beside the checkout", root.parent / "shared" / "data"))
    folders.append(("the cache", data_cache()))
    return folders


def find(dataset: Dataset) -> Source | None:
    """The file of a dataset in the first folder that has it, by its name or, as on nodes, in a folder of its sha256.

    Raises
    ------
    BenchError
        A file of that name is there and its checksum is another one.
    """
    for words, folder in search_folders():
        for path in (folder / dataset.file_name, folder / dataset.sha256 / dataset.file_name):
            if path.is_file():
                check(path, dataset)
                return Source(path, dataset.sha256, words, dataset)
    return None


def check(path: Path, dataset: Dataset) -> None:
    """Compare a file with its catalogue entry.

    Raises
    ------
    BenchError
        The checksums differ; both and the file are named.
    """
    found = sha256(path)
    if found != dataset.sha256:
        raise BenchError(
            f"{path} is not the catalogue's {dataset.name}",
            f"its sha256 is {found}, the catalogue's is {dataset.sha256}",
            "Remove the file or put the right one there; a file of your own is read with --input.",
        )


def stream(url: str) -> Iterator[bytes]:
    """Blocks of bytes of what is at an address."""
    with httpx.stream("GET", url, follow_redirects=True, timeout=30) as response:
        response.raise_for_status()
        yield from response.iter_bytes(1 << 18)


def download(dataset: Dataset, terminal: Terminal, opener: Opener = stream) -> Source:
    """Download a dataset into the cache.

    Raises
    ------
    BenchError
        It cannot be had, or what came has another checksum. Nothing is left under the final name.
    """
    if not dataset.url:
        raise BenchError(
            f"{dataset.file_name} is not on this machine",
            "no public address of it is known",
            "Put the file into a folder and name it in BENCH_DATA; other files are read with --input.",
        ) from FileNotFoundError(dataset.file_name)
    final = data_cache() / dataset.file_name
    digest, received, announced = hashlib.sha256(), 0, 0
    try:
        with replacing(final) as temporary:
            with temporary.open("wb") as out:
                for block in opener(dataset.url):
                    out.write(block)
                    digest.update(block)
                    received += len(block)
                    tenths = min(10, 10 * received // dataset.size_bytes)
                    if tenths > announced:
                        announced = tenths
                        terminal.say(f"{dataset.file_name}: {received:,} of {dataset.size_bytes:,} bytes")
            if digest.hexdigest() != dataset.sha256:
                raise BenchError(
                    f"{dataset.url} does not give the catalogue's {dataset.name} ({final} was not written)",
                    f"the sha256 of what came is {digest.hexdigest()} ({received:,} bytes), "
                    f"the catalogue's is {dataset.sha256} ({dataset.size_bytes:,} bytes)",
                    f"Put the right {dataset.file_name} into a folder and name it in BENCH_DATA.",
                )
    except (httpx.HTTPError, OSError) as error:
        raise BenchError(
            f"{dataset.file_name} could not be downloaded from {dataset.url}",
            str(error) or type(error).__name__,
            "Put the file into a folder and name it in BENCH_DATA.",
        ) from error
    return Source(final, dataset.sha256, f"downloaded from {dataset.url}", dataset)


def locate(dataset: Dataset, terminal: Terminal, opener: Opener = stream) -> Source:
    """A dataset's file, from wherever it can be had; else a generated stand-in, which marks every further line.

    Raises
    ------
    BenchError
        A file that was found or downloaded has another checksum: a wrong file is never replaced by a stand-in.
    """
    if source := find(dataset):
        return source
    try:
        return download(dataset, terminal, opener)
    except BenchError as error:
        if not isinstance(error.__cause__, httpx.HTTPError | OSError):
            raise
        terminal.mark = STAND_IN
        terminal.say(f"{error}")
        terminal.say("Events generated on this machine are read instead: the same columns, no real physics.")
    path = make_stand_in(data_cache() / STAND_IN, dataset.name, dataset.entries)
    return Source(path, sha256(path), "generated", stand_in=True)


def own_file(path: Path) -> Source:
    """A file that the user names.

    Raises
    ------
    BenchError
        There is no such file; status 2.
    """
    if not path.is_file():
        why = "it is a folder" if path.is_dir() else "there is no such file"
        near = nearest(path.name, sorted(each.name for each in path.parent.glob("*"))) if path.parent.is_dir() else []
        if near and not path.is_dir():
            why += f"; nearest in {path.parent}: {', '.join(near)}"
        raise BenchError(f"--input {path}", why, "Name a ROOT file that is on this machine.", Exit.CANNOT_TELL)
    return Source(path.resolve(), sha256(path), "--input")


def own_input(named: str | Path, staging: Staging, terminal: Terminal) -> Source:
    """An input that the user names: a path, `file://…`, or `root://…` on an XRootD server.

    Raises
    ------
    BenchError
        It cannot be had; status 2.
    """
    text = str(named)
    if is_remote(text):
        if staging is Staging.REMOTE:
            there = look(text)
            return Source(RemoteFile(text), identity(there), f"read from {text}")
        copy = pull(text, data_cache() / "pulled", terminal)
        return Source(copy, sha256(copy), f"copied from {text}")
    return own_file(local_path(text))


def local_path(text: str) -> Path:
    """A path, or what a `file://` address means by one.

    Raises
    ------
    BenchError
        It is another machine's, or an address of a kind that is not read; status 2.
    """
    scheme, separator, _ = text.partition("://")
    if not separator:
        return Path(text)
    if scheme.lower() == "file":
        address = urlsplit(text)
        if address.netloc in ("", "localhost"):
            return Path(unquote(address.path))
        why = f"{address.netloc} is another machine"
    else:
        why = f"{scheme}:// is not read"
    raise BenchError(f"--input {text}", why, "Give a path, file:///path or root://host//path.", Exit.CANNOT_TELL)
