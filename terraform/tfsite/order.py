"""A terraform.tfvars, checked for what Terraform itself lets pass.

Terraform keeps the last of two keys of one name, drops attributes that a type does not have, and only warns of
variables that nobody declared; each of these orders something else than was written.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hcl2
from lark import Token, Tree
from lark.exceptions import LarkError, UnexpectedInput

from . import shape
from .errors import Problem

STRIPPED = hcl2.SerializationOptions(with_comments=False, strip_string_quotes=True)


@dataclass(frozen=True)
class Entry:
    """`key = value` somewhere in the file."""

    key: str
    line: int
    value: Tree[Token]


def read(path: Path, shown: str) -> Tree[Token]:
    """The file's syntax tree."""
    try:
        return hcl2.parses_to_tree(path.read_text())
    except UnicodeDecodeError as error:
        raise Problem(f"{shown} is no text: {error}.", "Write it again; inventory/example shows one.") from error
    except UnexpectedInput as error:
        where = f"line {error.line}, column {error.column}" if error.line > 0 else "its end"
        raise Problem(f"{shown} cannot be read: it stops making sense at {where}.", "Correct the file.") from error
    except LarkError as error:
        raise Problem(f"{shown} cannot be read: {str(error).splitlines()[0]}.", "Correct the file.") from error


def values(path: Path, shown: str) -> dict[str, Any]:
    """The variables that the file sets."""
    read(path, shown)
    loaded: dict[str, Any] = hcl2.loads(path.read_text(), serialization_options=STRIPPED)
    return loaded


def attributes(tree: Tree[Token]) -> list[Entry]:
    """The variables that a file sets, in order, repeated ones included."""
    body = next(tree.find_data("body"))
    return [entry(child, child) for child in trees(body, "attribute")]


def elements(value: Tree[Token]) -> list[Entry]:
    """The entries of a value that is an object; empty when it is none."""
    objects = trees(value, "object")
    return (
        [entry(child, next(iter(trees(child, "object_elem_key")))) for child in trees(objects[0], "object_elem")]
        if objects
        else []
    )


def entry(tree: Tree[Token], key: Tree[Token]) -> Entry:
    name = next(token for token in tokens(key) if token.strip() and token not in ('"', "=", ":"))
    terms = trees(tree, "expr_term")
    return Entry(str(name), name.line or 0, terms[-1] if terms else tree)


def trees(tree: Tree[Token], data: str) -> list[Tree[Token]]:
    """Children of that kind."""
    return [child for child in tree.children if isinstance(child, Tree) and child.data == data]


def tokens(tree: Tree[Token]) -> Iterator[Token]:
    for child in tree.children:
        if isinstance(child, Tree):
            yield from tokens(child)
        else:
            yield child


def declared(module: Path) -> dict[str, shape.Shape]:
    """The module's variables by name, each with the shape of its type."""
    text = (module / "variables.tf").read_text()
    blocks = hcl2.loads(text, serialization_options=STRIPPED)["variable"]
    return {name: shape.parse(str(body["type"]).strip("${}")) for block in blocks for name, body in block.items()}


def check(path: Path, shown: str, variables: Mapping[str, shape.Shape]) -> None:
    """Stop at the first thing that would order something else than is written."""
    given = attributes(read(path, shown))
    once(given, "variable", shown)
    for variable in given:
        known(variable, variables, "variable", shown)
        check_value(variable.value, variables[variable.key], variable.key, shown)


def check_value(value: Tree[Token], expected: shape.Shape, name: str, shown: str) -> None:
    """The keys of an object or a map, and of what is in it."""
    inner = elements(value)
    if isinstance(expected, shape.Each):
        once(inner, f"name in {name}", shown)
        for item in inner:
            check_value(item.value, expected.of, f"{name}.{item.key}", shown)
    elif expected is not None:
        once(inner, f"attribute of {name}", shown)
        for item in inner:
            known(item, expected, f"attribute of {name}", shown)
            check_value(item.value, expected[item.key], f"{name}.{item.key}", shown)


def once(entries: Iterable[Entry], kind: str, shown: str) -> None:
    """No name twice, in whatever letters: host names know no capitals."""
    seen: dict[str, Entry] = {}
    for item in entries:
        if first := seen.get(item.key.lower()):
            raise Problem(
                f"{shown}: {kind} {item.key!r} stands there twice, in lines {first.line} and {item.line}.",
                "Terraform would silently take the last one. Rename or remove one of them.",
            )
        seen[item.key.lower()] = item


def known(item: Entry, names: Iterable[str], kind: str, shown: str) -> None:
    names = sorted(names)
    if item.key not in names:
        near = difflib.get_close_matches(item.key, names, n=1)
        raise Problem(
            f"{shown}, line {item.line}: there is no {kind} {item.key!r}.",
            f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(names)}.",
        )
