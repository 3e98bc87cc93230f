"""The mirror as it serves the lab's nodes, and `lab artifacts` on a mirror that is full."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from lab.artifacts import files, manifest, mirror, oci

from lab import paths

pytestmark = pytest.mark.lab


def artifacts(*options: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["lab", "artifacts", *options], env=env, capture_output=True, text=True)


def listed(url: str) -> list[dict[str, str]]:
    with urllib.request.urlopen(f"{url}/manifest.json", timeout=10) as reply:
        return json.load(reply)["artifacts"]


def test_all_that_the_manifest_names_is_served(lab: dict[str, str], facility_dir: Path) -> None:
    where = mirror.addresses()
    assert listed(where.files_url) == json.loads((facility_dir / "artifacts.json").read_text())["artifacts"]
    for item in manifest.read(facility_dir / "artifacts.json"):
        if item.kind == "image":
            repository, _, tag = item.path.rpartition(":")
            url = f"http://{where.registry}/v2/{repository}/manifests/{tag}"
        else:
            url = f"{where.files_url}/{item.path}"
        accept = {"Accept": ", ".join(oci.MANIFESTS)}
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD", headers=accept), timeout=10) as reply:
            if item.kind == "image":
                assert reply.headers["Docker-Content-Digest"] == f"sha256:{item.sha256}"
            else:
                assert int(reply.headers["Content-Length"]) == item.bytes


def test_guests_cannot_write_to_the_registry(lab: dict[str, str]) -> None:
    url = f"http://{mirror.addresses().registry}/v2/etcd/blobs/uploads/"
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=10)
    assert error.value.code == 405


def test_a_second_run_makes_nothing_and_says_so(lab: dict[str, str]) -> None:
    artifacts(env=lab)
    started = time.monotonic()
    again = artifacts(env=lab)
    assert again.returncode == 0, again.stdout
    assert "were there and are whole" in again.stdout
    assert time.monotonic() - started < 10  # 2 s on an idle machine


def test_a_killed_mirror_is_started_again(lab: dict[str, str]) -> None:
    for service in mirror.services(mirror.addresses()):
        process = mirror.find(service)
        assert process, f"{service.name} does not run"
        os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while any(mirror.status().values()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(mirror.status().values())
    run = artifacts("--only", "pause", env=lab)
    assert run.returncode == 0, run.stdout
    assert all(mirror.status().values())


def test_a_damaged_file_is_found_and_made_again(lab: dict[str, str]) -> None:
    item = next(item for item in manifest.read(mirror.file_root() / "manifest.json") if item.name == "crictl")
    path = mirror.file_root() / item.path
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(b"damage")
    run = artifacts("--only", "crictl", env=lab)
    assert run.returncode == 0, run.stdout
    assert item.sha256 in run.stdout
    assert files.sha256(path) == item.sha256


def test_a_run_killed_at_work_leaves_nothing_half_made(lab: dict[str, str]) -> None:
    item = next(item for item in manifest.read(mirror.file_root() / "manifest.json") if item.name == "docker")
    path = mirror.file_root() / item.path
    path.unlink()
    run = subprocess.Popen(["lab", "artifacts", "--only", "docker"], env=lab, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(path.parent.glob(".*.part")) and time.monotonic() < deadline:
        time.sleep(0.02)
    run.kill()
    run.wait()
    assert not path.exists()
    again = artifacts("--only", "docker", env=lab)
    assert again.returncode == 0, again.stdout
    assert files.sha256(path) == item.sha256
    assert [name for name in path.parent.iterdir() if name.name.startswith(".")] == []
    assert not (paths.cache() / "mirror/work").exists() or not list((paths.cache() / "mirror/work").iterdir())
