"""Images in the lab's own registry, which nodes pull from: what is there, and what this machine pushes."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass

from lab.artifacts import mirror
from lab.artifacts.mirror import WRITER_PORT
from lab.artifacts.oci import MANIFESTS, Registry
from lab.console import step
from lab.errors import LabError
from lab.images import zstd
from lab.images.docker import Runner

WRITER = f"127.0.0.1:{WRITER_PORT}"
MANIFEST_TYPES = ", ".join(MANIFESTS)


@dataclass(frozen=True)
class Pushed:
    """An image in the lab's registry.

    Attributes
    ----------
    repository, tag : its name there, without the registry's address
    sha256 : of its manifest, hexadecimal
    bytes : what its layers take in the registry, compressed
    """

    repository: str
    tag: str
    sha256: str
    bytes: int

    def artifact(self, how: str) -> dict[str, str | int]:
        """Its entry in the artefact manifest; `how` says what it was built from."""
        return {
            "name": self.repository,
            "version": self.tag,
            "kind": "image",
            "path": f"{self.repository}:{self.tag}",
            "sha256": self.sha256,
            "bytes": self.bytes,
            "origin": "built",
            "how": how,
        }


def find(repository: str, tag: str) -> Pushed | None:
    """What the lab's registry has under this name; None when it has nothing.

    Raises
    ------
    LabError
        when the registry does not answer
    """
    url = f"http://{WRITER}/v2/{repository}/manifests/{tag}"
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, headers={"Accept": MANIFEST_TYPES}), timeout=10
        ) as reply:
            digest = reply.headers["Docker-Content-Digest"]
            layers = json.load(reply)["layers"]
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise LabError(
            f"{url}: status {error.code}", "Look into the log of the lab's registry (`lab status`)."
        ) from error
    except OSError as error:
        raise LabError(
            f"The lab's registry does not answer on {WRITER}: {error}", "Type `lab artifacts`, which starts it."
        ) from error
    return Pushed(repository, tag, digest.removeprefix("sha256:"), sum(layer["size"] for layer in layers))


def push(image: str, run: Runner) -> Pushed:
    """Push an image of the engine that is named by the registry's writer address."""
    run(["docker", "image", "push", "--quiet", image], title=f"push of {image}")
    repository, _, tag = image.removeprefix(f"{WRITER}/").rpartition(":")
    pushed = find(repository, tag)
    if not pushed:
        raise LabError(
            f"{image} was pushed, but the lab's registry does not have it.",
            f"See whether another registry answers on {WRITER}; then type the same command again.",
        )
    return pushed


def publish(image: str, run: Runner) -> Pushed:
    """Push an image for the nodes, which unpack it more quickly than the engine's own."""
    pushed = push(image, run)
    with step(f"{pushed.repository}: layers compressed anew"):
        zstd.recompress(Registry(f"http://{WRITER}"), pushed.repository, pushed.tag, mirror.root() / "zstd.json")
    return find(pushed.repository, pushed.tag) or pushed
