"""What the lab says while it works."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

console = Console()
SAY_EVERY_S = 15.0


@contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """Announce a step that takes a while and say how long it took.

    Yields a function that shows what the step is doing now: a status line on a terminal; in a log, where a line cannot
    be replaced, one line every 15 s.
    """
    started = time.monotonic()
    said = started

    def elapsed() -> float:
        return time.monotonic() - started

    if console.is_terminal:
        with console.status(f"{title} ...") as status:

            def show(text: str) -> None:
                status.update(f"{title} [{elapsed():.0f} s] {text}"[: console.width - 4])

            yield show
    else:
        console.print(f"{title} ...", markup=False, highlight=False, soft_wrap=True)

        def say(text: str) -> None:
            nonlocal said
            if time.monotonic() - said >= SAY_EVERY_S:
                said = time.monotonic()
                line = f"  {elapsed():.0f} s: {' '.join(text.split())}"
                console.print(line, markup=False, highlight=False, soft_wrap=True)

        yield say
    console.print(f"{title}: {elapsed():.1f} s", markup=False, highlight=False, soft_wrap=True)
