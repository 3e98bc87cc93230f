"""Cuts of the 4-body stop analysis, from a YAML file that says where each comes from.

A cut is a comparison of columns and numbers with arithmetic, joined by && and ||: what is valid C++ and, with `and`
and `or` in their places, valid Python. It is read as Python to be checked before ROOT compiles it.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import BenchError, Exit

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
    regions: dict[str, tuple[Cut, ...]]
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
    except (TypeError, UnicodeDecodeError) as error:
        raise BenchError(str(path), "it is no set of cuts", NEXT_STEP, Exit.CANNOT_TELL) from error


@cache
def default_cuts() -> Cuts:
    """The cuts of the 139 fb⁻¹ search."""
    return read_cuts(DEFAULT)


def _check(place: str, cut: str, known: set[str]) -> None:
    try:
        tree = ast.parse(cut.replace("&&", " and ").replace("||", " or ").strip(), mode="eval")
    except SyntaxError as error:
        raise BenchError(place, f"it cannot be read: {error.msg}", NEXT_STEP, Exit.CANNOT_TELL) from error
    for node in ast.walk(tree):
        if not isinstance(node, ALLOWED):
            raise BenchError(
                place,
                f"{type(node).__name__} is not for cuts",
                "Compare columns and numbers, joined by && and ||.",
                Exit.CANNOT_TELL,
            )
        if isinstance(node, ast.Name) and node.id not in known:
            near = difflib.get_close_matches(node.id, known, n=3)
            hint = f" (nearest: {', '.join(near)})" if near else ""
            raise BenchError(place, f"the input has no column {node.id}{hint}", NEXT_STEP, Exit.CANNOT_TELL)
