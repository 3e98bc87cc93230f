"""What is checked, each in a module of its own: it is given all that was found out, and says a row for each node."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..rows import Observed, Row
from ..thresholds import Thresholds
from . import (
    allocatable,
    built,
    clock,
    cores,
    dask,
    delivered,
    disk,
    flavor,
    image,
    joined,
    limits,
    links,
    memory,
    roles,
    schedulable,
    services,
    starts,
    touched,
    versions,
)

Check = Callable[[Observed, Thresholds], Iterator[Row]]
CHECKS: tuple[Check, ...] = (
    built.check,
    flavor.check,
    joined.check,
    schedulable.check,
    roles.check,
    versions.check,
    cores.check,
    memory.check,
    limits.check,
    allocatable.check,
    image.check,
    starts.check_helper,
    clock.check,
    delivered.check,
    touched.check,
    disk.check,
    services.check,
    links.check,
    starts.check,
    dask.check,
)


def check_all(observed: Observed, thresholds: Thresholds) -> list[Row]:
    """Every row of every check."""
    return [row for check in CHECKS for row in check(observed, thresholds)]
