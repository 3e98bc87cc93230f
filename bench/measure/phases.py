"""Wall time of the phases of a run, each apart."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Phases:
    """A stopwatch with named phases; a phase that is entered again adds to its time."""

    clock: Callable[[], float] = time.perf_counter
    wall_s: dict[str, float] = field(default_factory=dict[str, float])

    @contextmanager
    def phase(self, name: str) -> Generator[None]:
        """Time a block."""
        start = self.clock()
        try:
            yield
        finally:
            self.wall_s[name] = self.wall_s.get(name, 0.0) + self.clock() - start
