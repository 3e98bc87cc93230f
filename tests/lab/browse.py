"""The hub's pages in a real browser, as a user sees them: logging in, his server starting and stopping."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
# root runs the tests
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
SERVER_MS = 240_000
PAGE_MS = 60_000
LAB = re.compile(r"/user/[^/]+/lab")
expect.set_options(timeout=PAGE_MS)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window; Debian's is installed where there is none."""
    if not Path(CHROMIUM).is_file():
        subprocess.run(
            ["apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium"], check=True, timeout=300
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """Somebody at a browser: the cookies are his alone, as in a profile of his own.

    Parameters
    ----------
    url : of the hub, without a closing slash
    pictures : folder for what he sees
    """

    def __init__(self, browser: Browser, url: str, name: str, pictures: Path) -> None:
        self.url, self.name, self.pictures = url, name, pictures
        # the certificate is of the facility's own authority, which no browser knows
        self.context = browser.new_context(ignore_https_errors=True, viewport={"width": 1400, "height": 900})
        self.context.set_default_timeout(PAGE_MS)
        # the login service's page has its looks from there, and a lab has no way out
        self.context.route(re.compile("//cdn[.]jsdelivr[.]net/"), lambda route: route.abort())
        # whether a page with unsaved changes may be left
        self.context.on("dialog", lambda dialog: dialog.accept())
        self.page = self.context.new_page()

    def close(self) -> None:
        self.context.close()

    def picture(self, what: str, page: Page | None = None) -> Path:
        """Keep what is seen now."""
        path = self.pictures / f"{what}.png"
        (page or self.page).screenshot(path=path)
        return path

    # --- logging in ----------------------------------------------------------------------------------------------
    def log_in_at_provider(self) -> None:
        """From the hub's login page through the login service, to where the hub starts the server."""
        self.page.goto(f"{self.url}/hub/login")
        self.sign_in()

    def sign_in(self) -> None:
        """The same on a login page that is there already."""
        self.page.get_by_role("button", name="Sign in").click()
        self.page.locator("input[name=sub]").fill(self.name)
        self.page.get_by_role("button", name="Authorize").click()

    def log_in_with(self, password: str) -> None:
        """With a password at the hub itself."""
        self.page.goto(f"{self.url}/hub/login")
        self.page.get_by_label("Username").fill(self.name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    # --- the server ----------------------------------------------------------------------------------------------
    def jupyterlab(self) -> float:
        """Wait for JupyterLab while the server starts; returns the seconds until it can be used."""
        began = time.monotonic()
        self.page.wait_for_url(LAB, timeout=SERVER_MS)
        usable(self.page)
        return time.monotonic() - began

    def another_tab(self) -> Page:
        """JupyterLab once more, in another tab of the same browser."""
        page = self.context.new_page()
        page.goto(f"{self.url}/user/{self.name}/lab")
        usable(page)
        return page

    def stop_server(self) -> None:
        """By the button on the hub's page."""
        self.page.goto(f"{self.url}/hub/home")
        # before that the button does nothing
        self.page.wait_for_function("window._jupyterhub_page_loaded")
        self.page.get_by_role("button", name="Stop My Server").click()
        expect(self.page.get_by_role("button", name="Start My Server")).to_be_visible()


def usable(page: Page) -> None:
    """Wait until JupyterLab can be used: its splash is gone, and the launcher, or what was open before, is shown."""
    page.locator("#jp-main-dock-panel").wait_for(timeout=PAGE_MS)
    page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=PAGE_MS)
    page.locator("#jp-main-dock-panel .lm-DockPanel-widget:not(.lm-mod-hidden)").first.wait_for(timeout=PAGE_MS)
