"""What a server of the lab boots: `facility-guest:rocky-8`, and `facility-guest:rocky-9` on top of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from lab import command
from lab.console import console
from lab.images import base, docker
from lab.images.docker import Runner

NAME = "guest"
TAG = "facility-guest:rocky-8"
NEWER, NEWER_TAG = "guest-9", "facility-guest:rocky-9"
CONTEXT = Path(__file__).parent
INPUTS = ("Dockerfile", "build/*", "files/**/*")
NEWER_DOCKERFILE, RELEASE = CONTEXT / "rocky-9.Dockerfile", CONTEXT / "build/release.spec"


def recipe(base_tag: str) -> str:
    """The hash over all that the image is made from."""
    return docker.digest([*docker.files(CONTEXT, INPUTS), ("base", base_tag.encode())])


def ensure(run: Runner = command.run) -> str:
    """The guest image in the engine, up to date with its recipe; returns its tag.

    A copy in the cache serves an engine that lost its images: loading it takes a seventh of the time of building it.
    """
    wanted = recipe(base.tag())
    if docker.recipe_of(TAG, run) == wanted:
        return TAG
    with docker.alone(NAME):
        if docker.recipe_of(TAG, run) != wanted and not docker.load(TAG, NAME, wanted, run):
            _build(wanted, run)
    return TAG


def newer_recipe(base_tag: str) -> str:
    """The hash over all that the newer guest's image is made from."""
    parts = [(path.name, path.read_bytes()) for path in (NEWER_DOCKERFILE, RELEASE)]
    return docker.digest([*parts, ("guest", recipe(base_tag).encode())])


def ensure_all(run: Runner = command.run) -> list[str]:
    """Every guest image in the engine, up to date; returns their tags.

    The newer one is a layer of names on the other: it is built where it is missing, and no copy of it is kept.
    """
    ensure(run)
    wanted = newer_recipe(base.tag())
    if docker.recipe_of(NEWER_TAG, run) != wanted:
        with docker.alone(NEWER), tempfile.TemporaryDirectory(prefix="guest-") as name:
            if docker.recipe_of(NEWER_TAG, run) != wanted:
                docker.copy_into(Path(name), RELEASE)
                (Path(name) / "Dockerfile").write_bytes(NEWER_DOCKERFILE.read_bytes())
                docker.build(
                    NEWER_TAG, Path(name), wanted, title=f"image {NEWER_TAG}", arguments={"GUEST": TAG}, run=run
                )
    return [TAG, NEWER_TAG]


def _build(wanted: str, run: Runner) -> None:
    with tempfile.TemporaryDirectory(prefix="guest-") as name:
        docker.copy_into(Path(name), *(CONTEXT / part for part in ("Dockerfile", "build", "files")))
        docker.build(TAG, Path(name), wanted, title=f"image {TAG}", arguments={"BASE": base.ensure(run)}, run=run)
    docker.save(TAG, NAME, wanted, run)
    console.print(f"{TAG}: {docker.size_mib(TAG, run):.0f} MiB (shaped like Rocky Linux 8.6, not Rocky)")
