"""How one artefact is made: fetched from upstream where that answers and its sum is known, else built."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import command
from lab.artifacts import debian, fetch, files, golang, oci, table
from lab.artifacts.fetch import Show
from lab.artifacts.manifest import Artifact
from lab.artifacts.store import Record, Store
from lab.artifacts.table import Program, Wanted
from lab.console import console
from lab.errors import LabError

Runner = Callable[..., str]

# raised when the code of this folder makes something else from the same tables
FORMAT = 1


@dataclass
class Workshop:
    """What the making of artefacts needs.

    Attributes
    ----------
    kubernetes : the version they are for
    reachable : upstream's hosts, and whether they answer
    check_guest : tells what programs in a folder need and the guest image lacks
    """

    store: Store
    kubernetes: str
    reachable: Mapping[str, bool]
    check_guest: Callable[[Path], str]
    run: Runner = command.run

    def from_upstream(self, wanted: Wanted) -> bool:
        return bool(wanted.sha256) and self.reachable.get(upstream_host(wanted), False)

    def programs(self, wanted: Wanted) -> list[Program]:
        return [table.program(name, self.kubernetes) for name in wanted.programs]

    def recipe(self, wanted: Wanted) -> str:
        """A hash over all that an artefact is made from when it is built here."""
        parts: list[object] = [FORMAT, wanted.path, wanted.sha256, dict(wanted.entry)]
        parts += [golang.recipe(program) for program in self.programs(wanted)]
        if base := wanted.entry.get("base"):
            parts.append(table.load("layers")[base])
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def make(self, wanted: Wanted, show: Show) -> Artifact:
        """Make an artefact, put it into the mirror and record it."""
        artifact = self._fetched(wanted, show) if self.from_upstream(wanted) else None
        if artifact is None and wanted.kind == "image":
            artifact = self._built_image(wanted, show)
        elif artifact is None:
            artifact = self._file(wanted, "built", self._build(wanted, self.store.file(wanted.path), show))
        self.store.remember(wanted.key, Record(artifact, self.recipe(wanted)))
        return artifact

    def _fetched(self, wanted: Wanted, show: Show) -> Artifact | None:
        """The artefact from upstream; None when that failed other than by a wrong sum, which is never passed over."""
        try:
            if wanted.kind == "image":
                return self._copied_image(wanted, show)
            url = f"https://{wanted.path}"
            fetch.download(url, self.store.file(wanted.path), wanted.sha256, show)
            return self._file(wanted, "upstream", url)
        except fetch.WrongSum:
            raise
        except LabError as error:
            console.print(f"{error.what}\n  so it is built here", highlight=False, markup=False, soft_wrap=True)
            return None

    # --- files ---------------------------------------------------------------------------------------------------
    def _file(self, wanted: Wanted, origin: str, how: str) -> Artifact:
        path = self.store.file(wanted.path)
        if also := wanted.entry.get("also"):
            _link(path, self.store.file(also.format(version=wanted.version)))
        size = path.stat().st_size
        return Artifact(wanted.name, wanted.version, wanted.kind, wanted.path, files.sha256(path), size, origin, how)

    def _build(self, wanted: Wanted, target: Path, show: Show) -> str:
        if "debian" in wanted.entry:
            return self._repack(wanted, target, show)
        if "documents" in wanted.entry:
            return self._collect(wanted, target)
        folder, how = self._program(wanted)
        if "archive" in wanted.entry:
            names = sorted(item.name for item in folder.iterdir())
            chosen = names if wanted.entry["archive"] == ["*"] else wanted.entry["archive"]
            files.tgz(target, [files.Member(name, folder / name) for name in chosen])
        else:
            name = wanted.name
            with files.whole(target, 0o755) as part:
                shutil.copyfile(folder / name, part)
        return how

    def _repack(self, wanted: Wanted, target: Path, show: Show) -> str:
        """An archive of programs out of Debian's packages and, where the entry has them, out of Go modules."""
        packages = sorted({source.partition(":")[0] for source in wanted.entry["debian"].values()})
        show(f"Debian's {', '.join(packages)}")
        with self.store.scratch() as work:
            version = wanted.version if wanted.entry["debian_version"] else None
            members = debian.programs(wanted.entry["debian"], version, work, self.run)
            show("what the guest lacks for them")
            if missing := self.check_guest(work):
                raise LabError(
                    f"{wanted.name} {wanted.version}: Debian's programs need libraries that the guest image lacks: "
                    f"{missing}.",
                    "Add them to lab/src/lab/images/guest/Dockerfile.",
                )
            built = {program.name: self._built(program) for program in self.programs(wanted)}
            for name, source in wanted.entry.get("programs", {}).items():
                program, _, file = source.partition(":")
                members.append(files.Member(name, built[program][0] / file, 0o755))
            show("packing")
            files.tgz(target, members)
            versions = ", ".join(f"{item} {debian.version(debian.package(item), self.run)}" for item in packages)
        return "; ".join([*(how for _, how in built.values()), f"Debian's {versions}"])

    def _collect(self, wanted: Wanted, target: Path) -> str:
        """One file of the YAML documents that a Go module has."""
        module, _, pattern = wanted.entry["documents"].partition(":")
        program = self.programs(wanted)[0]
        found = golang.documents(program, module, pattern, self.run)
        files.write(target, "---\n".join(path.read_text().removeprefix("---\n") for path in found).encode())
        return f"{pattern} of Go module {module}, by {program.folder}/go.sum"

    def _program(self, wanted: Wanted) -> tuple[Path, str]:
        programs = self.programs(wanted)
        if not programs:
            raise LabError(
                f"{wanted.name} {wanted.version}: upstream cannot be used and the tables say no other way.",
                "See lab/src/lab/artifacts/table/.",
            )
        return self._built(programs[0])

    def _built(self, program: Program) -> tuple[Path, str]:
        """The folder with a Go program, and what it was made from."""
        folder = golang.ensure(program, f"{program.name} {program.version} from Go modules", self.run)
        less = f", without {program.without['package']}" if program.without else ""
        return folder, f"Go modules of {program.folder}/go.sum{less}"

    # --- images --------------------------------------------------------------------------------------------------
    def _copied_image(self, wanted: Wanted, show: Show) -> Artifact:
        repository, _, tag = wanted.path.rpartition(":")
        source = wanted.entry["upstream"]
        with self.store.scratch() as work:
            made = oci.Upstream(source).copy(wanted.sha256, self.store.registry, repository, tag, work, show)
        return _image(wanted, made, "upstream", f"{source}@sha256:{wanted.sha256}")

    def _built_image(self, wanted: Wanted, show: Show) -> Artifact:
        repository, _, tag = wanted.path.rpartition(":")
        folder, how = self._program(wanted)
        show("layers")
        with self.store.scratch() as work:
            layers = self._layers(wanted, folder, work)
            configuration = oci.config(layers, wanted.entry.get("entrypoint", []))
            made = self.store.registry.push(repository, tag, layers, configuration)
        if "base" in wanted.entry:
            how += f", and Debian's packages of layer {wanted.entry['base']}"
        return _image(wanted, made, "built", how)

    def _layers(self, wanted: Wanted, folder: Path, work: Path) -> Sequence[oci.Layer]:
        members = [files.Member(path, folder / name) for path, name in wanted.entry["files"].items()]
        own = oci.layer(work / "own.tar", members)
        base = wanted.entry.get("base")
        return [own] if not base else [base_layer(base, work, self.run), own]


