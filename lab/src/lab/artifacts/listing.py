"""What a site's mirror has to hold for a Kubernetes version, from the tables alone: no network, nothing is built."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from lab.artifacts import rpms, table
from lab.artifacts.manifest import Artifact
from lab.artifacts.store import Store

TITLES = {"binary": "files", "image": "images", "rpm": "packages", "provider": "Terraform's provider"}
# Registry of an image by the first folder of its repository; Kubernetes' own registry has the others.
REGISTRIES = {"cloudnativelabs": "docker.io", "flannel": "docker.io", "rancher": "docker.io", "prometheus": "quay.io"}
KUBERNETES_REGISTRY = "registry.k8s.io"


@dataclass(frozen=True)
class Needed:
    """One thing that a mirror has to hold.

    Attributes
    ----------
    path : below the mirror's root; of an image repository:tag in its registry
    sha256 : of upstream's file, or of upstream's list of platforms of an image; empty where none was published
    url : where upstream has it; for an image what nodes ask for; empty where the site makes it or picks its own
    bytes : of the copy in this machine's mirror, which may have been built here; None where it has none
    """

    kind: str
    name: str
    version: str
    path: str
    sha256: str
    url: str
    bytes: int | None


def needed(kubernetes: str, store: Store) -> list[Needed]:
    """Everything for a Kubernetes version, in the order of kinds and of the tables."""
    result = [_of_table(item, store) for item in table.wanted(kubernetes)]
    result.append(Needed("image", "analysis", "", "facility/analysis", "", "", None))
    made = {item.name: item for item in rpms.recorded(store)}
    result += [_package(name, made.get(name)) for name in table.load("rpms")["package"]]
    return sorted(result, key=lambda item: list(TITLES).index(item.kind))


def _of_table(item: table.Wanted, store: Store) -> Needed:
    record = store.record(item.key)
    url = f"https://{item.path}"
    if item.kind == "image":
        url = f"{REGISTRIES.get(item.path.partition('/')[0], KUBERNETES_REGISTRY)}/{item.path}"
    elif item.kind == "provider":
        url = f"https://{item.path.split('/')[1]}/providers/{'/'.join(item.path.split('/')[2:4])}"
    size = record.artifact.bytes if record else None
    return Needed(item.kind, item.name, item.version, item.path, item.sha256, url, size)


def _package(name: str, made: Artifact | None) -> Needed:
    """A package; which version and file it is the site's distribution says."""
    return Needed("rpm", name, "", f"{rpms.FOLDER}/", "", "", made.bytes if made else None)


def as_json(items: list[Needed]) -> str:
    return json.dumps({"artifacts": [asdict(item) for item in items]}, indent=1)


def show(items: list[Needed], console: Console) -> None:
    """A table on a terminal, with sums shortened; elsewhere lines with tabs between words, and nothing left out."""
    if not console.is_terminal:
        columns = ("kind", "name", "version", "path", "sha256", "bytes", "url")
        print("\t".join(columns))
        for item in items:
            print("\t".join(_word(getattr(item, column)) for column in columns))
        return
    result = Table(box=None, pad_edge=False)
    for title in ("name", "version"):
        result.add_column(title, no_wrap=True)
    result.add_column("MiB", justify="right")
    result.add_column("sha256", no_wrap=True)
    result.add_column("upstream", overflow="fold")
    for kind, title in TITLES.items():
        result.add_row(f"[bold]{title}")
        for item in items:
            if item.kind == kind:
                size = "-" if item.bytes is None else f"{item.bytes / 2**20:.1f}"
                result.add_row(f" {item.name}", item.version, size, item.sha256[:12] or "-", item.url or "-")
    console.print(result, highlight=False)


def _word(value: object) -> str:
    return "-" if value in ("", None) else str(value)
