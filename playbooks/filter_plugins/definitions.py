"""Definitions of resources (CRDs) out of a project's manifests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def definitions(path: str, group: str, version: str, kinds: Iterable[str]) -> list[dict[str, Any]]:
    """The definitions of some kinds of a group in one version, from a file of YAML documents.

    In one version alone nothing has to be converted, for which the project would want a webhook of its own. Their words
    of explanation, most of what they are, stay out.

    Raises
    ------
    ValueError
        The file lacks a kind, or keeps one in another version.
    """
    with Path(path).open() as file:
        documents = [each for each in yaml.load_all(file, LOADER) if each]
    found = {
        each["spec"]["names"]["kind"]: each
        for each in documents
        if each["kind"] == "CustomResourceDefinition" and each["spec"]["group"] == group
    }
    return [_narrowed(path, found.get(kind), kind, version) for kind in kinds]


def _narrowed(path: str, definition: dict[str, Any] | None, kind: str, version: str) -> dict[str, Any]:
    versions = [each for each in definition["spec"]["versions"] if each["name"] == version] if definition else []
    if definition is None or not versions or not versions[0]["storage"]:
        raise ValueError(f"{path} does not define {kind} in {version}, or keeps it in another version: is it the file?")
    spec = {key: value for key, value in definition["spec"].items() if key != "conversion"}
    return {
        "apiVersion": definition["apiVersion"],
        "kind": definition["kind"],
        "metadata": {"name": definition["metadata"]["name"]},
        "spec": spec | {"versions": _without_words(versions)},
    }


def _without_words(schema: Any) -> Any:
    """A schema without its descriptions; a property of that name stays."""
    if isinstance(schema, list):
        return [_without_words(each) for each in schema]
    if isinstance(schema, dict):
        return {
            key: _without_words(value)
            for key, value in schema.items()
            if not (key == "description" and isinstance(value, str))
        }
    return schema


class FilterModule:
    def filters(self) -> dict[str, Callable[..., list[dict[str, Any]]]]:
        return {"definitions": definitions}