def _image(wanted: Wanted, made: tuple[str, int], origin: str, how: str) -> Artifact:
    return Artifact(wanted.name, wanted.version, "image", wanted.path, made[0], made[1], origin, how)


def upstream_host(wanted: Wanted) -> str:
    return str(wanted.entry.get("upstream") or wanted.path).partition("/")[0]


def base_layer(name: str, work: Path, run: Runner) -> oci.Layer:
    """A layer of Debian's packages that several images share; the same packages make the same layer."""
    entry = table.load("layers")[name]
    root = work / "root"
    root.mkdir()
    debian.unpack([debian.package(item, run) for item in entry["debian"]], root, run)
    for path in entry["drop"]:
        shutil.rmtree(root / path, ignore_errors=True)
    for applet in entry["shell"]:
        place = root / "usr/bin" / applet
        if not place.exists():
            place.symlink_to("busybox")
    for link, target in entry["links"].items():
        (root / link).unlink(missing_ok=True)
        (root / link).symlink_to(target)
    # what programs on the node's network expect to be there
    for folder in ("etc", "run", "var/run", "tmp", "proc", "sys", "dev", "root"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    return oci.layer(work / "base.tar", files.tree(root))


def _link(path: Path, other: Path) -> None:
    """A second name for a file."""
    other.parent.mkdir(parents=True, exist_ok=True)
    with files.whole(other, path.stat().st_mode & 0o777) as part:
        part.hardlink_to(path)
