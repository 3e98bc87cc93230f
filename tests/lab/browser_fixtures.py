"""Users of the platform at browsers: a plug-in of the tests that name it in `pytest_plugins`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browse import Visitor, chromium
from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For a module and no longer: Playwright's event loop is in the way of any other one in this thread."""
    with chromium() as launched:
        yield launched


@pytest.fixture
def visitor(
    browser: Browser, address: str, runs: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], Visitor]]:
    """Somebody at a browser of his own; what he sees at the end is kept as a picture."""
    visitors: list[Visitor] = []

    def named(name: str) -> Visitor:
        visitors.append(Visitor(browser, f"https://{address}", name, runs))
        return visitors[-1]

    yield named
    for each in visitors:
        each.picture(f"end-of-{request.node.name}-{each.name}")
        each.close()
