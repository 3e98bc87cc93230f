"""Writes docs/variables.md from terraform/variables.tf: `.venv/bin/python docs/make_variables.py`."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import hcl2

REPO = Path(__file__).resolve().parents[1]
SOURCE, TARGET = REPO / "terraform" / "variables.tf", REPO / "docs" / "variables.md"
OPTIONS = hcl2.SerializationOptions(with_comments=False, strip_string_quotes=True)
HEAD = """\
# Variables of a site

What `inventory/<site>/terraform.tfvars` may say, and what changing it later does. Made from `terraform/variables.tf` by
`docs/make_variables.py`; change it there. [terraform.md](terraform.md) has what is refused.
"""


def page(source: str) -> str:
    """The page for a variables.tf."""
    blocks = hcl2.loads(source, serialization_options=OPTIONS)["variable"]
    variables = {name: body for block in blocks for name, body in block.items()}
    return "\n".join([HEAD, *(section(name, source, body) for name, body in variables.items())])


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
    TARGET.write_text(page(SOURCE.read_text()))
    print(TARGET.relative_to(REPO))
