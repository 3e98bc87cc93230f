"""Which of the machine's processors a guest may use, and how the kernel writes sets of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence


def parse(text: str) -> list[int]:
    """The processors of a list like "0-3,8"."""
    result: list[int] = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        result.extend(range(int(first), int(last or first) + 1))
    return result


def least_used(available: Sequence[int], wanted: int, in_use: Iterable[str]) -> list[int]:
    """The `wanted` processors that the fewest guests share; all of them when there are fewer.

    Parameters
    ----------
    in_use : the processor lists of the guests that exist
    """
    guests = Counter(cpu for text in in_use for cpu in parse(text))
    ranked = sorted(available, key=lambda cpu: (guests[cpu], cpu))
    return sorted(ranked[:wanted])


def ids(count: int) -> str:
    """The list of the first `count` processors as sysfs writes it."""
    return f"0-{count - 1}" if count > 1 else "0"


def mask(cpus: Iterable[int]) -> str:
    """The kernel's way to write a processor mask: words of 32 bits, for example 3 or ff,ffffffff."""
    digits = f"{sum(1 << cpu for cpu in cpus):x}"
    return ",".join(re.findall(".{1,8}", digits[::-1]))[::-1]
