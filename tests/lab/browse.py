"""`browse.py URL USER PICTURE`: a user in a real browser, from the login page to JupyterLab.

A process of its own, since a browser that hangs must not hang the tests.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

CHROMIUM = "/usr/bin/chromium"
# root runs the tests; the certificate is of the facility's own authority, which no browser knows
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


def main(url: str, user: str, picture: Path) -> None:
    began = time.monotonic()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_context(ignore_https_errors=True, viewport={"width": 1400, "height": 900}).new_page()
        page.goto(f"{url}/hub/login")
        page.get_by_role("button", name="Sign in").click()
        page.locator("input[name=sub]").fill(user)
        page.get_by_role("button", name="Authorize").click()
        print(f"logged in: {time.monotonic() - began:.1f} s")
        try:
            page.wait_for_url("**/user/*/lab**", timeout=240_000)
            page.locator("#jp-main-dock-panel").wait_for(timeout=60_000)
            page.get_by_text("Python 3").first.wait_for(timeout=60_000)
            print(f"JupyterLab: {time.monotonic() - began:.1f} s")
        finally:
            picture.parent.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
