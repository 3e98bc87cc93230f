"""Go programs with parts in C: built in a container that gets the compiler, not installed on this machine."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lab import engine
from lab.images import base, docker

CONTAINER = "facility-c-build"

Runner = Callable[..., str]


def inside(
    packages: Sequence[str],
    goroot: Path,
    cache: Path,
    module: Path,
    variables: Mapping[str, str],
    commands: Sequence[Sequence[str]],
    run: Runner,
) -> list[str]:
    """The command line that runs Go's commands in a container of the base image, with Debian's compiler.

    Parameters
    ----------
    packages : Debian's names of the compiler and the libraries
    goroot : the toolchain, a program that runs in any Debian 12
    cache : holds Go's caches, the module and what comes out; modules have been fetched before
    module : the folder to build in
    variables : Go's environment
    """
    engine.ensure()
    # one that a killed run left would go on working
    run(["docker", "rm", "--force", CONTAINER])
    own = {**variables, "CGO_ENABLED": "1", "GOPROXY": "off", "DEBIAN_FRONTEND": "noninteractive"}
    script = [
        "apt-get update -q",
        f"apt-get install -y -q --no-install-recommends {shlex.join(packages)}",
        *(shlex.join(command) for command in commands),
    ]
    return [
        *("docker", "run", "--rm", f"--name={CONTAINER}", "--network=host", f"--workdir={module}"),
        *(f"--env={name}={value}" for name, value in {**docker.from_environment(docker.PROXIES), **own}.items()),
        *(f"--volume={goroot}:{goroot}:ro", f"--volume={cache}:{cache}"),
        *(base.ensure(run), "sh", "-ec", "\n".join(script)),
    ]
