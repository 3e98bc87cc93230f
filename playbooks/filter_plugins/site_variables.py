"""What a site's group_vars and host_vars say, compared with what roles and playbooks understand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

ENDINGS = ("", ".yml", ".yaml", ".json")
OWN = "site_"
TEMPLATE = re.compile(r"\{[{%]")


class Loader(yaml.CSafeLoader):
    """YAML as Ansible reads it: values that are encrypted or marked unsafe are there, and not looked into."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: f"{{{{ {suffix} }}}}")


def site_faults(site: str, roles: str, others: Iterable[str], groups: Iterable[str]) -> list[str]:
    """What is wrong with the variables of a site, a sentence each; empty when nothing is.

    Parameters
    ----------
    site : folder with group_vars and host_vars
    roles : folder of the roles, whose argument specs name their variables
    others : names that the inventory and the playbooks know beside these
    groups : groups that a node may be in
    """
    options = role_options(Path(roles))
    known = sorted({*options, *others})
    possible = ["all", *groups]
    faults = []
    for path in variable_files(Path(site)):
        where = path.relative_to(site)
        group = Path(where.parts[1]).stem
        if where.parts[0] == "group_vars" and group not in possible:
            faults.append(f"{where} is for the group {group}, which no node can be in.{nearest(group, possible)}")
        text = path.read_text()
        if text.startswith("$ANSIBLE_VAULT"):
            continue
        try:
            values = yaml.load(text, Loader)
        except yaml.YAMLError as error:
            faults.append(f"{where} cannot be read: {' '.join(str(error).split())}.")
            continue
        if values is not None and not isinstance(values, Mapping):
            faults.append(f"{where} holds no variables: a line `name: value` is needed for each.")
            continue
        for name, value in (values or {}).items():
            here = f"{where} line {line_of(name, text)}"
            if name in options:
                faults += [f"{name} in {here} {fault}" for fault in value_faults(name, value, options[name])]
            elif name not in known and not str(name).startswith(OWN):
                faults.append(f"{name} in {here} is a name that nothing reads.{nearest(str(name), known)}")
    return faults


def role_options(roles: Path) -> dict[str, dict[str, Any]]:
    """Options of all entry points of all roles, by name."""
    specs = (yaml.load(path.read_text(), Loader) for path in sorted(roles.glob("*/meta/argument_specs.yml")))
    entries = (entry for spec in specs for entry in spec["argument_specs"].values())
    return {name: option for entry in entries for name, option in (entry.get("options") or {}).items()}


def variable_files(site: Path) -> Iterator[Path]:
    """Files that Ansible takes variables from, in its own order; what it passes over is left out."""
    for folder in ("group_vars", "host_vars"):
        for path in sorted((site / folder).glob("**/*")):
            hidden = any(part.startswith(".") for part in path.relative_to(site).parts)
            if path.is_file() and path.suffix in ENDINGS and not hidden and not path.name.endswith("~"):
                yield path


def line_of(name: object, text: str) -> int | str:
    """Where a variable is set; `?` where it is written in an unusual way."""
    found = re.search(rf"""^["']?{re.escape(str(name))}["']?\s*:""", text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else "?"


def nearest(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Is {close[0]} meant?" if close else ""


def value_faults(name: str, value: Any, option: Mapping[str, Any]) -> list[str]:
    """What is wrong with a value, by Ansible's own rules; a template is known only when a role reads it."""
    kind = option.get("type", "str")
    if isinstance(value, str) and TEMPLATE.search(value):
        return []
    if value is None:
        return [f"has no value; {kind} is needed. An empty one is written as {EMPTY.get(kind, 'its default')}."]
    if kind in ("str", "path") and isinstance(value, (bool, float)):
        # 1.30 is 1.3 by then, and `no` is false.
        return [f"is {value}, which YAML does not take for text: write it in quotes."]
    if kind not in ("list", "dict", "raw") and isinstance(value, (list, dict)):
        return [f"is {shown(value)}; {kind} is needed, not {'a list' if isinstance(value, list) else 'a dict'}."]
    templated = isinstance(value, (list, dict)) and TEMPLATE.search(str(value))
    keep = ("type",) if templated else ("type", "elements", "choices", "options")
    spec = {key: option[key] for key in keep if key in option}
    wrong = ArgumentSpecValidator({name: spec}).validate({name: value}).error_messages
    return [f"is {shown(value)}; {text}." for text in wrong]


EMPTY = {"str": '""', "list": "[]", "dict": "{}", "path": '""', "bool": "false"}


def shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"site_faults": site_faults}
