"""Writes docs/variables.md and the README of each role: `.venv/bin/python docs/make_variables.py`.

From terraform/variables.tf and the roles' argument specs.
"""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import hcl2
import role_specs

REPO = Path(__file__).resolve().parents[1]
SOURCE, TARGET = REPO / "terraform" / "variables.tf", REPO / "docs" / "variables.md"
OPTIONS = hcl2.SerializationOptions(with_comments=False, strip_string_quotes=True)
HEAD = """\
# Variables of a site

What may be said of a site, and what changing it later does: `inventory/<site>/terraform.tfvars` first, then, role by
role, `inventory/<site>/group_vars/`. Made from `terraform/variables.tf` and `ansible/roles/*/meta/argument_specs.yml`
by `docs/make_variables.py`; change it there. What is refused stands in [terraform.md](terraform.md) and
[roles.md](roles.md).

# terraform.tfvars
"""
ROLES_HEAD = "# group_vars\n"


def pages() -> dict[Path, str]:
    """Every page that is made, by its path."""
    made = {TARGET: "\n".join([terraform(SOURCE.read_text()), ROLES_HEAD, *map(of_role, role_specs.roles())])}
    return made | {role / "README.md": role_specs.readme(role) for role in role_specs.roles()}


def terraform(source: str) -> str:
    """The part for a variables.tf."""
    blocks = hcl2.loads(source, serialization_options=OPTIONS)["variable"]
    variables = {name: body for block in blocks for name, body in block.items()}
    return "\n".join([HEAD, *(section(name, source, body) for name, body in variables.items())])


def of_role(role: Path) -> str:
    """The part for a role."""
    return "\n".join([f"## Role {role.name}", "", *role_specs.section(role, "###")])


def section(name: str, source: str, body: dict[str, Any]) -> str:
    """Name, type, default and description of one variable."""
    default = f"default `{shown(body['default'])}`" if "default" in body else "required"
    return f"## `{name}`\n\n`{kind(name, source)}`, {default}\n\n{description(str(body['description']))}\n"


def kind(name: str, source: str) -> str:
    """The type as it is written there, in one line."""
    written = re.search(rf'^variable "{name}" {{\n  type +=(.*?)\n  [a-z]', source, re.M | re.S)
    assert written is not None, name
    line = " ".join(written[1].split())
    for wide, narrow in (("({ ", "({"), (" })", "})")):
        line = line.replace(wide, narrow)
    return re.sub(r'(?<=[)\w"}])(?= \w+ =)', ",", line)


def shown(default: Any) -> str:
    """A default as it would be written in the file."""
    return "null" if default in (None, "null") else json.dumps(default)


def description(text: str) -> str:
    """The text between the heredoc's marks; the lists in it, and what follows them, as paragraphs of their own."""
    inner = re.sub(r'^"?<<-?EOT\n|\n\s*EOT"?$', "", text.strip())
    lines: list[str] = []
    for line in textwrap.dedent(inner).splitlines():
        listed = line.startswith(("- ", "  "))
        if lines and lines[-1] and listed != lines[-1].startswith(("- ", "  ")):
            lines.append("")
        lines.append(line)
    # A name in angle brackets is no HTML.
    return "\n".join(lines).replace("<", "\\<")


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
        print(path.relative_to(REPO))
