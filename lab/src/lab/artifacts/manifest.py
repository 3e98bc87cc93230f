"""The list of what the mirror holds: written here, read by roles and by people.

Its schema: {"artifacts": [{"name", "version", "kind", "path", "sha256", "bytes", "origin", "how"}]}. `path` is the
URL's path below the mirror's root; for an image repository:tag, and `sha256` is that of its manifest.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.artifacts import files
from lab.errors import LabError

KINDS = ("binary", "image", "rpm", "provider")
ORIGINS = ("upstream", "built")


@dataclass(frozen=True)
class Artifact:
    """One thing in the mirror.

    Attributes
    ----------
    sha256 : of the file, or of the image's manifest
    bytes : of the file, or of the image's layers in the registry
    origin : "upstream" or "built"
    how : one line for people
    """

    name: str
    version: str
    kind: str
    path: str
    sha256: str
    bytes: int
    origin: str
    how: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.origin not in ORIGINS or len(self.sha256) != 64:
            raise ValueError(f"not an artefact: {self}")


def read(path: Path) -> list[Artifact]:
    """The artefacts of a manifest.

    Raises
    ------
    LabError
        when there is no such file or it is not a manifest
    """
    try:
        return [Artifact(**entry) for entry in json.loads(path.read_text())["artifacts"]]
    except FileNotFoundError as error:
        raise LabError(f"{path}: there is no artefact manifest.", "Type `lab artifacts`, which writes it.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(
            f"{path}: not an artefact manifest ({error}).", "Type `lab artifacts`, which writes it."
        ) from error


def write(path: Path, artifacts: Iterable[Artifact]) -> None:
    """Write a manifest, at once or not at all; the order is that of kinds and names."""
    ordered = sorted(artifacts, key=lambda artifact: (KINDS.index(artifact.kind), artifact.name, artifact.version))
    text = json.dumps({"artifacts": [asdict(artifact) for artifact in ordered]}, indent=1) + "\n"
    files.write(path, text.encode())
