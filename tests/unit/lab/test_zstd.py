"""Images whose layers Docker Engine has compressed by gzip, and that nodes get compressed by zstd."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from lab.artifacts.oci import MANIFEST, OCI_MANIFEST, Registry
from lab.images import zstd
from registry_double import FakeRegistry, serve

REPOSITORY, TAG = "facility/analysis", "1"
PLAIN = (b"one layer " * 100_000, b"another")


@pytest.fixture
def registry() -> Iterator[Registry]:
    FakeRegistry.content = {}
    running, url = serve(FakeRegistry)
    yield Registry(url)
    running.shutdown()


def pushed(registry: Registry, *layers: bytes) -> None:
    """An image as the engine pushes it."""
    blobs = [gzip.compress(layer, mtime=0) for layer in layers]
    config = b"{}"
    for blob in (*blobs, config):
        registry.blob(REPOSITORY, hashlib.sha256(blob).hexdigest(), blob, len(blob))
    entries = [described(zstd.GZIP[0], blob) for blob in blobs]
    manifest = {"schemaVersion": 2, "config": described("application/json", config), "layers": entries}
    registry.put(REPOSITORY, TAG, json.dumps(manifest).encode(), MANIFEST)


def described(kind: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": kind, "size": len(blob), "digest": f"sha256:{hashlib.sha256(blob).hexdigest()}"}


def unpacked(registry: Registry) -> list[bytes]:
    """What a node finds in the layers; sums and sizes are those of the manifest."""
    found = []
    for layer in registry.manifest(REPOSITORY, TAG)["layers"]:
        assert layer["mediaType"] == zstd.LAYER
        with registry.read(REPOSITORY, layer["digest"]) as reply:
            blob = reply.read()
        assert described(zstd.LAYER, blob) == layer
        found.append(zstandard.ZstdDecompressor().decompressobj().decompress(blob))
    return found


def test_layers_are_the_same_ones_compressed_otherwise(registry: Registry, tmp_path: Path) -> None:
    pushed(registry, *PLAIN)
    zstd.recompress(registry, REPOSITORY, TAG, tmp_path / "known.json")
    assert unpacked(registry) == list(PLAIN)
    manifest = registry.manifest(REPOSITORY, TAG)
    assert (manifest["mediaType"], manifest["config"]["mediaType"]) == (OCI_MANIFEST, zstd.CONFIG)


def test_a_layer_is_compressed_once(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pushed(registry, PLAIN[0])
    zstd.recompress(registry, REPOSITORY, TAG, tmp_path / "known.json")
    done: list[object] = []
    compress = zstd.compress
    monkeypatch.setattr(zstd, "compress", lambda *both: (done.append(both), compress(*both)))
    pushed(registry, *PLAIN)
    zstd.recompress(registry, REPOSITORY, TAG, tmp_path / "known.json")
    assert len(done) == 1
    assert unpacked(registry) == list(PLAIN)


def test_a_layer_that_the_registry_has_lost_is_made_again(registry: Registry, tmp_path: Path) -> None:
    pushed(registry, PLAIN[0])
    zstd.recompress(registry, REPOSITORY, TAG, tmp_path / "known.json")
    (layer,) = registry.manifest(REPOSITORY, TAG)["layers"]
    del FakeRegistry.content[f"/v2/{REPOSITORY}/blobs/{layer['digest']}"]
    pushed(registry, PLAIN[0])
    zstd.recompress(registry, REPOSITORY, TAG, tmp_path / "known.json")
    assert unpacked(registry) == [PLAIN[0]]


def test_what_is_compressed_so_already_stays(registry: Registry, tmp_path: Path) -> None:
    pushed(registry, PLAIN[0])
    zstd.recompress(registry, REPOSITORY, TAG, tmp_path / "known.json")
    before = registry.digest(REPOSITORY, TAG)
    zstd.recompress(registry, REPOSITORY, TAG, tmp_path / "known.json")
    assert registry.digest(REPOSITORY, TAG) == before


def test_a_stream_of_several_members_is_read_to_its_end() -> None:
    target = io.BytesIO()
    zstd.compress(io.BytesIO(b"".join(gzip.compress(part) for part in PLAIN)), target)
    assert zstandard.ZstdDecompressor().decompressobj().decompress(target.getvalue()) == b"".join(PLAIN)
