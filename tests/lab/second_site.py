"""A second facility beside the standing one, made of a copy of its site."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import openstack
import yaml

if TYPE_CHECKING:
    from conftest import Site


def remove(site: Site) -> None:
    for folder in (site.inventory, site.runtime):
        shutil.rmtree(folder, ignore_errors=True)


def copied(lab: Site, name: str) -> Site:
    """The files of the site `lab` under another name; its servers are still the facility `lab`'s."""
    made = dataclasses.replace(lab, name=name)
    # A run that was killed may have left its own.
    remove(made)
    shutil.copytree(lab.inventory, made.inventory)
    made.runtime.mkdir(mode=0o700)
    for file in ("clouds.yaml", "terraformrc"):
        shutil.copy(lab.runtime / file, made.runtime / file)
    return made


def order(site: Site, network: str, nodes: str, more: str = "") -> None:
    """Write an order in which all but name, network and nodes is as in that of the site `lab`.

    Parameters
    ----------
    network : the first three numbers of its addresses
    nodes, more : lines of terraform.tfvars
    """
    text = (site.inventory.with_name("lab") / "terraform.tfvars").read_text().partition("\nnodes = {")[0]
    for old, new in (('facility = "lab"', f'facility = "{site.name}"'), ("10.77.0.", f"{network}.")):
        assert old in text
        text = text.replace(old, new)
    (site.inventory / "terraform.tfvars").write_text(f"{text}\n{more}\nnodes = {{\n{nodes}\n}}\n")


def named(lab: Site, name: str, network: str, nodes: str, more: str = "") -> Site:
    """The files of a site of its own, with an order."""
    made = copied(lab, name)
    source = made.inventory / "openstack.yml"
    text = source.read_text()
    for old, new in ((".facility/lab/", f".facility/{name}/"), ("facility: lab}", f"facility: {name}}}")):
        assert old in text
        text = text.replace(old, new)
    source.write_text(text)
    order(made, network, nodes, more)
    return made


def of_profile(lab: Site, profile: str, name: str, network: str, nodes: str) -> Site:
    """The files of a site of its own with another profile's versions, whose artefacts are there."""
    path = lab.inventory.parents[1] / "ansible" / "profiles" / f"{profile}.yml"
    version = yaml.safe_load(path.read_text())["kubernetes_version"]
    # The first time they are built: see docs/artifacts.md for the minutes.
    artifacts = lab.run("lab", "artifacts", "--kubernetes", version, timeout=3600)
    assert artifacts.returncode == 0, artifacts.stdout[-4000:]
    made = named(lab, name, network, nodes)
    shutil.copy(path, made.inventory / "group_vars" / "all" / "profile.yml")
    orders = made.inventory / "terraform.tfvars"
    orders.write_text(orders.read_text().replace('"rocky-8"', '"rocky-9"'))
    return made


def terraform(site: Site, *command: str) -> None:
    done = site.run("terraform/tf", site.name, *command, "-auto-approve", "-no-color")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr


@contextmanager
def ordered(site: Site) -> Iterator[Site]:
    """The site's servers, from their order to their end, with which its files go."""
    try:
        terraform(site, "apply")
        yield site
    finally:
        if (site.runtime / "terraform.tfstate").is_file():
            terraform(site, "destroy")
        remove(site)


def cloud(site: Site, entry: str = "lab") -> Any:
    """The cloud itself, as a client of openstacksdk."""
    source = openstack.config.OpenStackConfig(config_files=[str(site.runtime / "clouds.yaml")], load_envvars=False)
    return openstack.connection.Connection(config=source.get_one(entry))
