"""`lab artifacts --list`: all that the tables and the roles know of, for people and for programs."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from lab.artifacts import listing, rpms, table
from lab.artifacts.manifest import Artifact
from lab.artifacts.oci import Registry
from lab.artifacts.store import Record, Store
from rich.console import Console


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, Registry(""))


def lab(repo: Path, tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`lab artifacts` of somebody who has no mirror and no network: no proxy answers, no program is found."""
    nobody = "http://127.0.0.1:9"
    env = {
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / ".cache"),
        "PATH": "/nowhere",
        "HTTP_PROXY": nobody,
        "HTTPS_PROXY": nobody,
    }
    command = [str(repo / ".venv" / "bin" / "lab"), "artifacts", *options]
    return subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True)


@pytest.mark.parametrize("kubernetes", list(table.versions()))
def test_everything_of_the_tables_is_listed(store: Store, kubernetes: str) -> None:
    listed = {(item.kind, item.name): item for item in listing.needed(kubernetes, store)}
    for wanted in table.wanted(kubernetes):
        item = listed.pop((wanted.kind, wanted.name))
        assert (item.version, item.path, item.sha256) == (wanted.version, wanted.path, wanted.sha256)
        assert item.bytes is None
    assert listed.pop(("image", "analysis"))
    assert {name for _, name in listed} == set(table.load("rpms")["package"])


def test_images_are_the_ones_that_roles_name(repo: Path, store: Store) -> None:
    """Whatever image a role has by default is in the list, by the address that a node asks for."""
    urls = {
        item.url.rpartition(":")[0]
        for kubernetes in table.versions()
        for item in listing.needed(kubernetes, store)
        if item.kind == "image"
    }
    named = set()
    for path in (repo / "ansible/roles").glob("*/defaults/**/*.yml"):
        values = yaml.safe_load(path.read_text()) or {}
        images = [value for key, value in values.items() if re.search("_image$", key) and not value.startswith("{{")]
        named |= {value.partition(":")[0] for value in images}
    assert len(named) >= 6
    assert named <= urls


def test_sizes_are_those_of_the_mirror_on_this_machine(store: Store) -> None:
    wanted = table.wanted(table.DEFAULT)[0]
    made = Artifact(wanted.name, wanted.version, wanted.kind, wanted.path, "0" * 64, 4711, "built", "by the test")
    store.remember(wanted.key, Record(made, "recipe"))
    sizes = {item.name: item.bytes for item in listing.needed(table.DEFAULT, store)}
    assert sizes.pop(wanted.name) == 4711
    assert set(sizes.values()) == {None}
    assert rpms.recorded(store) == []


def test_the_list_needs_no_network_and_makes_nothing(repo: Path, tmp_path: Path) -> None:
    done = lab(repo, tmp_path, "--list")
    assert done.returncode == 0, done.stderr
    head, *lines = (line.split("\t") for line in done.stdout.splitlines())
    assert head == ["kind", "name", "version", "path", "sha256", "bytes", "url"]
    assert {len(line) for line in lines} == {len(head)}
    done = lab(repo, tmp_path, "--json")
    listed = json.loads(done.stdout)["artifacts"]
    assert [item["name"] for item in listed] == [line[1] for line in lines]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_the_tables_do_not_have_is_named(repo: Path, tmp_path: Path) -> None:
    for options, says in (
        (["--list", "--kubernetes", "1.2.3"], "--kubernetes 1.2.3: the tables have no entry"),
        (["--list", "--only", "kublet"], "--only kublet: not for Kubernetes 1.26.3.\nThere are: analysis, "),
        (["--list", "--only", "kueue"], "--only kueue: not for Kubernetes 1.26.3.\nAdd --kubernetes 1.36.4."),
    ):
        done = lab(repo, tmp_path, *options)
        assert done.returncode == 1
        assert says in done.stdout


def test_a_terminal_gets_a_table(store: Store) -> None:
    console = Console(force_terminal=True, width=160, no_color=True, record=True)
    listing.show(listing.needed(table.DEFAULT, store), console)
    text = console.export_text()
    assert "sha256" in text
    assert "87a1bf6603e2" in text
    assert "https://dl.k8s.io/v1.26.3/bin/linux/amd64/kubelet" in text
