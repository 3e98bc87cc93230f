#!/usr/bin/python
"""Folders and small files of a node, all in one step: each of them alone would be a way to the node and back."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: node_files
short_description: Brings folders and files with a given content to a node, root's own, in one step
description:
  - Files get their content under a temporary name first, so that one is whole or not there.
options:
  directories:
    description: Folders, made where they are missing, before the files.
    type: list
    elements: path
    default: []
  directory_mode:
    description: Mode of these folders.
    type: str
    default: "0755"
  files:
    description: Each with path, content and mode (0644 by default); a file whose content is missing (null) is removed.
    type: list
    elements: dict
    default: []
author:
  - facility-testbed
"""

EXAMPLES = r"""
- name: Settings of the service are in place
  node_files:
    directories: [/etc/service]
    files:
      - {path: /etc/service/key, content: secret, mode: "0600"}
"""

RETURN = r"""
changed_paths:
  description: Folders and files that were not as they had to be.
  type: list
  returned: success
"""


def wrong_owner_or_mode(path: Path, mode: int) -> bool:
    found = path.stat()
    return (found.st_uid, found.st_gid, found.st_mode & 0o7777) != (os.geteuid(), os.getegid(), mode)


def make_folder(path: Path, mode: int) -> None:
    path.mkdir(parents=True, exist_ok=True)
    os.chown(path, os.geteuid(), os.getegid())
    path.chmod(mode)


def there(path: Path) -> str | None:
    """Content of a file; None where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None


def write(path: Path, content: str, mode: int) -> None:
    """Put a file into its place, whole, with its mode from the beginning."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
            os.fchmod(handle, mode)
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise


def shown(path: Path, before: str | None, after: str | None, mode: int) -> dict:
    """The difference, for --diff; what the owner alone may read is kept to himself."""
    if not mode & 0o077:
        before, after = "(not shown)\n", "(not shown, but another)\n"
    return {"before_header": str(path), "after_header": str(path), "before": before or "", "after": after or ""}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "directories": {"type": "list", "elements": "path", "default": []},
            "directory_mode": {"type": "str", "default": "0755"},
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "path", "required": True},
                    "content": {"type": "str"},
                    "mode": {"type": "str", "default": "0644"},
                },
            },
        },
        supports_check_mode=True,
    )
    doing = not module.check_mode
    changed, diff = [], []
    path = Path()
    try:
        folder_mode = int(module.params["directory_mode"], 8)
        for path in map(Path, module.params["directories"]):
            if not path.is_dir() or wrong_owner_or_mode(path, folder_mode):
                changed.append(str(path))
                diff.append(shown(path, None, f"a folder of root's, {folder_mode:04o}\n", folder_mode))
                if doing:
                    make_folder(path, folder_mode)
        for file in module.params["files"]:
            path, content, mode = Path(file["path"]), file["content"], int(file["mode"], 8)
            before = there(path)
            if before == content and (before is None or not wrong_owner_or_mode(path, mode)):
                continue
            changed.append(str(path))
            diff.append(shown(path, before, content, mode))
            if doing and content is None:
                path.unlink()
            elif doing:
                write(path, content, mode)
    except OSError as error:
        module.fail_json(msg=f"{path} could not be brought into its state: {error}", changed_paths=changed)
    module.exit_json(changed=bool(changed), changed_paths=changed, diff=diff)


if __name__ == "__main__":
    main()
