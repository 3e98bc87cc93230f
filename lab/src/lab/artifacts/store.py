"""What was made before: a record beside each artefact, and whether it is still what the record says."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.artifacts import files
from lab.artifacts.manifest import Artifact
from lab.artifacts.oci import Registry


@dataclass(frozen=True)
class Record:
    """An artefact that was made.

    Attributes
    ----------
    recipe : a hash over what it was made from; with another one it is made again
    """

    artifact: Artifact
    recipe: str


@dataclass(frozen=True)
class Store:
    """The mirror's folder.

    Attributes
    ----------
    root : has the folders files, registry and records
    registry : the one that can be written to
    """

    root: Path
    registry: Registry

    def file(self, artifact_path: str) -> Path:
        return self.root / "files" / artifact_path

    def record(self, key: str) -> Record | None:
        try:
            found = json.loads(self._record(key).read_text())
            return Record(Artifact(**found["artifact"]), found["recipe"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remember(self, key: str, record: Record) -> None:
        files.write(self._record(key), json.dumps(asdict(record), indent=1).encode())

    def forget(self, key: str) -> None:
        self._record(key).unlink(missing_ok=True)

    def fault(self, artifact: Artifact) -> str | None:
        """What is wrong with an artefact that was recorded; None when it is as it was made."""
        if artifact.kind == "image":
            return self._image_fault(artifact)
        path = self.file(artifact.path)
        if not path.is_file():
            return "is not there"
        if (found := files.sha256(path)) != artifact.sha256:
            return f"is damaged: sha256 {found}, the manifest says {artifact.sha256}"
        return None

    def _image_fault(self, artifact: Artifact) -> str | None:
        repository, _, tag = artifact.path.rpartition(":")
        found = self.registry.digest(repository, tag)
        if found != artifact.sha256:
            return f"has digest {found} in the registry, not {artifact.sha256}" if found else "is not in the registry"
        manifest = self.registry.manifest(repository, tag)
        for part in (manifest["config"], *manifest["layers"]):
            sha256 = part["digest"].removeprefix("sha256:")
            path = self.blob(sha256)
            if not path.is_file() or path.stat().st_size != part["size"] or files.sha256(path) != sha256:
                # pushed again, the registry would take the damaged one for the right one
                path.unlink(missing_ok=True)
                return f"has a damaged layer ({sha256[:12]})"
        return None

    def blob(self, sha256: str) -> Path:
        return self.root / "registry/docker/registry/v2/blobs/sha256" / sha256[:2] / sha256 / "data"

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for work in progress; what a killed run leaves there goes with the next `sweep`."""
        work = self.root / "work"
        work.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=work) as name:
            yield Path(name)

    def sweep(self) -> None:
        """Remove what a killed run left half-made; downloads that can be continued stay."""
        shutil.rmtree(self.root / "work", ignore_errors=True)
        for part in (self.root / "files").rglob(f".*{files.PART}"):
            part.unlink(missing_ok=True)

    def _record(self, key: str) -> Path:
        return self.root / "records" / f"{key}.json"
