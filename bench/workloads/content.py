"""A sum over the contents of events that does not hang on their order, nor on how they are cut into files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .numeric import library

Words = NDArray[np.uint64]
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
# The sum of so many bits an event is a whole number that JSON's readers keep exactly up to 2 million events.
BITS = np.uint64(32)


def mixed_up(words: Words) -> Words:
    """SplitMix64's output function (Steele, Lea, Flood, 2014): each bit of the result hangs on all bits of a word."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def as_words(values: NDArray[Any]) -> Words:
    """The bits of each value, in a word of its own."""
    if values.dtype.kind in "bui":
        return values.astype(np.uint64)
    return values.view(f"u{values.dtype.itemsize}").astype(np.uint64)


def name_word(name: str) -> Words:
    """A word for the name of a column."""
    return mixed_up(np.array([int.from_bytes(name.encode()[-8:], "little") + 31 * len(name)], np.uint64) + GOLDEN)


def content_sum(columns: Mapping[str, Any]) -> int:
    """The sum, over events, of a number of 32 bits made of all their values, bit by bit.

    Parameters
    ----------
    columns : mapping
        Name → array of a value an event, or awkward array of a list an event. What makes an event unlike others (run
        and event number) has to be among them.
    """
    ak = library("awkward")
    n = len(next(iter(columns.values())))
    events = np.zeros(n, np.uint64)
    for name, values in columns.items():
        salt = name_word(name)
        if values.ndim == 1:
            events += mixed_up(as_words(np.asarray(values)) + salt)
            continue
        # A value's place in its list counts, and the length of the list.
        place = np.asarray(ak.flatten(ak.local_index(values, axis=1))).astype(np.uint64)
        words = mixed_up(as_words(np.asarray(ak.flatten(values))) + salt + place * GOLDEN)
        lengths = np.asarray(ak.num(values))
        events += mixed_up(lengths.astype(np.uint64) + salt)
        np.add.at(events, np.repeat(np.arange(n), lengths), words)
    return int(np.sum(mixed_up(events) >> BITS))
