"""What `bench` says on the terminal."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console, RenderableType

STAND_IN = "stand-in"


class Terminal:
    """Lines and tables for people; results for machines go into files.

    `mark`, once set, stands at the beginning of every line: a result of generated events must not be taken for one
    of real events, whichever line is quoted.
    """

    def __init__(self, console: Console | None = None, mark: str = "") -> None:
        # Logs have no width of their own: narrower than a table, rich would break its cells.
        self.console = console or Console(highlight=False, emoji=False)
        if not self.console.is_terminal:
            self.console.width = max(self.console.width, 140)
        self.mark = mark

    def say(self, text: str) -> None:
        """Print lines of plain text."""
        prefix = f"[{self.mark}] " if self.mark else ""
        for line in text.splitlines() or [""]:
            self.console.print(prefix + line, markup=False, soft_wrap=True)

    def show(self, renderable: RenderableType) -> None:
        """Print a table."""
        if not self.mark:
            self.console.print(renderable)
            return
        width = self.console.width - len(self.mark) - 3
        plain = Console(file=io.StringIO(), width=width, highlight=False, emoji=False)
        with plain.capture() as capture:
            plain.print(renderable)
        self.say(capture.get().rstrip("\n"))

    @contextmanager
    def step(self, what: str) -> Generator[Callable[[str], None]]:
        """Say that something has begun, show that it goes on, and say how long it took.

        Gives a function that says how far it is: on a terminal in place of what it said before, else in a line.
        A step that fails is not reported as done; the exception says the rest.
        """
        start = time.perf_counter()
        if self.console.is_terminal:
            with self.console.status(f"{self.mark} {what} …".strip()) as status:
                yield lambda news: status.update(f"{self.mark} {what}: {news} …".strip())
        else:
            self.say(f"{what} …")
            yield lambda news: self.say(f"{what}: {news}")
        self.say(f"{what}: {time.perf_counter() - start:.1f} s")
