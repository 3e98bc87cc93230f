"""`facility-guest:rocky-8`: what a server of the lab boots."""

from __future__ import annotations

import tempfile
from pathlib import Path

from lab import command
from lab.console import console
from lab.images import base, docker
from lab.images.docker import Runner

NAME = "guest"
TAG = "facility-guest:rocky-8"
CONTEXT = Path(__file__).parent
INPUTS = ("Dockerfile", "build/*", "files/**/*")


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


def _build(wanted: str, run: Runner) -> None:
    with tempfile.TemporaryDirectory(prefix="guest-") as name:
        docker.copy_into(Path(name), *(CONTEXT / part for part in ("Dockerfile", "build", "files")))
        docker.build(TAG, Path(name), wanted, title=f"image {TAG}", arguments={"BASE": base.ensure(run)}, run=run)
    docker.save(TAG, NAME, wanted, run)
    console.print(f"{TAG}: {docker.size_mib(TAG, run):.0f} MiB (shaped like Rocky Linux 8.6, not Rocky)")
