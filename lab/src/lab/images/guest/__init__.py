"""`facility-guest:rocky-8`: what a server of the lab boots."""

from __future__ import annotations

from pathlib import Path

from lab import command
from lab.console import console
from lab.images import base, docker
from lab.images.docker import Runner

TAG = "facility-guest:rocky-8"
CONTEXT = Path(__file__).parent
INPUTS = ("Dockerfile", "files/**/*")


def recipe(base_tag: str) -> str:
    """The hash over all that the image is made from."""
    return docker.digest([*docker.files(CONTEXT, INPUTS), ("base", base_tag.encode())])


def ensure(run: Runner = command.run) -> str:
    """The guest image in the engine, up to date with its recipe; returns its tag."""
    base_tag = base.ensure(run)
    wanted = recipe(base_tag)
    if docker.recipe_of(TAG, run) == wanted:
        return TAG
    docker.build(TAG, CONTEXT, wanted, title=f"image {TAG}", arguments={"BASE": base_tag}, run=run)
    console.print(f"{TAG}: {docker.size_mib(TAG, run):.0f} MiB (shaped like Rocky Linux 8.6, not Rocky)")
    return TAG
