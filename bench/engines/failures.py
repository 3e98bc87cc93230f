"""What fails while an engine works: told in one line with its place, and never passed over."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from ..errors import BenchError, Exit, Unreadable
from ..workloads.root import load
from ..workloads.root_errors import RootError, collector, most_telling, reason, take, watched

NEXT_INPUT = "See whether the file is whole (bench data describe FILE) and get it anew."
CRASHES = ("SegmentationViolation", "BusError", "IllegalInstruction", "AbortSignal")
# Whose exceptions mean that a file is broken: uproot's own, and those of what decompresses for it.
READERS = ("uproot", "zlib", "lzma", "_lzma", "cramjam")
PLUGIN = "bench-root-errors"


def failed(who: str, error: BaseException) -> BenchError:
    """The error of an engine."""
    if isinstance(error, RootError):
        return unreadable(who, str(error))
    if type(error).__name__ in CRASHES:
        why = "ROOT has crashed on what it read, or the workload's own code has"
        return unreadable(who, why)
    if type(error).__module__.partition(".")[0] in READERS:
        return unreadable(who, reason(error))
    return BenchError(who, reason(error), "See the lines above, and run it on --engine serial to compare.")


def unreadable(who: str, why: str) -> Unreadable:
    """The error for an input that breaks while it is read."""
    return Unreadable(f"{who}: the input cannot be read", " ".join(why.split()), NEXT_INPUT, Exit.CANNOT_TELL)


@contextmanager
def crashes_as_exceptions() -> Generator[None]:
    """Turn a crash of C++ code in this thread into an exception, without the page of stack that ROOT prints.

    A basket whose compression has no checksum (ZSTD) may be decompressed to nonsense, which is no error to ROOT but
    can be the size of an array. What comes after is only the end of the command: the process's state is not sound.
    """
    root = load()
    low_level: Any = importlib.import_module("cppyy.ll")
    before = int(root.gEnv.GetValue("Root.Stacktrace", 1))
    root.gEnv.SetValue("Root.Stacktrace", 0)
    try:
        with low_level.signals_as_exception():
            yield
    finally:
        root.gEnv.SetValue("Root.Stacktrace", before)


@contextmanager
def told(who: str) -> Generator[None]:
    """Turn what goes wrong in this process into a BenchError.

    Raises
    ------
    BenchError
        Something was raised, or ROOT has logged an error of input or output and gone on; status 2 for the latter.
    """
    try:
        with watched(), crashes_as_exceptions():
            yield
    except (BenchError, LookupError):
        raise
    except Exception as error:
        raise failed(who, error) from error


def answers(client: Any, ask: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """What workers answer, by their address; one that dies meanwhile gives none, and is missed in the list of them."""
    return client.run(ask, *arguments, on_error="ignore")


@contextmanager
def told_by_workers(client: Any, who: str) -> Generator[None]:
    """Turn what goes wrong on Dask's workers into a BenchError.

    Raises
    ------
    BenchError
        A task has failed for good, or ROOT has logged an error of input or output on a worker; status 2 for the latter.
    """
    answers(client, take)
    failure: Exception | None = None
    try:
        with told(who):
            yield
    except BenchError as error:
        failure = error
    for address, messages in answers(client, take).items():
        if messages:
            raise unreadable(f"{who}, worker {address}", most_telling(messages)) from failure
    if failure is not None:
        raise failure


def keep_errors(client: Any) -> None:
    """Have ROOT's errors kept on every worker of a client, also on those that are started later."""
    distributed: Any = importlib.import_module("distributed")

    class KeepErrors(distributed.WorkerPlugin):
        """Watches in the worker's process from its start to its end."""

        def setup(self, worker: Any) -> None:
            collector().Watch(1)

        def teardown(self, worker: Any) -> None:
            collector().Watch(-1)

    client.register_plugin(KeepErrors(), name=PLUGIN)
