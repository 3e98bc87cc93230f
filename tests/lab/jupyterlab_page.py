"""JupyterLab in a real browser: a notebook whose cells are run, and the tab of dask-labextension."""

from __future__ import annotations

import re
from dataclasses import dataclass

from playwright.sync_api import FrameLocator, Locator, Page, expect

CELL_MS = 300_000
NUMBERED = re.compile(r"\[(\d+)\]")
# What a Dask dashboard has been sent: the longest column of each of its tables of data.
ROWS = """() => [...Bokeh.documents[0]._all_models.values()]
    .filter(model => model.type == "ColumnDataSource")
    .map(model => Math.max(0, ...Object.values(model.data).map(column => column.length)))"""


@dataclass(frozen=True)
class Notebook:
    """The notebook that is in front."""

    page: Page

    @property
    def panel(self) -> Locator:
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    @property
    def active(self) -> Locator:
        return self.panel.locator(".jp-Cell.jp-mod-active")

    @property
    def prompt(self) -> Locator:
        """Beside the selected cell: [*] while it runs, then a number."""
        return self.active.locator(".jp-InputPrompt")

    def ready(self) -> None:
        """Wait until its kernel answers, and select the first cell."""
        expect(self.panel.locator(".jp-Notebook-ExecutionIndicator")).to_have_attribute(
            "data-status", "idle", timeout=CELL_MS
        )
        self.panel.locator(".jp-Cell").first.locator(".jp-InputPrompt, .jp-MarkdownOutput").first.click()
        self.page.keyboard.press("Escape")

    def run(self, timeout_ms: int = CELL_MS) -> str:
        """Run the selected cell; returns the text of what it gives.

        Raises
        ------
        AssertionError
            The code raised; the message is its traceback.
        """
        before = NUMBERED.search(self.prompt.inner_text())
        self.start()
        another = re.compile(rf"\[(?!{before[1]}\])\d+\]") if before else NUMBERED
        expect(self.prompt).to_have_text(another, timeout=timeout_ms)
        failed = self.active.locator('[data-mime-type="application/vnd.jupyter.error"]')
        assert not failed.count(), failed.first.inner_text()
        return self.text()

    def run_through(self, text: str) -> str:
        """Run cells, from the selected one to the first whose code has this text; what that one gives."""
        while True:
            if "jp-CodeCell" in (self.active.get_attribute("class") or ""):
                source = self.active.locator(".cm-content").inner_text()
                printed = self.run()
                if text in source:
                    return printed
            self.down()

    def start(self) -> None:
        """Run the selected cell without waiting for its end."""
        # keys are for what has the focus, which follows the selection later
        self.prompt.click()
        self.page.wait_for_function("cell => cell.contains(document.activeElement)", arg=self.active.element_handle())
        self.page.keyboard.press("Control+Enter")

    def interrupt(self) -> None:
        """Stop the selected cell."""
        self.page.keyboard.press("i")
        self.page.keyboard.press("i")
        expect(self.prompt).to_have_text(NUMBERED, timeout=CELL_MS)

    def text(self) -> str:
        """What the selected cell gives, as text."""
        return "\n".join(self.active.locator(".jp-OutputArea-output").all_inner_texts())

    def images(self) -> list[int]:
        """The width in pixels of each image that the selected cell gives."""
        return self.active.locator(".jp-OutputArea-output img").evaluate_all("all => all.map(one => one.naturalWidth)")

    def down(self) -> None:
        """Select the next cell."""
        before = self.active.element_handle()
        self.page.keyboard.press("ArrowDown")
        self.page.wait_for_function("cell => !cell.classList.contains('jp-mod-active')", arg=before)

    def write(self, code: str) -> None:
        """Put code into the selected cell, in place of what is there."""
        self.active.locator(".cm-content").fill(code)

    def front(self, title: str) -> None:
        """Bring the notebook of this title to the front again."""
        self.page.locator("#jp-main-dock-panel .lm-TabBar-tab", has_text=title).click()
        self.active.locator(".jp-InputPrompt, .jp-MarkdownOutput").first.click()
        self.page.keyboard.press("Escape")


