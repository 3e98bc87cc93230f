"""Where this machine gets its Debian packages from: images are built from the same mirrors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

CODENAME = "bookworm"


@dataclass(frozen=True)
class Source:
    """One binary package archive.

    Attributes
    ----------
    uri : of the archive, without a closing slash
    suite : e.g. ``bookworm-updates``
    components : e.g. ``("main", "contrib")``
    """

    uri: str
    suite: str
    components: tuple[str, ...]

    @property
    def line(self) -> str:
        return f"deb {self.uri} {self.suite} main"


def parse_list(text: str) -> list[Source]:
    """Sources of a file in the one-line format."""
    found: list[Source] = []
    for line in text.splitlines():
        match = re.match(r"deb\s+(?:\[[^]]*]\s*)?(\S+)\s+(\S+)\s*(.*)", line.partition("#")[0].strip())
        if match:
            found.append(Source(match[1].rstrip("/"), match[2], tuple(match[3].split())))
    return found


def parse_deb822(text: str) -> list[Source]:
    """Sources of a file in the deb822 format (``.sources``)."""
    found: list[Source] = []
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", kept):
        fields = {
            key.lower(): value.split()
            for key, value in re.findall(r"(?m)^([A-Za-z-]+):[ \t]*(.*(?:\n[ \t]+\S.*)*)", stanza)
        }
        if "deb" not in fields.get("types", []) or fields.get("enabled", ["yes"]) == ["no"]:
            continue
        for uri in fields.get("uris", []):
            for suite in fields.get("suites", []):
                found.append(Source(uri.rstrip("/"), suite, tuple(fields.get("components", []))))
    return found


def sources(etc: Path = Path("/etc/apt")) -> list[Source]:
    """All sources of this machine, in apt's order."""
    found: list[Source] = []
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]:
        if path.suffix == ".list" and path.is_file():
            found += parse_list(path.read_text())
        elif path.suffix == ".sources" and path.is_file():
            found += parse_deb822(path.read_text())
    return found


def debian(found: Sequence[Source]) -> list[Source]:
    """The sources of Debian 12 proper, the release itself first.

    Raises
    ------
    LabError
        when the release itself is not among them
    """
    order = (CODENAME, f"{CODENAME}-updates", f"{CODENAME}-security")
    chosen = {
        source.suite: source
        for source in reversed(found)
        if source.suite in order and "main" in source.components and re.match(r"https?://", source.uri)
    }
    if CODENAME not in chosen:
        raise LabError(
            f"The apt sources of this machine (/etc/apt) name no http mirror of Debian 12 ({CODENAME}, component "
            "main), so images cannot be built.",
            f"Add a file with the line `deb <mirror> {CODENAME} main` to /etc/apt/sources.list.d/.",
        )
    return [chosen[suite] for suite in order if suite in chosen]
