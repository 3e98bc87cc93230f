"""What is wanted for a Kubernetes version: the tables of this folder, read."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.errors import LabError

FOLDER = Path(__file__).parent
DEFAULT = "1.26.3"


@dataclass(frozen=True)
class Wanted:
    """One artefact of the tables, for one version.

    Attributes
    ----------
    kind : binary, provider or image
    path : below the mirror's root; for an image repository:tag
    sha256 : of upstream's file, or of upstream's list of platforms of the image; empty when it is not known
    entry : the table's entry, for whoever builds it
    """

    name: str
    version: str
    kind: str
    path: str
    sha256: str
    entry: Mapping[str, Any] = field(compare=False)

    @property
    def programs(self) -> tuple[str, ...]:
        """The entries of programs.toml that it is built from."""
        if "program" in self.entry:
            return (self.entry["program"],)
        return tuple(sorted({source.partition(":")[0] for source in self.entry.get("programs", {}).values()}))

    @property
    def on_request(self) -> bool:
        """Whether it is made only when it is named."""
        return bool(self.entry.get("on_request"))

    @property
    def seconds(self) -> float:
        """What it usually takes, beside its Go program."""
        return float(self.entry.get("seconds", 2))

    @property
    def key(self) -> str:
        return f"{self.kind}-{self.name}-{self.version}"


@dataclass(frozen=True)
class Program:
    """Programs that are built together from one Go module.

    Attributes
    ----------
    packages : name of the program → Go package; "*" stands for all that tools.go names
    variables : Go variables that the linker sets
    without : module, package and file importing it: what is left out of the build
    seconds : what it took with empty caches
    tags : Go's build tags
    compiler : Debian packages with the C compiler and libraries that it needs; empty for a program of Go alone
    language : module that has no go.mod → version of Go that its source is written in
    """

    name: str
    version: str
    folder: str
    packages: Mapping[str, str]
    variables: Mapping[str, str]
    without: Mapping[str, str]
    seconds: float
    tags: Sequence[str] = ()
    compiler: Sequence[str] = ()
    language: Mapping[str, str] = field(default_factory=dict[str, str])


def load(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    return tomllib.loads((folder / f"{name}.toml").read_text())


def of_version(entry: Mapping[str, Any], version: str) -> dict[str, Any]:
    """A table's entry as it is for one version: other versions' sums and ways of building do not count for it."""
    own = {name: value for name, value in entry.items() if name != "by_version"}
    own |= entry.get("by_version", {}).get(version, {})
    for name in ("sha256", "digest"):
        if name in own:
            own[name] = {key: value for key, value in own[name].items() if key == version}
    return own


def versions() -> dict[str, dict[str, str]]:
    return load("versions")


def parts(kubernetes: str) -> dict[str, str]:
    """Part → version, for a Kubernetes version.

    Raises
    ------
    LabError
        naming the versions there are
    """
    known = versions()
    if kubernetes not in known:
        raise LabError(
            f"--kubernetes {kubernetes}: the tables have no entry for this version.",
            f"There are: {', '.join(known)}. docs/artifacts.md says how one is added.",
        )
    return known[kubernetes]


def wanted(kubernetes: str) -> list[Wanted]:
    """All files and images for a Kubernetes version; packages are a repository of their own (see rpms).

    What has no version in the version's parts is not for it.
    """
    by_part = parts(kubernetes)
    result = []
    for name, every in load("binaries").items():
        if every["part"] not in by_part:
            continue
        version = by_part[every["part"]]
        entry = of_version(every, version)
        path = entry["path"].format(version=version)
        kind = entry.get("kind", "binary")
        result.append(Wanted(name, version, kind, path, entry.get("sha256", {}).get(version, ""), entry))
    for name, every in load("images").items():
        if every["part"] not in by_part:
            continue
        version = by_part[every["part"]]
        entry = of_version(every, version)
        path = f"{entry['repository']}:{entry['tag'].format(version=version)}"
        result.append(Wanted(name, version, "image", path, entry.get("digest", {}).get(version, ""), entry))
    return result


def program(name: str, kubernetes: str) -> Program:
    """How a Go program is built for a Kubernetes version."""
    every = load("programs")[name]
    version = parts(kubernetes)[every["part"]]
    entry = of_version(every, version)
    numbers = [*version.split("."), "", ""][:2]
    names = {"version": version, "major": numbers[0], "minor": numbers[1]}
    return Program(
        name,
        version,
        entry.get("folder", name).format(**names),
        entry["packages"],
        {key: value.format(**names) for key, value in entry.get("variables", {}).items()},
        entry.get("without", {}),
        float(entry["seconds"]),
        tuple(entry.get("tags", ())),
        tuple(entry.get("compiler", ())),
        entry.get("language", {}),
    )
