"""Programs out of Debian's packages, without installing them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from lab import command, paths
from lab.artifacts import files
from lab.errors import LabError

Runner = Callable[..., str]


def folder() -> Path:
    return paths.cache() / "debs"


def package(name: str, run: Runner = command.run) -> Path:
    """A package's file: the one in the cache, else this machine's apt fetches (and verifies) it."""
    folder().mkdir(parents=True, exist_ok=True)
    if found := sorted(folder().glob(f"{name}_*.deb")):
        return found[-1]
    work = folder() / f".{name}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    fetch = ["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3", name]
    fix = f"See whether `apt-get update` and `apt-get download {name}` work by hand; then type the same command again."
    try:
        try:
            run(fetch, cwd=work, fix=fix)
        except command.CommandFailed:
            # no package lists yet, or lists that name a version the archive has replaced
            run(["apt-get", "update", "-q"], fix=fix)
            run(fetch, cwd=work, fix=fix)
        deb = next(work.glob("*.deb"))
        target = folder() / deb.name
        files.settle(deb, target)
        return target
    finally:
        shutil.rmtree(work, ignore_errors=True)


def version(deb: Path, run: Runner = command.run) -> str:
    return run(["dpkg-deb", "--field", str(deb), "Version"]).strip()


def upstream(text: str) -> str:
    """Upstream's part of a Debian version: 5:20.10.24+dfsg1-1+deb12u1 → 20.10.24."""
    return text.partition(":")[2 if ":" in text else 0].rpartition("-")[0].partition("+")[0].partition("~")[0]


def unpack(debs: Iterable[Path], root: Path, run: Runner = command.run) -> None:
    """Put the packages' files below `root`, laid out as Debian 12 is: /bin, /lib and /sbin are links into /usr."""
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    for deb in debs:
        # tar follows the links above only when told so; dpkg-deb --extract would replace them by folders
        run(["sh", "-ec", f'dpkg-deb --fsys-tarfile "{deb}" | tar --keep-directory-symlink -xf - -C "{root}"'])


def programs(
    wanted: dict[str, str], part_version: str | None, work: Path, run: Runner = command.run
) -> list[files.Member]:
    """Archive members out of packages.

    Parameters
    ----------
    wanted : name in the archive → package:path in the package
    part_version : what upstream's version of the first package must be; None where any will do

    Raises
    ------
    LabError
        when Debian has another version
    """
    result = []
    first = part_version is not None
    for name, source in wanted.items():
        source_package, _, path = source.partition(":")
        deb = package(source_package, run)
        if first and (found := upstream(version(deb, run))) != part_version:
            raise LabError(
                f"{source_package}: Debian has version {found}, the tables want {part_version}.",
                f"Put {found} into lab/src/lab/artifacts/table/versions.toml and the profile, or remove {deb} from "
                "the cache if it is older than what your mirror has.",
            )
        first = False
        target = work / source_package
        if not target.exists():
            unpack([deb], target, run)
        result.append(files.Member(name, target / path, 0o755))
    return result
