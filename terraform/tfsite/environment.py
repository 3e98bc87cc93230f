"""The environment that Terraform runs in: whose credentials, which provider, which key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from .errors import Problem
from .site import Site

CLOUDS, CLI_CONFIG = "OS_CLIENT_CONFIG_FILE", "TF_CLI_CONFIG_FILE"


def build(site: Site, given: Mapping[str, str]) -> dict[str, str]:
    """Environment for the site, from the one this was called in."""
    env = dict(given)
    if site.clouds.is_file():
        # The site's own credentials, and no part of somebody else's.
        env = {name: value for name, value in env.items() if not name.startswith("OS_")}
        env[CLOUDS] = str(site.clouds)
    elif env.get(CLOUDS):
        env[CLOUDS] = str(Path(env[CLOUDS]).absolute())
    if site.cli_config.is_file():
        env[CLI_CONFIG] = str(site.cli_config)
    elif not Path(env.get(CLI_CONFIG, "")).is_file():
        env.pop(CLI_CONFIG, None)
    # Settings of another site's root.
    for name in ("TF_DATA_DIR", "TF_WORKSPACE"):
        env.pop(name, None)
    env.setdefault("CHECKPOINT_DISABLE", "1")
    # Provider 1.54 warns of an option at every command that this module does not set. And it sleeps for some seconds at
    # each resource: more of them at once cost nothing.
    for command, options in {
        "plan": "",
        "refresh": "",
        "apply": " -parallelism=30",
        "destroy": " -parallelism=30",
    }.items():
        env.setdefault(f"TF_CLI_ARGS_{command}", "-compact-warnings" + options)
    # A terraform.tfvars that names a key of its own has the last word.
    env["TF_VAR_ssh_public_key_file"] = str(site.key) + ".pub"
    return env


def clouds_files(env: Mapping[str, str]) -> list[Path]:
    """Where a clouds.yaml is looked for, in order."""
    if env.get(CLOUDS):
        return [Path(env[CLOUDS])]
    folders = [Path.home() / ".config" / "openstack", Path("/etc/openstack")]
    return [folder / name for folder in folders for name in ("clouds.yaml", "clouds.yml")]


def check_credentials(site: Site, cloud: str, env: Mapping[str, str]) -> None:
    """The cloud is an entry of the clouds.yaml that will be read."""
    files = clouds_files(env)
    found = next((path for path in files if path.is_file()), None)
    if found is None:
        raise Problem(
            f"There are no credentials for cloud {cloud!r} (site {site.name}): no file "
            f"{' or '.join(map(str, [site.clouds, *files[::2]]))}.",
            f"Download clouds.yaml from your cloud's dashboard to {site.shown(site.clouds)}"
            + (", or run `lab up`, which writes it." if site.name == "lab" else "."),
        )
    try:
        content = yaml.safe_load(found.read_text())
        names = sorted((content or {}).get("clouds") or {})
    except (OSError, yaml.YAMLError, AttributeError, UnicodeDecodeError) as error:
        raise Problem(f"{found} cannot be read: {str(error).splitlines()[0]}.", "Correct the file.") from None
    if cloud not in names:
        raise Problem(
            f"cloud is {cloud!r} in {site.shown(site.tfvars)}, but {found} has {', '.join(names) or 'no entry'}.",
            "Rename one of the two.",
        )
