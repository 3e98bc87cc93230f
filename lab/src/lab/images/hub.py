"""`facility/hub:<hash>`: JupyterHub and its proxy, for sites that switch the platform on.

It is built from its two locks, Python's and npm's, and kept in the lab's registry.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from lab import command, paths
from lab.images import analysis, base, docker, registry
from lab.images.docker import Runner
from lab.images.registry import Pushed

REPOSITORY = "facility/hub"
INPUTS = ("Dockerfile", "requirements.lock", "package.json", "package-lock.json")
INDEX_ARGUMENTS = (*analysis.INDEX_ARGUMENTS, "NPM_CONFIG_REGISTRY")
HOW = "docker build from images/hub"


def recipe(folder: Path, base_tag: str) -> str:
    """The hash over all that the image is made from."""
    return docker.digest([*docker.files(folder, INPUTS), ("base", base_tag.encode())])


def ensure(run: Runner = command.run) -> Pushed:
    """The hub image in the lab's registry, up to date with this checkout.

    The registry must answer on its writer address (the artefact mirror runs it).
    """
    folder = paths.checkout() / "images/hub"
    wanted = recipe(folder, base.tag())

    def there() -> Pushed | None:
        return registry.find(REPOSITORY, wanted[:12])

    pushed = there()
    if pushed:
        return pushed
    with docker.alone("hub"):
        return there() or _build(folder, wanted, run)


def _build(folder: Path, wanted: str, run: Runner) -> Pushed:
    image = f"{registry.WRITER}/{REPOSITORY}:{wanted[:12]}"
    with tempfile.TemporaryDirectory(prefix="hub-") as name:
        context = Path(name)
        docker.copy_into(context, *(folder / file for file in INPUTS))
        shutil.copy(docker.ca_bundle(), context / "ca-bundle.crt")
        arguments = {
            "BASE": base.ensure(run),
            "UV_VERSION": analysis.uv_version(paths.checkout()),
            **docker.from_environment(INDEX_ARGUMENTS),
        }
        docker.build(image, context, wanted, title=f"image {REPOSITORY}", arguments=arguments, run=run)
    pushed = analysis.published(image, run)
    run(["docker", "image", "prune", "--force", f"--filter=label={analysis.BUILDER_LABEL}"])
    return pushed
