"""ROOT logs a basket that it cannot read, or a disk that is full, and goes on: here that becomes an exception."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from .root import load

# What a server says, then what names a file with its branch and byte, then the rest.
CAUSE, PLACE = "TNetXNGFile::", "GetBasket: "


class RootError(OSError):
    """ROOT has logged errors of input or output; `messages` are the first of them."""

    def __init__(self, messages: Sequence[str]) -> None:
        super().__init__(most_telling(messages))
        self.messages = tuple(messages)


def most_telling(messages: Sequence[str]) -> str:
    """Of several messages about one failure, the cause and the place; the first where neither is told."""
    told = [next((message for message in messages if mark in message), None) for mark in (CAUSE, PLACE)]
    return "; ".join(message for message in told if message) or messages[0]


def collector() -> Any:
    """The C++ side, which `load` has put in place."""
    return load().bench.root_errors


def take() -> list[str]:
    """The errors that were kept in this process since the last call."""
    return [str(message) for message in collector().Take()]


@contextmanager
def watched() -> Generator[None]:
    """Keep ROOT's errors of input and output off the terminal, and raise them at the end.

    Raises
    ------
    RootError
        There were some, whether or not the block itself has failed (its exception is then the cause).
    """
    cxx = collector()
    cxx.Watch(1)
    take()
    try:
        yield
    except Exception as error:
        if messages := take():
            raise RootError(messages) from error
        raise
    else:
        if messages := take():
            raise RootError(messages)
    finally:
        cxx.Watch(-1)


def reason(error: BaseException) -> str:
    """What an exception says, in one line; of a C++ exception only its own message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    # cppyy puts the signature of the function first: "… GetValue() =>" and then "    runtime_error: message".
    text = " ".join(lines[1:]) if lines[0].endswith("=>") and len(lines) > 1 else " ".join(lines)
    return re.sub(r"^(?:std::)?(?:runtime_error|out_of_range|logic_error|invalid_argument|exception): ", "", text)
