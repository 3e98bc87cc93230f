"""A site without a login service: users have passwords, and nobody signs up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from browse import Visitor
from hub_client import REDIRECTS, User
from platform_tools import LOCAL, Variables
from playwright.sync_api import expect

pytest_plugins = ["platform_fixtures", "browser_fixtures"]
pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def printed(stands: Callable[[Variables], str]) -> str:
    """What the play of such a platform has printed."""
    return stands(LOCAL)


@pytest.fixture(scope="module")
def password(printed: str, facility_dir: Path) -> str:
    """Carol's first one, which the play has made."""
    return (facility_dir / "jupyterhub" / "passwords" / "carol").read_text().strip()


def test_local_users_log_in_with_their_password_and_nobody_signs_up(
    printed: str, password: str, address: str, facility_dir: Path
) -> None:
    assert password not in printed
    for name, word, lets_in in (("carol", "wrong", False), ("eve", password, False), ("carol", password, True)):
        someone = User(f"https://{address}", facility_dir / "jupyterhub" / "ca.crt", name)
        answer = someone.log_in_with(word)
        assert (answer.status_code in REDIRECTS) is lets_in, (name, answer.status_code)
        assert (someone.api("GET", "/user").status_code == 200) is lets_in, name
        assert someone.http.get(f"{someone.url}/hub/signup").status_code == 404
        someone.close()


def test_a_login_without_the_pages_token_is_refused(password: str, address: str, facility_dir: Path) -> None:
    """Another site's page could send a password of its own, and have its visitor work in a stranger's account."""
    carol = User(f"https://{address}", facility_dir / "jupyterhub" / "ca.crt", "carol")
    data = {"username": "carol", "password": password}
    answer = carol.http.post(f"{carol.url}/hub/login", data=data, follow_redirects=False)
    assert answer.status_code == 403
    assert not carol.logged_in()
    carol.close()


@pytest.mark.browser
def test_a_wrong_password_is_said_on_the_login_page(password: str, visitor: Callable[[str], Visitor]) -> None:
    carol = visitor("carol")
    carol.log_in_with("not-" + password)
    expect(carol.page.get_by_text("Invalid username or password")).to_be_visible()
    carol.picture("wrong-password")
    assert "/hub/login" in carol.page.url
    # the page is still of use
    carol.page.get_by_label("Username").fill("carol")
    carol.page.get_by_label("Password").fill(password)
    carol.page.get_by_role("button", name="Sign in").click()
    carol.page.wait_for_url(lambda url: "/hub/login" not in url)
