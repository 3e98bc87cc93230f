"""Names of container images, with the digests that a mirror's manifest gives them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path


def by_digest(image: str, manifest: str) -> str:
    """The image's name with its digest, where the manifest (a file, or empty) lists it.

    A manifest names images without the host of their registry. A name that has a digest already stays as it is.
    """
    if not manifest or "@" in image:
        return image
    artifacts = json.loads(Path(manifest).expanduser().read_text())["artifacts"]
    path = image.partition("/")[2]
    for artifact in artifacts:
        if artifact["kind"] == "image" and artifact["path"] == path:
            return f"{image}@sha256:{artifact['sha256'].removeprefix('sha256:')}"
    return image


class FilterModule:
    def filters(self) -> dict[str, Callable[[str, str], str]]:
        return {"by_digest": by_digest}
