"""Answers of many: of each one its value, or in words why there is none."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ..errors import BenchError

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Found = TypeVar("Found", covariant=True)
AT_A_TIME = 32


@dataclass(frozen=True)
class Answers(Generic[Key, Found]):
    """What was found, and what could not be."""

    values: Mapping[Key, Found]
    failures: Mapping[Key, str] = field(default_factory=dict[Key, str])


def ask_each(keys: Iterable[Key], question: Callable[[Key], Value], at_a_time: int = AT_A_TIME) -> Answers[Key, Value]:
    """Ask all, so many at a time; one that fails does not hide the others' answers."""
    asked = list(dict.fromkeys(keys))
    values: dict[Key, Value] = {}
    failures: dict[Key, str] = {}

    def one(key: Key) -> None:
        try:
            values[key] = question(key)
        except BenchError as error:
            failures[key] = f"{error.what}: {error.why}"

    pool = ThreadPoolExecutor(max(1, min(at_a_time, len(asked))))
    try:
        list(pool.map(one, asked))
    finally:
        # after an interruption those that have not been asked yet are not asked any more
        pool.shutdown(cancel_futures=True)
    return Answers({key: values[key] for key in asked if key in values}, failures)
