"""The part of a clouds.yaml that programs in the cluster get, and why it cannot be given to them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

FOLDER = "/etc/cinder"  # where the Secret is mounted
# What is theirs of an entry; the rest is for people's programs.
PASSED_ON = ("auth", "auth_type", "region_name", "interface", "endpoint_type", "identity_api_version", "verify")


def entry(path: str, cloud: str) -> dict[str, Any]:
    """The cloud's entry; ValueError, without a word of what is in it, where there is none that can be used."""
    try:
        clouds = yaml.safe_load(Path(path).read_text())["clouds"]
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, KeyError, TypeError):
        # A parser's message quotes the line, which may hold a password.
        raise ValueError(f"{path} is no clouds.yaml: it is not YAML with a mapping `clouds`") from None
    if not isinstance(clouds, Mapping) or cloud not in clouds:
        raise ValueError(
            f"{path} has no cloud {cloud or '(no name)'}; it has {', '.join(map(str, clouds or [])) or 'none'}"
        )
    found = clouds[cloud]
    if not isinstance(found, Mapping) or not (found.get("auth") or {}).get("auth_url"):
        raise ValueError(f"{path} says no auth.auth_url for cloud {cloud}")
    return dict(found)


def credential_fault(path: str, cloud: str, password_allowed: bool) -> str:
    """Why a cloud's credential is not given to the cluster; empty where it may be."""
    try:
        auth = entry(path, cloud)["auth"]
    except ValueError as error:
        return str(error)
    if not auth.get("application_credential_secret") and not password_allowed:
        return (
            f"cloud {cloud} in {path} holds a user's password, which opens all that the user may do in every project. "
            f"Make an application credential, with that user: `openstack application credential create --role member "
            f"NAME`, and put its id and secret into a file of this form"
        )
    return ""


def cluster_credentials(path: str, cloud: str) -> dict[str, str]:
    """Data of a Secret: a clouds.yaml with this cloud alone, and its authority's certificate where it names one."""
    whole = entry(path, cloud)
    passed = {key: whole[key] for key in PASSED_ON if key in whole}
    files = {}
    if whole.get("cacert"):
        files["ca.crt"] = Path(whole["cacert"]).expanduser().read_text()
        passed["cacert"] = f"{FOLDER}/ca.crt"
    files["clouds.yaml"] = yaml.safe_dump({"clouds": {cloud: passed}})
    files["cloud.conf"] = f'[Global]\nuse-clouds = true\nclouds-file = "{FOLDER}/clouds.yaml"\ncloud = "{cloud}"\n'
    return {name: base64.b64encode(text.encode()).decode() for name, text in sorted(files.items())}


class FilterModule:
    """The filters of this file, for Ansible."""

    def filters(self) -> dict[str, Any]:
        return {"credential_fault": credential_fault, "cluster_credentials": cluster_credentials}
