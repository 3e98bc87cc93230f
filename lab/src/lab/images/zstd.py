"""An image of the lab's registry with its layers compressed by zstd in place of gzip.

Docker Engine pushes gzip, whose undoing was a third of the processor time that a node took to unpack the analysis
image (docs/images.md). containerd unpacks zstd since 1.5.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

from lab.artifacts.oci import OCI_MANIFEST, Registry

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+zstd"
GZIP = ("application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.oci.image.layer.v1.tar+gzip")
LEVEL, THREADS = 3, 2
BLOCK_BYTES = 1 << 20


def recompress(registry: Registry, repository: str, tag: str, known: Path) -> None:
    """Give a tag a manifest whose gzip layers are zstd ones; the engine's own layers stay, so that it pushes them once.

    Parameters
    ----------
    known : file that keeps which layer became which, so that one is compressed once
    """
    manifest = registry.manifest(repository, tag)
    if not any(item["mediaType"] in GZIP for item in manifest["layers"]):
        return
    done: dict[str, dict[str, Any]] = json.loads(known.read_text()) if known.is_file() else {}
    layers: list[dict[str, Any]] = []
    for item in manifest["layers"]:
        if item["mediaType"] not in GZIP:
            layers.append(item)
            continue
        made = done.get(item["digest"])
        if made is None or not registry.has(repository, made["digest"]):
            made = _layer(registry, repository, item["digest"])
            done[item["digest"]] = made
        layers.append(made)
    temporary = known.with_suffix(".tmp")
    temporary.write_text(json.dumps(done, indent=1))
    temporary.replace(known)
    described = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {**manifest["config"], "mediaType": CONFIG},
        "layers": layers,
    }
    registry.put(repository, tag, json.dumps(described).encode(), OCI_MANIFEST)


def _layer(registry: Registry, repository: str, digest: str) -> dict[str, Any]:
    """Compress one layer anew and upload it; its entry in a manifest."""
    with tempfile.TemporaryFile() as target:
        with registry.read(repository, digest) as source:
            compress(source, target)
        size = target.tell()
        target.seek(0)
        sha256 = hashlib.file_digest(target, "sha256").hexdigest()
        target.seek(0)
        registry.blob(repository, sha256, target, size)
    return {"mediaType": LAYER, "size": size, "digest": f"sha256:{sha256}"}


def compress(source: BinaryIO, target: BinaryIO) -> None:
    """From gzip to zstd; the same bytes give the same bytes."""
    compressor = zstandard.ZstdCompressor(level=LEVEL, threads=THREADS).compressobj()
    for block in _plain(source):
        target.write(compressor.compress(block))
    target.write(compressor.flush())


def _plain(source: BinaryIO) -> Iterator[bytes]:
    """The bytes of a gzip stream, which may have several members."""
    unzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
    while block := source.read(BLOCK_BYTES):
        while block:
            yield unzip.decompress(block)
            block = unzip.unused_data
            if unzip.eof:
                unzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
    yield unzip.flush()
