"""The shape of a variable's type: which attributes its objects have, however deep they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Each:
    """A collection: any keys, and one shape for all values."""

    of: Shape


Shape: TypeAlias = "Mapping[str, Shape] | Each | None"
"""Attributes of an object, a collection, or None for a value without parts."""

COLLECTIONS = {"map", "set", "list"}


def parse(text: str) -> Shape:
    """The shape of a type as it stands in variables.tf."""
    return shape(iter(re.findall(r'"[^"]*"|[\w.-]+|[(){}\[\],=]', text)))


def shape(tokens: Iterator[str]) -> Shape:
    """Read one type, and whatever stands behind it up to the end of its parentheses."""
    name = next(tokens)
    if name not in COLLECTIONS | {"object", "optional"}:
        return None
    next(tokens)  # (
    if name == "object":
        found: Shape = attributes(tokens)
    else:
        inner = shape(tokens)
        found = inner if name == "optional" else Each(inner)
    skip(tokens)
    return found


def attributes(tokens: Iterator[str]) -> dict[str, Shape]:
    """The attributes between { and }."""
    next(tokens)  # {
    found: dict[str, Shape] = {}
    for token in tokens:
        if token == "}":
            break
        if token != ",":
            next(tokens)  # =
            found[token] = shape(tokens)
    return found


def skip(tokens: Iterator[str]) -> None:
    """Leave the parentheses that one stands in: an optional's default may be in the way."""
    depth = 1
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token, 0)
        if depth == 0:
            return
