"""`facility/analysis:<hash>`: ROOT, Dask, the Dask operator and `bench`; scheduler, worker and client are this image.

It is built in two steps so that a change of bench costs seconds: the environment (ROOT and all Python packages), which
changes with its lock, and bench itself on top. Both are kept in the lab's registry, which a machine with an emptied
engine pulls the environment from.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import tomllib
from pathlib import Path

from lab import command, paths
from lab.console import console
from lab.errors import LabError
from lab.images import base, docker, registry
from lab.images.docker import Runner
from lab.images.registry import WRITER, Pushed

ENVIRONMENT = "facility/analysis-environment"
REPOSITORY = "facility/analysis"
ENVIRONMENT_INPUTS = ("Dockerfile", "requirements.lock", "c++", "bench", "dask.yaml")
BENCH_DOCKERFILE = "bench.Dockerfile"
BENCH_INPUTS = (BENCH_DOCKERFILE, "jupyter_server_config.py", "overrides.json")
BUILDER_LABEL = "facility.stage=builder"
INDEX_ARGUMENTS = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX")
HOW = "docker build from images/analysis and this checkout's bench"


def environment_recipe(folder: Path, base_tag: str) -> str:
    """The hash over all that the environment is made from."""
    return docker.digest([*docker.files(folder, ENVIRONMENT_INPUTS), ("base", base_tag.encode())])


def recipe(checkout: Path, environment: str) -> str:
    """The hash over the environment and bench: its sources, and its version as packages see it."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    return docker.digest(
        [
            *docker.files(checkout / "bench"),
            *docker.files(checkout / "images/analysis", BENCH_INPUTS),
            ("version", str(project["version"]).encode()),
            ("environment", environment.encode()),
        ]
    )


def ensure(run: Runner = command.run) -> Pushed:
    """The analysis image in the lab's registry, up to date with this checkout.

    The registry must answer on its writer address (the artefact mirror runs it).
    """
    if pushed := current():
        return pushed
    with docker.alone("analysis"):
        return current() or _build(paths.checkout(), run)


def current() -> Pushed | None:
    """The analysis image of this checkout as the lab's registry has it; None when it has to be built."""
    checkout = paths.checkout()
    return registry.find(REPOSITORY, recipe(checkout, _environment_recipe(checkout))[:12])


def _environment_recipe(checkout: Path) -> str:
    return environment_recipe(checkout / "images/analysis", base.tag())


def _build(checkout: Path, run: Runner) -> Pushed:
    environment_hash = _environment_recipe(checkout)
    environment = _environment(checkout, environment_hash, run)
    with tempfile.TemporaryDirectory(prefix="analysis-") as folder:
        context = Path(folder)
        wanted = _snapshot(checkout, environment_hash, context / "site", run)
        image = f"{WRITER}/{REPOSITORY}:{wanted[:12]}"
        docker.copy_into(context, *(checkout / "images/analysis" / file for file in BENCH_INPUTS))
        (context / BENCH_DOCKERFILE).rename(context / "Dockerfile")
        docker.build(image, context, wanted, title=f"image {image}", arguments={"ENVIRONMENT": environment}, run=run)
    return published(image, run)


def published(image: str, run: Runner) -> Pushed:
    """Push an image for the nodes, and say how large it is."""
    pushed = registry.publish(image, run)
    console.print(
        f"{pushed.repository}:{pushed.tag}: {docker.size_mib(image, run):.0f} MiB, "
        f"{pushed.bytes / 2**20:.0f} MiB in the registry",
        highlight=False,
    )
    return pushed


def _snapshot(checkout: Path, environment_hash: str, site: Path, run: Runner) -> str:
    """Install bench below `site`; returns the hash that is true of just these files.

    Raises
    ------
    LabError
        when somebody goes on editing bench meanwhile
    """
    for _ in range(3):
        shutil.rmtree(site, ignore_errors=True)
        wanted = recipe(checkout, environment_hash)
        _install_bench(checkout, site, run)
        if recipe(checkout, environment_hash) == wanted and _same(site / "bench", checkout / "bench"):
            return wanted
    raise LabError(
        f"{checkout}/bench changed while it was put into an image.", "Type the same command when it is at rest."
    )


def _environment(checkout: Path, recipe_hash: str, run: Runner) -> str:
    """The environment image in the engine: there already, pulled from the lab's registry, or built and pushed."""
    image = f"{WRITER}/{ENVIRONMENT}:{recipe_hash[:12]}"
    if docker.recipe_of(image, run) == recipe_hash:
        return image
    if registry.find(ENVIRONMENT, recipe_hash[:12]):
        run(["docker", "image", "pull", "--quiet", image], title=f"{ENVIRONMENT} from the lab's registry")
        return image
    folder = checkout / "images/analysis"
    with tempfile.TemporaryDirectory(prefix="analysis-") as name:
        context = Path(name)
        docker.copy_into(context, *(folder / file for file in ENVIRONMENT_INPUTS))
        shutil.copy(docker.ca_bundle(), context / "ca-bundle.crt")
        arguments = {
            "BASE": base.ensure(run),
            "UV_VERSION": uv_version(checkout),
            **docker.from_environment(INDEX_ARGUMENTS),
        }
        docker.build(image, context, recipe_hash, title=f"image {ENVIRONMENT}", arguments=arguments, run=run)
    registry.push(image, run)
    run(["docker", "image", "prune", "--force", f"--filter=label={BUILDER_LABEL}"])
    return image


def uv_version(checkout: Path) -> str:
    """The version of uv that the checkout's own environments are made with."""
    found = re.search(r"(?m)^uv==(\S+)", (checkout / "requirements.lock").read_text())
    if not found:
        raise LabError(f"{checkout}/requirements.lock names no version of uv.", "Type `make lock`.")
    return found[1]


def _install_bench(checkout: Path, site: Path, run: Runner) -> None:
    """Build bench as a wheel and install that below `site`, without what it depends on."""
    uv = checkout / ".venv/bin/uv"
    run(
        [
            str(uv),
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--refresh-package=facility-testbed",  # a wheel that uv built of an earlier state of this folder is not it
            "--target",
            str(site),
            "--python-version",
            "3.11",
            str(checkout),
        ],
        title="bench as a wheel",
        fix="See whether `make env` works; then type the same command again.",
    )
    # its script would name this machine's Python; the environment has its own
    shutil.rmtree(site / "bin", ignore_errors=True)
    for stray in (*site.glob(".lock"), *site.rglob("__pycache__"), *site.glob("*.dist-info/direct_url.json")):
        shutil.rmtree(stray) if stray.is_dir() else stray.unlink()


def _same(installed: Path, source: Path) -> bool:
    """Whether all that was installed is as in the checkout."""
    return set(docker.files(installed)) <= set(docker.files(source))
