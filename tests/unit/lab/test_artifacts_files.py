"""Manifest, archives, records: whole or not there, and the same each time."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest
from lab.artifacts import debian, estimate, files, manifest, oci, plan, rpm_build
from lab.artifacts.manifest import Artifact
from lab.artifacts.server import byte_range
from lab.artifacts.store import Record, Store
from lab.errors import LabError


def artifact(**changes: object) -> Artifact:
    base = {
        "name": "kubeadm", "version": "1.26.3", "kind": "binary", "path": "dl.k8s.io/kubeadm", "sha256": "0" * 64,
        "bytes": 3, "origin": "built", "how": "by a test",
    }  # fmt: skip
    return Artifact(**{**base, **changes})  # type: ignore[arg-type]


def test_manifest_comes_back_as_written(tmp_path: Path) -> None:
    path = tmp_path / "artifacts.json"
    entries = [artifact(), artifact(kind="image", name="etcd", path="etcd:3.5.21-0")]
    manifest.write(path, reversed(entries))
    assert manifest.read(path) == entries
    assert set(json.loads(path.read_text())["artifacts"][0]) == {
        "name", "version", "kind", "path", "sha256", "bytes", "origin", "how",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "{}", '{"artifacts": [{"name": "x"}]}'])
def test_a_manifest_that_cannot_be_read_says_what_to_do(tmp_path: Path, text: str) -> None:
    path = tmp_path / "artifacts.json"
    path.write_text(text)
    with pytest.raises(LabError, match="lab artifacts"):
        manifest.read(path)


def test_kinds_and_origins_are_the_agreed_ones() -> None:
    with pytest.raises(ValueError, match="not an artefact"):
        artifact(origin="somewhere")


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def interrupted() -> None:
        with files.whole(path) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert [item.name for item in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "old"


def test_archives_are_the_same_each_time(tmp_path: Path) -> None:
    source = tmp_path / "program"
    source.write_bytes(b"\x7fELF")
    members = [files.Member("b/program", source), files.Member("a", b"text", 0o644), files.Member("c", link="a")]
    files.tgz(tmp_path / "one.tgz", members)
    source.touch()
    files.tgz(tmp_path / "two.tgz", reversed(members))
    assert (tmp_path / "one.tgz").read_bytes() == (tmp_path / "two.tgz").read_bytes()
    with tarfile.open(tmp_path / "one.tgz") as archive:
        assert archive.getnames() == ["a", "b", "b/program", "c"]
        info = archive.getmember("b/program")
        assert (info.mode, info.uid, info.mtime) == (0o755, 0, 0)
        assert archive.getmember("c").linkname == "a"


def test_a_layer_is_a_plain_tar_file_whose_digest_is_its_sum(tmp_path: Path) -> None:
    made = oci.layer(tmp_path / "layer.tar", [files.Member("usr/local/bin/etcd", b"etcd")])
    assert made.sha256 == files.sha256(made.path)
    with tarfile.open(fileobj=io.BytesIO(made.path.read_bytes()), mode="r:") as archive:
        assert "usr/local/bin/etcd" in archive.getnames()
    described = json.loads(oci.config([made], ["/etcd"]))
    assert described["rootfs"]["diff_ids"] == [f"sha256:{made.sha256}"]
    assert described["config"]["Entrypoint"] == ["/etcd"]


def test_a_damaged_file_is_found(tmp_path: Path) -> None:
    store = Store(tmp_path, oci.Registry("http://127.0.0.1:1"))
    path = store.file("dl.k8s.io/kubeadm")
    files.write(path, b"abc")
    made = artifact(sha256=files.sha256(path))
    store.remember("binary-kubeadm-1.26.3", Record(made, "recipe"))
    found = store.record("binary-kubeadm-1.26.3")
    assert found
    assert store.fault(found.artifact) is None
    path.write_bytes(b"abd")
    assert "damaged" in str(store.fault(found.artifact))
    path.unlink()
    assert store.fault(found.artifact) == "is not there"


def test_a_registry_that_does_not_answer_has_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path, oci.Registry("http://127.0.0.1:1"))
    assert store.fault(artifact(kind="image", path="etcd:3.5.21-0")) == "is not in the registry"


def test_what_a_killed_run_left_is_swept_and_downloads_are_kept(tmp_path: Path) -> None:
    store = Store(tmp_path, oci.Registry("http://127.0.0.1:1"))
    half, download = store.file(".kubelet.77.part"), store.file(".kubelet.992d6298bd49.partial")
    for path in (half, download, tmp_path / "work/x/y"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    store.sweep()
    assert not half.exists()
    assert not (tmp_path / "work").exists()
    assert download.exists()


def test_two_runs_at_a_time_are_refused_naming_the_first(tmp_path: Path) -> None:
    with plan.exclusive(tmp_path), pytest.raises(LabError, match=f"process {os.getpid()}"), plan.exclusive(tmp_path):
        pass
    with plan.exclusive(tmp_path):
        pass


def test_the_estimate_prefers_what_was_measured_here(tmp_path: Path) -> None:
    path = tmp_path / "durations.json"
    assert estimate.read(path) == {}
    estimate.note(path, "coredns", 60)
    steps = [("coredns", 121.0), ("kubernetes", 450.0)]
    assert estimate.left(steps, estimate.read(path)) == 510
    path.write_text("{half")
    assert estimate.left(steps, estimate.read(path)) == 571


def test_the_estimate_follows_the_pace_of_this_run() -> None:
    assert estimate.pace(5, 50) == 1.0  # too little to say
    assert estimate.pace(100, 250) == 2.5
    assert estimate.pace(100, 1) == 0.1


@pytest.mark.parametrize(("seconds", "said"), [(3, "under 10 s"), (42, "about 40 s"), (510, "about 8 min")])
def test_seconds_are_said_for_people(seconds: float, said: str) -> None:
    assert estimate.spoken(seconds) == said


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-3", (0, 3)),
        ("bytes=4-", (4, 9)),
        ("bytes=-2", (8, 9)),
        ("bytes=5-99", (5, 9)),
        ("lines=1-2", None),
        ("bytes=0-1,3-4", None),
    ],
)
def test_ranges(header: str | None, expected: tuple[int, int] | None) -> None:
    assert byte_range(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=7-3"])
def test_ranges_outside_the_file_are_refused(header: str) -> None:
    with pytest.raises(ValueError, match="bytes"):
        byte_range(header, 10)


@pytest.mark.parametrize(
    ("debian_version", "upstream", "rpm"),
    [
        ("20.10.24+dfsg1-1+deb12u1+b6", "20.10.24", "20.10.24"),
        ("1:1.4.7-1+b2", "1.4.7", "1.4.7"),
        ("7.17-1", "7.17", "7.17"),
    ],
)
def test_debian_versions(debian_version: str, upstream: str, rpm: str) -> None:
    assert debian.upstream(debian_version) == upstream
    assert rpm_build.rpm_version(debian_version) == rpm


def test_spec_of_a_package(tmp_path: Path) -> None:
    root, shared = tmp_path / "root", tmp_path / "guest"
    (root / "usr/sbin").mkdir(parents=True)
    (root / "usr/lib/conntrack").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "usr/sbin/conntrack").write_bytes(b"")
    (root / "etc/conntrack.conf").write_bytes(b"")
    (shared / "usr/sbin").mkdir(parents=True)
    (shared / "usr/lib").mkdir()
    (shared / "etc").mkdir()
    listed = rpm_build.listing(root, shared)
    assert listed == ['%config(noreplace) "/etc/conntrack.conf"', '%dir "/usr/lib/conntrack"', '"/usr/sbin/conntrack"']
    fields = {"Package": "conntrack", "Version": "1:1.4.7-1", "Architecture": "amd64", "Description": "tracks\n long"}
    package = rpm_build.Package("conntrack-tools", Path("x.deb"), fields, requires=["libmnl0"])
    text = rpm_build.spec(package, "1.el8", root, listed)
    for line in ("Name: conntrack-tools", "Version: 1.4.7", "Release: 1.el8", "Requires: libmnl0", "Summary: tracks"):
        assert f"{line}\n" in text
    assert package.architecture == "x86_64"
