"""The folder in which Terraform works for a site."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from .errors import Problem
from .site import Site

BACKEND = "backend.tf"
LOCAL_BACKEND = """\
# Written by terraform/tf. A site that keeps its state elsewhere has a backend.tf in its inventory folder.
terraform {
  backend "local" {
    path = "../terraform.tfstate"
  }
}
"""


def prepare(site: Site) -> None:
    """Make the folder, or bring it up to date: links to the module, the variables, the backend, the ssh key."""
    site.runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    site.runtime.chmod(0o700)
    site.root.mkdir(mode=0o700, exist_ok=True)
    wanted = {path.name: path for path in site.module.glob("*.tf")} | modules(site)
    # Loaded by its name: no -var-file is needed, and a command typed in this folder by hand does the same.
    wanted["terraform.tfvars"] = site.tfvars
    own_backend = site.inventory / BACKEND
    if own_backend.is_file():
        wanted[BACKEND] = own_backend
    for path in site.root.iterdir():
        if path.is_symlink() and path.name not in wanted and path.name != BACKEND:
            path.unlink()
    for name, target in wanted.items():
        link(site.root / name, Path(os.path.relpath(target, site.root)))
    if not own_backend.is_file():
        backend = site.root / BACKEND
        if backend.is_symlink() or not backend.is_file() or backend.read_text() != LOCAL_BACKEND:
            backend.unlink(missing_ok=True)
            backend.write_text(LOCAL_BACKEND)


def modules(site: Site) -> dict[str, Path]:
    """The folders of the module's own modules."""
    return {path.parent.name: path.parent for path in site.module.glob("*/main.tf")}


def link(path: Path, target: Path) -> None:
    """A symbolic link, replaced in one step where it differs."""
    if path.is_symlink() and path.readlink() == target:
        return
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(path)


def make_key(site: Site) -> None:
    """An ssh key for the site, unless it has one."""
    public = site.key.with_name(site.key.name + ".pub")
    if site.key.is_file() and public.is_file():
        return
    if not site.key.is_file():
        comment = f"facility {site.name}"
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(site.key)]
        public.unlink(missing_ok=True)
        try:
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        except FileNotFoundError:
            raise Problem("ssh-keygen is not there.", "Install OpenSSH's client (package openssh-client).") from None
        except subprocess.CalledProcessError as error:
            raise Problem(f"ssh-keygen ended with status {error.returncode}.", "See what it says above.") from None
        return
    shown = subprocess.run(["ssh-keygen", "-y", "-f", str(site.key)], capture_output=True, text=True)
    if shown.returncode:
        raise Problem(f"{site.shown(site.key)} is no ssh key: {shown.stderr.strip()}.", "Restore or remove the file.")
    public.write_text(shown.stdout)


def own_state(site: Site, facility: str) -> None:
    """Refuse a state that is another facility's: applying there would rename or rebuild all of it."""
    if not site.state.is_file():
        return
    shown = site.shown(site.state)
    try:
        state: dict[str, Any] = json.loads(site.state.read_text() or "{}")
    except json.JSONDecodeError as error:
        raise Problem(
            f"{shown} cannot be read: {error}.", f"{shown}.backup holds the state before; put it in its place."
        ) from None
    owner = owner_of(state)
    if owner is not None and owner != facility:
        raise Problem(
            f"{shown} is the state of facility {owner!r}, but facility is {facility!r} in {site.shown(site.tfvars)}.",
            f"Put {owner!r} back there and run `terraform/tf {site.name} destroy` first, or move the state away.",
        )


def owner_of(state: dict[str, Any]) -> str | None:
    """The facility whose state it is; None when the state holds nothing."""
    networks = [
        instance.get("attributes", {}).get("name")
        for resource in state.get("resources", [])
        if resource.get("mode") == "managed" and resource.get("type") == "openstack_networking_network_v2"
        for instance in resource.get("instances", [])
    ]
    if networks:
        return str(networks[0])
    owner = state.get("outputs", {}).get("facility", {}).get("value")
    return str(owner) if owner is not None and state.get("resources") else None


def initialised(site: Site) -> bool:
    """Were the providers set up, and are they still there (a lab's mirror may have gone)? And the modules?"""
    data = site.root / ".terraform"
    listed = data / "modules" / "modules.json"
    known = json.loads(listed.read_text())["Modules"] if listed.is_file() else []
    return {module["Key"] for module in known}.issuperset(modules(site)) and any(
        path.is_file() for path in (data / "providers").rglob("terraform-provider-*")
    )
