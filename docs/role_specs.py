"""What a role's argument specs say, as Markdown: for docs/variables.md and for the README of each role."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parents[1] / "ansible" / "roles"
LONGEST_DEFAULT = 60
MADE = "Made from `meta/argument_specs.yml` by `docs/make_variables.py`; change it there."


def roles() -> list[Path]:
    return sorted(path.parents[1] for path in ROLES.glob("*/meta/argument_specs.yml"))


def entry_points(role: Path) -> dict[str, dict[str, Any]]:
    """The role's entry points, `main` first."""
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    return dict(sorted(specs.items(), key=lambda item: (item[0] != "main", item[0])))


def options(role: Path) -> dict[str, dict[str, Any]]:
    """Every option of the role by its name; where several entry points have it, the first one's words."""
    found: dict[str, dict[str, Any]] = {}
    for spec in entry_points(role).values():
        for name, option in spec.get("options", {}).items():
            found.setdefault(name, option)
    return found


def readme(role: Path) -> str:
    """README.md of a role."""
    specs = entry_points(role)
    lines = [f"# Role {role.name}", "", f"{specs['main']['short_description']}.", "", text(specs["main"]), ""]
    for name, spec in specs.items():
        if name != "main":
            lines += [f"`tasks_from: {name}`: {spec['short_description']}. {text(spec)}".rstrip(), ""]
    if (role / "molecule").is_dir():
        lines += [f"Tried alone on guests of its own: `make molecule ROLE={role.name}`.", ""]
    if options(role):
        lines += ["## Variables", "", MADE, "", *section(role, "###")]
    else:
        lines += [MADE, ""]
    return "\n".join(lines)


def section(role: Path, heading: str) -> Iterator[str]:
    """The role's variables, one below the other."""
    for name, option in options(role).items():
        yield from (f"{heading} `{name}`", "", f"{kind(option)}, {need(option)}", "", text(option))
        inner = option.get("options", {})
        if inner:
            yield ""
        for key, each in inner.items():
            yield f"- `{key}` ({kind(each)}, {need(each)}): {text(each)}"
        yield ""


def kind(option: Mapping[str, Any]) -> str:
    """Type and choices, as one would say them."""
    said = f"`{option.get('type', 'str')}`"
    if "elements" in option:
        said += f" of `{option['elements']}`"
    if "choices" in option:
        said += f", one of {', '.join(f'`{each}`' for each in option['choices'])}"
    return said


def need(option: Mapping[str, Any]) -> str:
    if "default" not in option:
        return "required" if option.get("required") else "no default"
    written = json.dumps(option["default"], ensure_ascii=False)
    return f"default `{written}`" if len(written) <= LONGEST_DEFAULT else "default in `defaults/main.yml`"


def text(spec: Mapping[str, Any]) -> str:
    """The description as one paragraph; a name in angle brackets is no HTML."""
    said = spec.get("description", "")
    return " ".join((said if isinstance(said, str) else " ".join(said)).split()).replace("<", "\\<")
