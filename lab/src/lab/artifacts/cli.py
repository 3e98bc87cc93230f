"""`lab artifacts`: fill the mirror, start it, and say what is in it and where that came from."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer
from rich.table import Table

from lab import engine, paths, preflight
from lab.artifacts import golang, listing, manifest, mirror, plan, rpms, table
from lab.artifacts.build import Workshop
from lab.artifacts.manifest import Artifact
from lab.artifacts.oci import Registry
from lab.artifacts.plan import Line
from lab.artifacts.store import Store
from lab.console import console
from lab.errors import LabError
from lab.images import analysis, guest, hub, meanwhile

app = typer.Typer(
    help="Fill the mirror that nodes fetch from: downloaded where upstream can be reached, else built.",
    add_completion=False,
)
ANALYSIS, HUB = "analysis", "hub"
# Free disk that is asked for. Go keeps sources and compiled packages: 16 GB were seen after everything was built once,
# most of them there after the first builds. Files and images take 2 GB.
FIRST_BUILD_GIB, BUILD_GIB, FETCH_GIB = 17, 6, 2


@app.callback(invoke_without_command=True)
def artifacts(
    kubernetes: Annotated[str, typer.Option(help="the version that everything else is chosen for")] = table.DEFAULT,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="make this artefact alone (may be repeated), e.g. kubelet, rpm, analysis; some, like "
            "cinder-csi-plugin and kueue, are made only so"
        ),
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="make nothing: print what a mirror has to hold, and where upstream has it")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="the list as JSON")] = False,
    platform: Annotated[bool, typer.Option("--platform", help="the hub's image too, for JupyterHub")] = False,
) -> None:
    """Fill the mirror for a Kubernetes version and start it. What is there already is checked, not made again."""
    started = time.monotonic()
    if list_ or as_json:
        _list(kubernetes, only, as_json)
        return
    wanted = table.wanted(kubernetes)
    on_request = {item.name for item in wanted if item.on_request}
    names = {item.name for item in wanted} | {rpms.NAME, ANALYSIS, HUB}
    chosen = set(only or names - on_request - {HUB}) | ({HUB} if platform else set())
    _all_known(chosen, names, kubernetes)
    with plan.exclusive(mirror.root()):
        if chosen & {rpms.NAME, ANALYSIS, HUB, "docker"}:
            engine.ensure()
        if chosen & {rpms.NAME, ANALYSIS, "docker"}:
            guest.ensure()  # packages are made in it, and Docker's libraries looked for
        where = mirror.start()
        store = Store(mirror.root(), Registry(where.writer_url))
        store.sweep()
        missing = ANALYSIS in chosen and not analysis.current()
        beside = partial(meanwhile.built, ANALYSIS) if missing else nullcontext
        lines = fill(store, kubernetes, [item for item in wanted if item.name in chosen], rpms.NAME in chosen, beside)
        known = {item.sha256 for item in _known(paths.site() / "artifacts.json")}
        lines += [_image(image, known) for name, image in ((ANALYSIS, analysis), (HUB, hub)) if name in chosen]
        _write(store, [line.artifact for line in lines], complete=only is None)
    _report(lines, where, time.monotonic() - started)


def _all_known(chosen: set[str], names: set[str], kubernetes: str) -> None:
    """Refuse names that there are not, or not for this version of Kubernetes."""
    unknown = sorted(chosen - names)
    if not unknown:
        return
    others = [each for each in table.versions() if {item.name for item in table.wanted(each)}.issuperset(unknown)]
    raise LabError(
        f"--only {', '.join(unknown)}: not for Kubernetes {kubernetes}.",
        f"Add --kubernetes {' or '.join(others)}." if others else f"There are: {', '.join(sorted(names))}.",
    )


def _list(kubernetes: str, only: list[str] | None, as_json: bool) -> None:
    items = listing.needed(kubernetes, Store(mirror.root(), Registry("")))
    _all_known(set(only or ()), {item.name for item in items}, kubernetes)
    items = [item for item in items if not only or item.name in only]
    if as_json:
        print(listing.as_json(items))
    else:
        listing.show(items, console)


def fill(
    store: Store,
    kubernetes: str,
    wanted: list[table.Wanted],
    packages: bool,
    beside: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> list[Line]:
    """Make what is missing of the wanted artefacts; returns a line for each.

    Parameters
    ----------
    packages : whether the repository of RPMs is wanted too
    beside : entered while programs are compiled, which leaves network, disk and a part of the cores idle
    """
    shop = Workshop(store, kubernetes, {}, rpms.missing_in_guest)
    there = {item.key: plan.current(shop, item) for item in wanted}
    lines = [Line(found) for found in there.values() if found]
    missing = [item for item in wanted if there[item.key] is None]
    if missing:
        shop.reachable = plan.reachable(missing)
    todo = plan.steps(shop, missing)
    if packages:
        repository = rpms.current(store)
        lines += [Line(item) for item in repository]
        if not repository:
            # early: it needs the network most and the processor least
            todo.insert(
                0, plan.Step(rpms.TITLE, rpms.SECONDS, lambda show: rpms.make(store, show, shop.run), talks=True)
            )
    if todo:
        compiles = any(step.talks and step.name != rpms.TITLE for step in todo)
        free_gib = shutil.disk_usage(store.root).free / 2**30
        needed = FETCH_GIB
        if compiles:
            needed = BUILD_GIB if golang.folder().is_dir() else FIRST_BUILD_GIB
        preflight.disk([("artefacts", store.root, free_gib)], needed)
        with beside() if compiles else nullcontext():
            plan.run(todo, store.root / "durations.json", lambda *made: lines.append(Line(*made)))
    return lines


def _image(image: ModuleType, known: set[str]) -> Line:
    """One of the images that this checkout describes, made where it is not up to date."""
    started = time.monotonic()
    artifact = Artifact(**image.ensure().artifact(image.HOW))
    return Line(artifact, None if artifact.sha256 in known else time.monotonic() - started)


def _known(path: Path) -> list[Artifact]:
    try:
        return manifest.read(path)
    except LabError:
        return []


def _write(store: Store, artifacts: list[Artifact], *, complete: bool) -> None:
    """Write both manifests; what this run did not look at stays in them as it was."""
    public, own = store.root / "files/manifest.json", paths.site() / "artifacts.json"
    there = [item for item in kept(_known(public), artifacts, complete=complete) if not store.fault(item)]
    manifest.write(public, there + artifacts)
    manifest.write(own, there + artifacts)


def kept(known: list[Artifact], made: list[Artifact], *, complete: bool) -> list[Artifact]:
    """What of a manifest stays beside what was made.

    Always: what the tables name for another version of Kubernetes, which a standing cluster may still have, and the
    hub's image, which is made for the sites that have the platform. Unless the run was complete, everything else too,
    but for what was made in another version now.
    """
    tables = {item.path for version in table.versions() for item in table.wanted(version)}
    made_paths, names = {item.path for item in made}, {(item.kind, item.name) for item in made}
    packages = {item.kind for item in made} & {"rpm"}  # made together, so the older ones are gone
    return [
        item
        for item in known
        if item.path not in made_paths
        and item.kind not in packages
        and (item.path in tables or not (item.name != hub.REPOSITORY if complete else (item.kind, item.name) in names))
    ]


def _report(lines: list[Line], where: mirror.Addresses, seconds: float) -> None:
    result = Table(title="Artefacts", title_justify="left", box=None, pad_edge=False)
    for title in ("name", "version", "origin"):
        result.add_column(title, no_wrap=True)
    for title in ("seconds", "MiB"):
        result.add_column(title, justify="right")
    result.add_column("sha256", no_wrap=True)
    for kind in manifest.KINDS:
        ofkind = sorted((line for line in lines if line.artifact.kind == kind), key=lambda line: line.artifact.name)
        if ofkind:
            result.add_row(f"[bold]{listing.TITLES[kind]}")
        for line in ofkind:
            item = line.artifact
            took = "cached" if line.seconds is None else f"{line.seconds:.1f}"
            size = f"{item.bytes / 2**20:.1f}"
            result.add_row(f" {item.name}", item.version, item.origin, took, size, item.sha256[:8])
    console.print(result)
    made = sum(line.seconds is not None for line in lines)
    said = f"{made} of {len(lines)} artefacts made" if made else f"All {len(lines)} artefacts were there and are whole"
    console.print(f"{said}, in {seconds:.1f} s.\nFiles: {where.files_url}/  images: {where.registry}/", highlight=False)
