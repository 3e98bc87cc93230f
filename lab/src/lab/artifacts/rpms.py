"""The dnf repository: made inside a container of the guest image, so that nothing is installed on this machine."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from lab import command
from lab.artifacts import files, rpm_build, table
from lab.artifacts.fetch import Show
from lab.artifacts.manifest import Artifact
from lab.artifacts.store import Store
from lab.errors import LabError
from lab.images import docker, guest

NAME = "rpm"
TITLE = "RPM repository"
FOLDER = "rpm"
CONTAINER = "facility-rpm-build"
SECONDS = 35.0

Runner = Callable[..., str]


def recipe() -> str:
    """A hash over what the repository is made from; the guest image counts: it says which libraries are missing."""
    total = hashlib.sha256(json.dumps(table.load("rpms"), sort_keys=True).encode())
    total.update(Path(rpm_build.__file__).read_bytes())
    total.update(str(docker.recipe_of(guest.TAG)).encode())
    return total.hexdigest()


def current(store: Store) -> list[Artifact]:
    """The packages as they were made before; none when they have to be made."""
    made, artifacts = _record(store)
    whole = (store.file(FOLDER) / "repodata/repomd.xml").is_file()
    if not whole or made != recipe() or any(store.fault(artifact) for artifact in artifacts):
        return []
    return artifacts


def recorded(store: Store) -> list[Artifact]:
    """The packages as they were made last, not looked at."""
    return _record(store)[1]


def _record(store: Store) -> tuple[str, list[Artifact]]:
    """What the packages were made from last, and which they are."""
    try:
        found = json.loads((store.root / "records/rpm.json").read_text())
        return found["recipe"], [Artifact(**entry) for entry in found["artifacts"]]
    except (OSError, ValueError, KeyError, TypeError):
        return "", []


def make(store: Store, show: Show, run: Runner = command.run) -> list[Artifact]:
    """Make the repository, put it in the place of an older one, and record it."""
    target = store.file(FOLDER)
    new, old = target.with_name(f".{FOLDER}-new"), target.with_name(f".{FOLDER}-old")
    for stale in (new, old):
        shutil.rmtree(stale, ignore_errors=True)
    (new / "out/Packages").mkdir(parents=True)
    (new / "table.json").write_text(json.dumps(table.load("rpms")))
    script = Path(rpm_build.__file__)
    # one that a killed run left would go on working
    subprocess.run(["docker", "rm", "--force", CONTAINER], capture_output=True)
    run(
        ["docker", "run", "--rm", f"--name={CONTAINER}", "--network=host", "--entrypoint=python3"]
        + [f"--env={name}={value}" for name, value in docker.from_environment(docker.PROXIES).items()]
        + [f"--volume={script}:/build.py:ro", f"--volume={new}:/made", guest.TAG]
        + ["/build.py", "/made/table.json", "/made/out"],
        title=TITLE,
        fix="The lines above say which step failed; after mending the cause, type the same command again.",
    )
    if target.exists():
        target.rename(old)
    files.settle(new / "out", target)
    for stale in (new, old):
        shutil.rmtree(stale, ignore_errors=True)
    show("sums")
    artifacts = [_artifact(path) for path in sorted(target.glob("Packages/*.rpm"))]
    record = {"recipe": recipe(), "artifacts": [asdict(artifact) for artifact in artifacts]}
    files.write(store.root / "records/rpm.json", json.dumps(record, indent=1).encode())
    return artifacts


def _artifact(path: Path) -> Artifact:
    """An RPM's entry; the file's name is name-version-release.architecture.rpm."""
    name, version, release = path.name.removesuffix(".rpm").rpartition(".")[0].rsplit("-", 2)
    return Artifact(
        name,
        f"{version}-{release}",
        "rpm",
        f"{FOLDER}/Packages/{path.name}",
        files.sha256(path),
        path.stat().st_size,
        "built",
        "Debian's package and what the guest lacks for it",
    )


def missing_in_guest(folder: Path) -> str:
    """The shared libraries that programs below a folder need and the guest image lacks; empty when there are none."""
    command_line = "find /check -type f -perm -100 -exec ldd {} + 2>/dev/null | sed -n 's/ *=> not found//p' | sort -u"
    done = subprocess.run(
        [
            "docker",
            "run",
            "--rm",
            "--network=none",
            f"--volume={folder}:/check:ro",
            guest.TAG,
            "sh",
            "-c",
            command_line,
        ],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise LabError(
            f"The guest image {guest.TAG} could not be asked for its libraries: {done.stderr.strip()}",
            "See whether `docker run --rm facility-guest:rocky-8 true` works; then type the same command again.",
        )
    return ", ".join(line.strip() for line in done.stdout.splitlines())
