"""Files that are there whole or not at all, and archives that come out the same each time."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PART = ".part"


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def whole(path: Path, mode: int = 0o644) -> Iterator[Path]:
    """A name to write to; it becomes `path` when the block ends well, on disk before it has that name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        yield part
        part.chmod(mode)
        settle(part, path)
    finally:
        part.unlink(missing_ok=True)


def settle(part: Path, path: Path) -> None:
    """Give a finished file or folder its name; after a power cut it has its content, or not the name."""
    for item in (part, *part.rglob("*")) if part.is_dir() else (part,):
        if item.is_file() and not item.is_symlink():
            _sync(item)
    part.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write(path: Path, content: bytes) -> None:
    with whole(path) as part:
        part.write_bytes(content)


# --- archives ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Member:
    """A file, folder or link of an archive.

    Attributes
    ----------
    name : its path in the archive, without a leading slash
    source : the file it is read from, or its content; None for a folder or a link
    link : where a symbolic link points
    """

    name: str
    source: Path | bytes | None = None
    mode: int = 0o755
    link: str = ""


def tree(root: Path) -> list[Member]:
    """The members of a folder; owners and times are not looked at, permissions are."""
    result = []
    for path in sorted(root.rglob("*")):
        name, mode = str(path.relative_to(root)), path.lstat().st_mode & 0o7777
        if path.is_symlink():
            result.append(Member(name, link=str(path.readlink())))
        elif path.is_dir():
            result.append(Member(name, mode=mode))
        else:
            result.append(Member(name, path, mode))
    return result


def tar(target: IO[bytes], members: Iterable[Member]) -> None:
    """Write members in the order of their names, owned by root, without times, with all folders above them."""
    wanted = {member.name.rstrip("/"): member for member in members}
    for name in list(wanted):
        for parent in Path(name).parents:
            if str(parent) != ".":
                wanted.setdefault(str(parent), Member(str(parent)))
    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in sorted(wanted):
            _add(archive, wanted[name])


def _add(archive: tarfile.TarFile, member: Member) -> None:
    info = tarfile.TarInfo(member.name)
    info.mode = member.mode
    if member.link:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, member.link, 0o777
        archive.addfile(info)
    elif member.source is None:
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    elif isinstance(member.source, bytes):
        info.size = len(member.source)
        archive.addfile(info, io.BytesIO(member.source))
    else:
        info.size = member.source.stat().st_size
        with member.source.open("rb") as file:
            archive.addfile(info, file)


def tgz(path: Path, members: Iterable[Member]) -> None:
    """Write a compressed archive, at once or not at all. Fast compression: it travels over one machine's loopback."""
    with (
        whole(path) as part,
        part.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=1) as packed,
    ):
        tar(packed, members)
