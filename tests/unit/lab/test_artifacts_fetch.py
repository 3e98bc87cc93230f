"""Downloads and image copies, against a web server and a registry of this test's own."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from lab.artifacts import build, compiler, fetch, files, golang, oci, plan, server, table
from lab.artifacts.store import Store
from lab.errors import LabError
from registry_double import FakeRegistry, serve

from lab import paths


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


# --- files -------------------------------------------------------------------------------------------------------
class Quiet(server.Handler):
    asked: list[str | None]

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        Quiet.asked.append(self.headers.get("Range"))
        super().do_GET()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    root = tmp_path / "served"
    root.mkdir()
    Quiet.asked = []
    running, url = serve(partial(Quiet, directory=str(root)))
    yield root, url
    running.shutdown()


def test_a_download_is_checked_and_gets_its_name(web: tuple[Path, str], tmp_path: Path) -> None:
    root, url = web
    content = b"kubelet" * 1000
    (root / "kubelet").write_bytes(content)
    target = tmp_path / "mirror/kubelet"
    fetch.download(f"{url}/kubelet", target, hashlib.sha256(content).hexdigest())
    assert target.read_bytes() == content
    assert [path.name for path in target.parent.iterdir()] == ["kubelet"]


def test_an_interrupted_download_goes_on_where_it_stopped(web: tuple[Path, str], tmp_path: Path) -> None:
    root, url = web
    content = bytes(range(256)) * 100
    (root / "kubelet").write_bytes(content)
    wanted = hashlib.sha256(content).hexdigest()
    target = tmp_path / "kubelet"
    target.with_name(f".kubelet.{wanted[:12]}.partial").write_bytes(content[:10000])
    fetch.download(f"{url}/kubelet", target, wanted)
    assert Quiet.asked == ["bytes=10000-"]
    assert target.read_bytes() == content


def test_a_complete_part_needs_no_byte_more(web: tuple[Path, str], tmp_path: Path) -> None:
    root, url = web
    (root / "kubelet").write_bytes(b"whole")
    wanted = hashlib.sha256(b"whole").hexdigest()
    target = tmp_path / "kubelet"
    target.with_name(f".kubelet.{wanted[:12]}.partial").write_bytes(b"whole")
    fetch.download(f"{url}/kubelet", target, wanted)
    assert target.read_bytes() == b"whole"


def test_a_tampered_download_is_refused_naming_both_sums(web: tuple[Path, str], tmp_path: Path) -> None:
    root, url = web
    (root / "kubelet").write_bytes(b"tampered")
    wanted, found = hashlib.sha256(b"true").hexdigest(), hashlib.sha256(b"tampered").hexdigest()
    with pytest.raises(fetch.WrongSum) as error:
        fetch.download(f"{url}/kubelet", tmp_path / "made/kubelet", wanted)
    assert wanted in str(error.value)
    assert found in str(error.value)
    assert list((tmp_path / "made").iterdir()) == []


def test_a_file_that_is_not_there_is_an_error_with_its_address(web: tuple[Path, str], tmp_path: Path) -> None:
    _, url = web
    with pytest.raises(LabError, match=re.escape(f"{url}/kubelet")):
        fetch.download(f"{url}/kubelet", tmp_path / "kubelet", "0" * 64)


def test_what_is_being_written_and_what_leads_outside_is_not_served(web: tuple[Path, str], tmp_path: Path) -> None:
    root, url = web
    (tmp_path / "secret").write_bytes(b"s")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / ".kubelet.part").write_bytes(b"half")
    for name in ("link", ".kubelet.part", "../secret", "%2e%2e/secret"):
        with pytest.raises(LabError):
            fetch.download(f"{url}/{name}", tmp_path / "got", hashlib.sha256(b"s").hexdigest())


def test_hosts_are_asked_at_once_and_a_silent_one_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PROBE_S", 0.2)
    release = threading.Event()

    def ask(host: str) -> bool:
        if host == "silent":
            release.wait(10)
        if host == "broken":
            raise OSError
        return True

    try:
        assert fetch.probe(["silent", "there", "broken"], ask) == {"silent": False, "there": True, "broken": False}
    finally:
        release.set()


# --- images ------------------------------------------------------------------------------------------------------
@pytest.fixture
def registry() -> Iterator[tuple[oci.Registry, dict[str, tuple[bytes, str]]]]:
    FakeRegistry.content = {}
    running, url = serve(FakeRegistry)
    yield oci.Registry(url), FakeRegistry.content
    running.shutdown()


def test_an_image_is_pushed_and_pushing_it_again_gives_the_same_digest(registry: Any, tmp_path: Path) -> None:
    target, content = registry
    layer = oci.layer(tmp_path / "layer.tar", [files.Member("etcd", b"etcd")])
    configuration = oci.config([layer], ["/etcd"])
    first = target.push("etcd", "3.5", [layer], configuration)
    assert target.digest("etcd", "3.5") == first[0]
    assert first == (first[0], layer.size)
    assert f"/v2/etcd/blobs/sha256:{layer.sha256}" in content
    assert target.push("etcd", "3.5", [layer], configuration) == first
    assert target.digest("etcd", "other") is None


def test_an_image_is_copied_from_a_list_of_platforms(registry: Any, tmp_path: Path) -> None:
    target, content = registry
    layer = oci.layer(tmp_path / "layer.tar", [files.Member("pause", b"pause")])
    image, _ = target.push("upstream/pause", "3.9", [layer], oci.config([layer], ["/pause"]))
    entries = [
        {"digest": f"sha256:{'1' * 64}", "platform": {"os": "linux", "architecture": "arm64"}},
        {"digest": f"sha256:{image}", "platform": {"os": "linux", "architecture": "amd64"}},
    ]
    listed = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    digest = target.put("upstream/pause", "list", listed, oci.LISTS[1])
    upstream = oci.Upstream(f"{target.url.removeprefix('http://')}/upstream/pause", scheme="http")
    assert upstream.copy(digest, target, "pause", "3.9", tmp_path) == (image, layer.size)
    assert target.digest("pause", "3.9") == image
    # the same with a blob that somebody changed
    content[f"/v2/upstream/pause/blobs/sha256:{layer.sha256}"] = (b"changed", "")
    with pytest.raises(fetch.WrongSum, match=layer.sha256):
        upstream.copy(digest, target, "pause", "3.9", tmp_path)


# --- from upstream or built --------------------------------------------------------------------------------------
def workshop(tmp_path: Path) -> tuple[build.Workshop, table.Wanted]:
    shop = build.Workshop(Store(tmp_path, oci.Registry("http://127.0.0.1:1")), "1.26.3", {"dl.k8s.io": True}, str)
    wanted = next(wanted for wanted in table.wanted("1.26.3") if wanted.name == "kubelet")
    return shop, wanted


def test_what_upstream_has_not_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, wanted = workshop(tmp_path)

    def fail(*_: object, **__: object) -> None:
        raise LabError("status 503", "")

    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "kubelet").write_bytes(b"built")
    monkeypatch.setattr(fetch, "download", fail)
    monkeypatch.setattr(golang, "ensure", lambda *_, **__: programs)
    made = shop.make(wanted, lambda _: None)
    assert (made.origin, made.sha256) == ("built", hashlib.sha256(b"built").hexdigest())
    record = shop.store.record(wanted.key)
    assert record
    assert record.artifact == made
    assert record.recipe == shop.recipe(wanted)


def test_an_archive_of_several_programs_is_packed_after_the_last_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = build.Workshop(Store(tmp_path, oci.Registry("http://127.0.0.1:1")), "1.36.4", {}, str)
    monkeypatch.setattr(golang, "built", lambda _: False)
    names = [step.name for step in plan.steps(shop, table.wanted("1.36.4"))]
    assert len(names) == len(set(names))
    docker = names.index("docker 29.8.1")
    parts = ("docker-cli 29.8.1", "moby 29.8.1", "containerd 2.3.5", "runc 1.5.1")
    assert all(names.index(f"{part} from Go modules") < docker for part in parts)


def test_a_module_that_names_no_version_of_go_is_compiled_as_what_it_is_written_in(tmp_path: Path) -> None:
    (command,) = golang.commands(table.program("docker-cli", "1.36.4"), "go", tmp_path, tmp_path)
    flags = [word for word in command if word.startswith("-gcflags")]
    # of several a package gets the last one that fits it
    assert flags == ["-gcflags=all=-dwarf=false", "-gcflags=github.com/docker/cli/...=-dwarf=false -lang=go1.25"]


def test_parts_in_c_are_compiled_in_a_container_and_linked_statically(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, ran = table.program("runc", "1.36.4"), []

    def run(argv: list[str], **_: object) -> str:
        ran.append(argv)
        return "/goroot\n" if "GOROOT" in argv else ""

    monkeypatch.setattr(paths, "cache", lambda: tmp_path)
    monkeypatch.setattr(golang, "toolchain", lambda _: "/goroot/bin/go")
    monkeypatch.setattr(compiler.engine, "ensure", lambda: None)
    monkeypatch.setattr(compiler.base, "ensure", lambda _: "base:1")
    golang.ensure(program, "runc", run)
    words = ran[-1]
    script = words[-1]
    assert words[: words.index("docker") + 2] == ["setpriv", "--pdeathsig", "TERM", "docker", "run"]
    assert {"--env=CGO_ENABLED=1", "--env=GOPROXY=off", "--volume=/goroot:/goroot:ro"} <= set(words)
    assert f"--volume={tmp_path / 'go'}:{tmp_path / 'go'}" in words
    assert all(package in script for package in program.compiler)
    assert "-extldflags -static" in script
    # what the container is not to fetch is there before
    assert ["/goroot/bin/go", "mod", "download"] in ran[:-1]


def test_a_wrong_sum_is_never_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, wanted = workshop(tmp_path)

    def tampered(url: str, *_: object) -> None:
        raise fetch.WrongSum(url, wanted.sha256, "0" * 64)

    monkeypatch.setattr(fetch, "download", tampered)
    with pytest.raises(fetch.WrongSum, match=wanted.sha256):
        shop.make(wanted, lambda _: None)
    assert shop.store.record(wanted.key) is None
    assert not shop.store.file(wanted.path).exists()


def test_nothing_comes_from_upstream_without_a_known_sum(tmp_path: Path) -> None:
    shop, wanted = workshop(tmp_path)
    assert shop.from_upstream(wanted)
    docker = next(wanted for wanted in table.wanted("1.26.3") if wanted.name == "docker")
    shop.reachable = {"download.docker.com": True}
    assert not shop.from_upstream(docker)


def test_documents_of_a_module_are_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = build.Workshop(Store(tmp_path, oci.Registry("http://127.0.0.1:1")), "1.36.4", {}, str)
    wanted = next(item for item in table.wanted("1.36.4") if (item.name, item.kind) == ("kueue", "binary"))
    folder = tmp_path / "module/config/components/crd/bases"
    folder.mkdir(parents=True)

    def run(argv: list[str], **_: object) -> str:
        return json.dumps({"Dir": str(tmp_path / "module")}) if "list" in argv else ""

    shop.run = run
    monkeypatch.setattr(golang, "toolchain", lambda _: "go")
    with pytest.raises(LabError, match=r"sigs.k8s.io/kueue has no file config/components/crd/bases/\*.yaml"):
        shop.make(wanted, lambda _: None)
    for name in ("b", "a"):
        (folder / f"{name}.yaml").write_text(f"---\nkind: {name}\n")
    made = shop.make(wanted, lambda _: None)
    assert shop.store.file(made.path).read_text() == "kind: a\n---\nkind: b\n"
    assert made.origin == "built"
