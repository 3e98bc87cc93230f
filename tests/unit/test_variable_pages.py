"""docs/variables.md and the READMEs of the roles say what the code says."""

from __future__ import annotations

from pathlib import Path

import make_variables
import pytest
import role_specs

REPO = Path(__file__).resolve().parents[2]
PAGES = make_variables.pages()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_the_page_is_up_to_date(page: Path) -> None:
    assert page.read_text() == PAGES[page], "run .venv/bin/python docs/make_variables.py"


def test_every_role_has_a_page() -> None:
    roles = {path.name for path in role_specs.ROLES.iterdir() if path.is_dir()}
    assert {page.parent.name for page in PAGES if page.name == "README.md"} == roles


@pytest.mark.parametrize("role", role_specs.roles(), ids=lambda role: role.name)
def test_every_variable_of_a_role_has_its_words(role: Path) -> None:
    text = role_specs.readme(role)
    for name, option in role_specs.options(role).items():
        assert f"### `{name}`" in text
        assert role_specs.text(option), name
