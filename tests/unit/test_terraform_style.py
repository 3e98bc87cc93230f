"""What tflint's own rules ask of a Terraform module: tflint itself is to be had from no package registry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import hcl2
import pytest

MODULE = Path(__file__).resolve().parents[2] / "terraform"
FILES = sorted([*MODULE.glob("*.tf"), *MODULE.glob("cloud/*.tf")])
ROOTS = [MODULE, MODULE / "cloud"]
SNAKE_CASE = re.compile(r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")


def plain(name: str) -> str:
    return name.strip('"')


def blocks(folder: Path, kind: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Blocks of a kind in a folder's files: what names them, with dots, and what is in them."""
    for path in sorted(folder.glob("*.tf")):
        for block in hcl2.loads(path.read_text()).get(kind, []):
            names = []
            for _ in range(2 if kind in ("resource", "data") else 1):
                label, block = next((key, inner) for key, inner in block.items() if not key.startswith("__"))
                names.append(plain(label))
            yield ".".join(names), block


def code(folder: Path) -> str:
    """A folder's files without comments."""
    text = "\n".join(path.read_text() for path in sorted(folder.glob("*.tf")))
    return re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("folder", ROOTS, ids=lambda path: path.name)
def test_nothing_is_declared_that_nothing_uses(folder: Path) -> None:
    text = code(folder)
    unused = [f"var.{name}" for name, _ in blocks(folder, "variable") if not re.search(rf"\bvar\.{name}\b", text)]
    unused += [f"data.{name}" for name, _ in blocks(folder, "data") if not re.search(rf"\bdata\.{name}\b", text)]
    for path in sorted(folder.glob("*.tf")):
        for block in hcl2.loads(path.read_text()).get("locals", []):
            names = [plain(name) for name in block if not name.startswith("__")]
            unused += [f"local.{name}" for name in names if not re.search(rf"\blocal\.{name}\b", text)]
    assert unused == []


@pytest.mark.parametrize("folder", ROOTS, ids=lambda path: path.name)
def test_variables_have_types_and_outputs_are_described(folder: Path) -> None:
    for name, variable in blocks(folder, "variable"):
        assert variable.get("type"), name
        assert variable.get("description"), name
        assert "any" not in re.findall(r"\w+", str(variable["type"])), f"{name} takes anything"
    for name, output in blocks(folder, "output"):
        assert output.get("description"), name


@pytest.mark.parametrize("folder", ROOTS, ids=lambda path: path.name)
def test_names_are_in_snake_case(folder: Path) -> None:
    for kind in ("variable", "output", "resource", "data", "module"):
        for name, _ in blocks(folder, kind):
            assert all(SNAKE_CASE.match(part) for part in name.split(".")), f"{kind} {name}"


def test_versions_of_terraform_and_of_every_provider_are_bounded() -> None:
    text = (MODULE / "versions.tf").read_text()
    assert re.search(r'required_version\s*=\s*">=', text)
    used = {name.split("_", 1)[0] for kind in ("resource", "data") for name, _ in blocks(MODULE, kind)}
    for provider in used - {"terraform"}:
        entry = re.search(rf"{provider}\s*=\s*{{(.*?)}}", text, re.DOTALL)
        assert entry, f"{provider} is in no required_providers"
        assert "source" in entry[1], provider
        assert re.search(r'version\s*=\s*".*<', entry[1]), f"{provider} has no upper bound"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_old_ways_of_writing(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"^\s*//|/\*", text, re.MULTILINE), "a comment begins with #"
    assert not re.search(r'=\s*"\$\{[^}"]+\}"\s*$', text, re.MULTILINE), "an expression alone needs no quotes"
    assert not re.search(r"[a-z_]\.\d+\.[a-z_]", re.sub(r'"[^"]*"', "", text)), "an index is written [0]"
    assert not re.search(r"[=!]=\s*\[\]", text), "length(...) == 0 asks for an empty list"
