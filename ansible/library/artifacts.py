#!/usr/bin/python
"""Files whose sha256 is right, fetched at the same time, and archives unpacked as they were packed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

DOCUMENTATION = r"""
module: artifacts
short_description: Fetches files to a node, all at the same time, and checks them against their sha256
description:
  - A file gets its final name once its sum is right; a file that is there with the right sum is not fetched again.
  - An archive is unpacked where what is in place differs from what it was when it was unpacked last.
options:
  files:
    description: Each with name, url, sha256, dest, mode, and for an archive unpack (a folder) and strip.
    type: list
    elements: dict
    required: true
  hint:
    description: What to do where a file cannot be had; added to the message.
    type: str
    default: ""
  timeout:
    description: Seconds without an answer until an address is given up.
    type: int
    default: 60
author:
  - facility-testbed
"""

EXAMPLES = r"""
- name: The program is there
  artifacts:
    files:
      - name: program 1.0
        url: http://mirror/program
        sha256: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
        dest: /usr/local/bin/program
        mode: "0755"
"""

RETURN = r"""
changed_paths:
  description: Files that were fetched, and folders that an archive was unpacked to.
  type: list
  returned: success
"""
CHUNK = 2**20


class ArtifactError(Exception):
    """A file that cannot be had, or is not what it should be."""


def sha256_of(path: Path) -> str | None:
    """Sum of a file; None where there is none."""
    total = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                total.update(chunk)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return total.hexdigest()


def put(source: BinaryIO, dest: Path, mode: int, expected: str = "") -> str:
    """Put what can be read into its place, whole, and return its sum; ArtifactError where another one is expected.

    A program that runs while it is replaced goes on with the old file.
    """
    total = hashlib.sha256()
    handle, name = tempfile.mkstemp(dir=dest.parent, prefix=".artifact-")
    try:
        with os.fdopen(handle, "wb") as out:
            while chunk := source.read(CHUNK):
                total.update(chunk)
                out.write(chunk)
            os.fchmod(handle, mode)
        if expected and total.hexdigest() != expected:
            raise ArtifactError(f"its sha256 is {total.hexdigest()}, {expected} is expected.")
        Path(name).replace(dest)
    except BaseException:
        Path(name).unlink()
        raise
    return total.hexdigest()


def note_of(file: dict) -> Path:
    """Where it is written down what an archive brought."""
    return Path(file["dest"] + ".unpacked")


def unpacked(file: dict) -> bool:
    """Is everything in place as the archive of that sum brought it?"""
    try:
        note = json.loads(note_of(file).read_text())
        if (note["sha256"], note["unpack"]) != (file["sha256"], file["unpack"]) or not note["files"]:
            return False
        return all(
            Path(name).stat().st_mode & 0o7777 == mode and sha256_of(Path(name)) == total
            for name, (mode, total) in note["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def unpack(file: dict) -> None:
    """Unpack the regular files of an archive, and write down what they are."""
    brought = {}
    with tarfile.open(file["dest"]) as archive:
        for member in archive:
            parts = [part for part in member.name.split("/") if part not in ("", ".")][file["strip"] :]
            if not parts or not member.isfile():
                continue
            if ".." in parts:
                raise ArtifactError(f"{member.name} in it leads out of {file['unpack']}.")
            path, mode = Path(file["unpack"], *parts), member.mode & 0o755
            path.parent.mkdir(parents=True, exist_ok=True)
            brought[str(path)] = (mode, put(archive.extractfile(member), path, mode))
    if not brought:
        raise ArtifactError("there is no file in it.")
    note = json.dumps({"sha256": file["sha256"], "unpack": file["unpack"], "files": brought})
    put(io.BytesIO(note.encode()), note_of(file), 0o644)


def bring(file: dict, timeout: int, doing: bool) -> list[str]:
    """Bring one file into its state; returns what was changed, or would be."""
    changed = []
    dest, mode = Path(file["dest"]), int(file["mode"], 8)
    # Of an archive what it brought counts; itself it is needed only to mend that.
    if file["unpack"] and unpacked(file):
        return []
    try:
        if sha256_of(dest) != file["sha256"]:
            changed.append(str(dest))
            if doing:
                dest.parent.mkdir(parents=True, exist_ok=True)
                answer = open_url(file["url"], timeout=timeout, http_agent="facility-testbed")
                put(answer, dest, mode, file["sha256"])
        elif dest.stat().st_mode & 0o7777 != mode:
            changed.append(str(dest))
            if doing:
                dest.chmod(mode)
        if file["unpack"]:
            changed.append(file["unpack"])
            if doing:
                unpack(file)
    except Exception as error:  # urllib, ssl, tarfile and the system have no error class in common
        text = str(error) or type(error).__name__
        raise ArtifactError(f"{file['name']}: {file['url']} was not put to {file['dest']}: {text}") from error
    return changed


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "url": {"type": "str", "required": True},
                    "sha256": {"type": "str", "required": True},
                    "dest": {"type": "path", "required": True},
                    "mode": {"type": "str", "default": "0644"},
                    "unpack": {"type": "path"},
                    "strip": {"type": "int", "default": 0},
                },
            },
            "hint": {"type": "str", "default": ""},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    timeout, doing = module.params["timeout"], not module.check_mode
    changed, wrong = [], []
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(bring, file, timeout, doing) for file in module.params["files"]]:
            error = future.exception()
            if error:
                wrong.append(str(error))
            else:
                changed += future.result()
    if wrong:
        module.fail_json(msg="\n".join([*wrong, module.params["hint"]]).strip(), changed_paths=changed)
    module.exit_json(changed=bool(changed), changed_paths=changed)


if __name__ == "__main__":
    main()