def opened(page: Page, url: str) -> Notebook:
    """A notebook by its address below /lab/tree/."""
    page.goto(url)
    notebook = Notebook(page)
    notebook.ready()
    return notebook


def fresh(page: Page) -> Notebook:
    """A new notebook, from the launcher of an empty workspace."""
    page.goto(re.sub("/lab.*", "/lab?reset", page.url))
    page.locator('.jp-LauncherCard[data-category="Notebook"]', has_text="Python 3").click()
    notebook = Notebook(page)
    notebook.ready()
    return notebook


@dataclass(frozen=True)
class DaskTab:
    """The tab of dask-labextension, in JupyterLab's left bar."""

    page: Page

    @property
    def panel(self) -> Locator:
        return self.page.locator("#dask-dashboard-launcher")

    def show(self) -> None:
        if not self.panel.is_visible():
            self.page.locator('.jp-SideBar .lm-TabBar-tab[data-id="dask-dashboard-launcher"]').click()
        expect(self.panel).to_be_visible()

    def find(self) -> str:
        """Look for the cluster of the notebook that is in front, by the magnifier; the dashboard's address."""
        self.panel.get_by_title("Auto-detect dashboard URL").click()
        expect(self.charts.first).to_be_enabled()
        return self.panel.locator(".dask-URLInput-wrapper input").input_value()

    @property
    def charts(self) -> Locator:
        return self.panel.locator(".dask-DashboardListing-list button")

    @property
    def clusters(self) -> Locator:
        """The clusters that the button NEW has made."""
        return self.panel.locator(".dask-ClusterListingItem")

    def new(self) -> None:
        """Make a cluster by the button."""
        before = self.clusters.count()
        self.panel.get_by_title("Start New Dask Cluster").click()
        expect(self.clusters).to_have_count(before + 1, timeout=CELL_MS)

    def has_workers(self, n: int) -> None:
        """Wait until the one cluster that NEW has made has so many workers."""
        self._says(f"Number of Workers: {n}")

    def scale(self, n: int) -> None:
        """Give the one cluster so many workers."""
        self.clusters.get_by_role("button", name="SCALE").click()
        self.dialog.locator(".dask-ScalingInput").first.fill(str(n))
        self.dialog.get_by_role("button", name="SCALE").click()

    def adapt(self, minimum: int, maximum: int) -> None:
        """Have the one cluster adapt to its work."""
        self.clusters.get_by_role("button", name="SCALE").click()
        self.dialog.locator(".dask-ScalingCheckbox").check()
        for number, value in ((2, maximum), (1, minimum)):
            self.dialog.locator(".dask-ScalingInput").nth(number).fill(str(value))
        self.dialog.get_by_role("button", name="SCALE").click()
        self._says(f"Maximum Workers: {maximum}")

    def _says(self, text: str) -> None:
        expect(self.clusters.get_by_text(text, exact=True)).to_be_visible(timeout=CELL_MS)

    @property
    def dialog(self) -> Locator:
        return self.page.locator(".jp-Dialog")

    def shut_down(self) -> None:
        """End the one cluster that NEW has made."""
        self.clusters.get_by_role("button", name="SHUTDOWN").click()

    def chart(self, name: str) -> None:
        """Bring one of the dashboard's pages to the front, and wait until it has drawn something."""
        self.charts.filter(has_text=re.compile(f"^{re.escape(name)}$", re.IGNORECASE)).click()
        self.front.locator("canvas, .slick-row").first.wait_for()

    @property
    def front(self) -> FrameLocator:
        """The dashboard's page that is in front."""
        return self.page.frame_locator(".dask-DaskDashboard-widget:not(.lm-mod-hidden) iframe")

    def rows(self) -> list[int]:
        """Lengths of the tables of data that this page has been sent over its web socket."""
        return self.front.locator("body").evaluate(ROWS)
