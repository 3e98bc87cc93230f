"""Cuts of the 4-body stop analysis, from a YAML file that says where each comes from.

A cut is a comparison of columns and numbers with arithmetic, joined by && and ||: what is valid C++ and, with `and`
and `or` in their places, valid Python. It is read as Python to be checked before ROOT compiles it; what the two
languages understand differently is refused.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ..errors import BenchError, Exit
from .columns import nearest

FOLDER = Path(__file__).parent / "cuts"
DEFAULT = "139ifb"
NEXT_STEP = "Mend the file; bench/workloads/cuts has two that work."

ALLOWED = (
    ast.Expression,
    ast.BoolOp, ast.And, ast.Or,
    ast.Compare, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq,
    ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div,
    ast.UnaryOp, ast.USub,
    ast.Name, ast.Load, ast.Constant,
)  # fmt: skip

# What is a number, and the same one, in both languages: Python's 1_000 is none in C++, and 1j is no number for cuts.
NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

# Names of regions begin the names of histograms, up to a slash.
Region = Annotated[str, StringConstraints(pattern=r"^\w+$")]


class Cut(BaseModel):
    """A condition on an event (momenta, masses and energies in GeV) and where it comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cut: str
    source: str


class Cuts(BaseModel):
    """A preselection and the signal regions behind it.

    `provenance` is `verified` where the numbers were read in the source, `unverified` where they were not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    source: str
    provenance: str
    preselection: tuple[Cut, ...]
    regions: Annotated[dict[Region, tuple[Cut, ...]], Field(min_length=1)]
    file: str = ""

    def check(self, columns: Iterable[str]) -> None:
        """See that every cut can be read and names columns that there are.

        Raises
        ------
        BenchError
            The first that does not, with its place.
        """
        known = set(columns)
        for place, cuts in {"preselection": self.preselection, **self._named()}.items():
            for number, each in enumerate(cuts):
                _check(f"{self.file}: {place}[{number}]: {each.cut!r}", each.cut, known)

    def _named(self) -> dict[str, tuple[Cut, ...]]:
        return {f"regions.{name}": cuts for name, cuts in self.regions.items()}


def expression(cuts: Iterable[Cut]) -> str:
    """All cuts as one C++ condition."""
    return " && ".join(f"({each.cut})" for each in cuts) or "true"


def read_cuts(name: str) -> Cuts:
    """The cuts of a file, or one of the sets that come along, by its name.

    Raises
    ------
    BenchError
        There is no such file, or it is not YAML, or not a set of cuts.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    if not path.is_file():
        sets = ", ".join(sorted(each.stem for each in FOLDER.glob("*.yaml")))
        raise BenchError(f"--cuts {name}", "there is no such file or set of cuts", f"Sets: {sets}.", Exit.CANNOT_TELL)
    try:
        return Cuts.model_validate({**yaml.safe_load(path.read_text()), "file": path.name})
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise BenchError(place, f"no YAML: {error.problem}", NEXT_STEP, Exit.CANNOT_TELL) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(each) for each in first["loc"])
        raise BenchError(f"{path}: {place}", first["msg"], NEXT_STEP, Exit.CANNOT_TELL) from error
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        # No text, a date that there is not, lists without end.
        raise BenchError(str(path), "it is no set of cuts", NEXT_STEP, Exit.CANNOT_TELL) from error


@cache
def default_cuts() -> Cuts:
    """The cuts of the 139 fb⁻¹ search."""
    return read_cuts(DEFAULT)


def _check(place: str, cut: str, known: set[str]) -> None:
    text = cut.replace("&&", " and ").replace("||", " or ").strip()
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError as error:
        raise BenchError(place, f"it cannot be read: {error.msg}", NEXT_STEP, Exit.CANNOT_TELL) from error
    if "#" in text:
        raise BenchError(place, "a comment is not for cuts", "Put it after the braces.", Exit.CANNOT_TELL)
    for node in ast.walk(tree):
        if not isinstance(node, ALLOWED):
            raise BenchError(
                place,
                f"{type(node).__name__} is not for cuts",
                "Compare columns and numbers, joined by && and ||.",
                Exit.CANNOT_TELL,
            )
        if isinstance(node, ast.Compare) and len(node.ops) > 1:
            # In C++ the second comparison is with the truth of the first: 12 < x < 20 holds for every x.
            raise BenchError(
                place, "it compares more than two values at once", "Write a < x && x < b.", Exit.CANNOT_TELL
            )
        if isinstance(node, ast.Constant) and not NUMBER.fullmatch(segment := _segment(text, node)):
            raise BenchError(place, f"{segment} is no number", NEXT_STEP, Exit.CANNOT_TELL)
        if isinstance(node, ast.Name) and node.id not in known:
            near = nearest(node.id, sorted(known))
            hint = f" (nearest: {', '.join(near)})" if near else ""
            raise BenchError(place, f"the input has no column {node.id}{hint}", NEXT_STEP, Exit.CANNOT_TELL)


def _segment(text: str, node: ast.expr) -> str:
    return ast.get_source_segment(text, node) or ""
