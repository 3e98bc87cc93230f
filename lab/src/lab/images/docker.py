"""Docker's command line as far as images need it, and the hash that tells whether one must be built again."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lab import command, paths
from lab.console import step
from lab.errors import LabError

RECIPE_LABEL = "facility.recipe"
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
PROXIES = ("http_proxy", "https_proxy", "no_proxy")

Runner = Callable[..., str]


def digest(parts: Iterable[tuple[str, bytes]]) -> str:
    """A hash over named contents; names and boundaries count, so that moving bytes between files changes it."""
    total = hashlib.sha256()
    for name, content in sorted(parts):
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def files(folder: Path, patterns: Iterable[str] = ("**/*",)) -> list[tuple[str, bytes]]:
    """The files of a folder as parts of a digest; the mode's executable bit counts."""
    return [
        (f"{path.relative_to(folder)}{'*' if os.access(path, os.X_OK) else ''}", path.read_bytes())
        for pattern in patterns
        for path in sorted(folder.glob(pattern))
        if path.is_file() and "__pycache__" not in path.parts
    ]


def recipe_of(tag: str, run: Runner = command.run) -> str | None:
    """The recipe hash that an image was built with; None when there is no such image."""
    try:
        return run(
            ["docker", "image", "inspect", "--format", f'{{{{index .Config.Labels "{RECIPE_LABEL}"}}}}', tag]
        ).strip()
    except command.CommandFailed as error:
        if any("No such image" in line for line in error.lines):
            return None
        raise


def ca_bundle() -> Path:
    """The certificates that this machine trusts; a private authority among them is needed to fetch anything."""
    named = os.environ.get("SSL_CERT_FILE")
    path = Path(named) if named else CA_BUNDLE
    if not path.is_file():
        raise LabError(
            f"{path}: the bundle of trusted certificates is not there, so images cannot fetch their packages.",
            "Install Debian's package ca-certificates, or name a bundle in SSL_CERT_FILE.",
        )
    return path


def from_environment(names: Iterable[str]) -> dict[str, str]:
    """Those of the variables that are set."""
    return {name: os.environ[name] for name in names if os.environ.get(name)}


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Hold the lock of an image's name; who comes second waits, and then finds the image made.

    The kernel releases the lock with the process, however that ends.
    """
    folder = paths.cache() / "images"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with step(f"another process makes the {name} image; this one waits for it"):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def build(
    tag: str,
    context: Path,
    recipe: str,
    *,
    title: str,
    arguments: Mapping[str, str] | None = None,
    run: Runner = command.run,
) -> None:
    """Build an image from `context`, a scratch folder; it gets `tag` only when the whole build went well.

    The host's network is used: a machine whose resolver listens on a loopback address works too.
    """
    normalise(context)
    values = {**from_environment(PROXIES), **(arguments or {})}
    run(
        [
            "docker",
            "build",
            "--network=host",
            "--force-rm",
            f"--label={RECIPE_LABEL}={recipe}",
            f"--tag={tag}",
            *(f"--build-arg={name}={value}" for name, value in values.items()),
            str(context),
        ],
        title=title,
        # BuildKit is a program of its own that Debian's docker.io lacks
        env={"DOCKER_BUILDKIT": "0"},
        fix="The last step above names the command that failed; after mending the cause, type the same command again.",
    )


def size_mib(tag: str, run: Runner = command.run) -> float:
    return int(run(["docker", "image", "inspect", "--format", "{{.Size}}", tag])) / 2**20


def normalise(folder: Path) -> None:
    """Give files and folders the modes 0644 and 0755: what git and this user's umask made of them does not count."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def save(tag: str, name: str, recipe: str, run: Runner = command.run) -> Path:
    """Keep an image as a tarball in the cache, in the place of older ones of that name."""
    folder = paths.cache() / "images"
    folder.mkdir(parents=True, exist_ok=True)
    tarball = folder / f"{name}-{recipe[:12]}.tar"
    part = tarball.with_suffix(".part")
    run(["docker", "image", "save", "--output", str(part), tag], title=f"copy of {tag} for the cache")
    part.replace(tarball)
    for other in folder.glob(f"{name}-*"):
        if other != tarball:
            other.unlink()
    return tarball


def load(tag: str, name: str, recipe: str, run: Runner = command.run) -> bool:
    """Bring an image back from the cache; False when it is not there or is not what its name says."""
    tarball = paths.cache() / "images" / f"{name}-{recipe[:12]}.tar"
    if not tarball.exists():
        return False
    try:
        run(["docker", "image", "load", "--quiet", "--input", str(tarball)], title=f"{tag} from the cache")
    except command.CommandFailed:
        tarball.unlink()
        return False
    return recipe_of(tag, run) == recipe


def copy_into(folder: Path, *sources: Path) -> None:
    """Copy files and folders into a build context."""
    for source in sources:
        if source.is_dir():
            shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / source.name)
