"""Bring an input to every node, once, by its checksum."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from ..errors import BenchError
from ..facility.kube import Kube
from ..facility.pods import helpers
from ..terminal import Terminal

NODE_FOLDER = PurePosixPath("/var/lib/facility/datasets")
BLOCK_BYTES = 1 << 16

# Standard input ends with the connection, which cannot be told from a broken one: the number of bytes is given, and
# the checksum decides. The final name appears with the whole file behind it.
RECEIVE = """
set -eu
umask 022
folder=$1 name=$2 bytes=$3 sum=$4
mkdir -p "$folder"
temporary=$(mktemp "$folder/.$name.XXXXXX")
trap 'rm -f "$temporary"' EXIT
head -c "$bytes" > "$temporary"
found=$(sha256sum < "$temporary" | cut -d' ' -f1)
[ "$found" = "$sum" ] || { echo "what arrived has sha256 $found" >&2; exit 9; }
chmod 0644 "$temporary"
mv "$temporary" "$folder/$name"
"""
PRESENT = 'test -f "$1" && [ "$(sha256sum < "$1" | cut -d" " -f1)" = "$2" ]'


def node_path(path: Path, sha256: str) -> PurePosixPath:
    """Where a file lies on every node."""
    return NODE_FOLDER / sha256 / path.name


def stage(kube: Kube, nodes: Sequence[str], image: str, files: Mapping[Path, str], terminal: Terminal) -> int:
    """Copy files (with their sha256) to every node that has not got them.

    Returns
    -------
    int
        Bytes that were sent.

    Raises
    ------
    BenchError
        A node has not got the right bytes afterwards.
    """
    sent = 0
    with helpers(kube, nodes, image, "stage", str(NODE_FOLDER)) as pods:
        for node, pod in pods.items():
            for path, digest in files.items():
                target = node_path(path, digest)
                if kube.execute(pod, ["sh", "-c", PRESENT, "present", str(target), digest])[0] == 0:
                    terminal.say(f"{path.name}: on {node} already")
                    continue
                size = path.stat().st_size
                command = ["sh", "-c", RECEIVE, "receive", str(target.parent), target.name, str(size), digest]
                status, _, stderr = kube.execute(pod, command, blocks(path))
                if status != 0:
                    raise BenchError(
                        f"{path.name} did not arrive on node {node}",
                        stderr.strip() or f"the receiving command ended with status {status}",
                        "Run this again; see that the node's disk is not full.",
                    )
                terminal.say(f"{path.name}: {size:,} bytes to {node}")
                sent += size
    return sent


def blocks(path: Path) -> Generator[bytes]:
    """A file's bytes in pieces."""
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            yield block
