"""Libraries without type stubs, each through one untyped door and not before it is used."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any


@cache
def library(name: str) -> Any:
    """The module of that name: `awkward`, `uproot`, `onnxruntime`, a part of `sklearn`."""
    return importlib.import_module(name)
