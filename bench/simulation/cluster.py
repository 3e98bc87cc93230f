"""A scheduler in a process of its own, and sleeping workers in another: each process may have a core."""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import resource
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import psutil

from ..errors import BenchError, Exit
from .sleepers import prepare_process, serve

# Files that a process has open beside a connection for each worker: more than were ever seen.
OTHER_FILES = 200
STARTS_WITHIN_S = 60.0
# A worker takes about 10 ms to register; on a crowded machine several times that.
REGISTERS_WITHIN_S = 0.2
ENDS_WITHIN_S = 20.0


@dataclass(frozen=True)
class Seen:
    """What the scheduler says of itself: its processor time, transitions of task states since its start, workers."""

    cpu_s: float
    transitions: int
    workers: int


def look(dask_scheduler: Any) -> tuple[float, int, int]:
    """Sent to the scheduler, which fills itself in by the name."""
    return time.process_time(), int(dask_scheduler.transition_counter), len(dask_scheduler.workers)


@dataclass(frozen=True)
class SleepingCluster:
    """A client of a real scheduler whose workers sleep."""

    client: Any
    workers: int
    process: psutil.Process

    def seen(self) -> Seen:
        """Ask the scheduler."""
        return Seen(*self.client.run_on_scheduler(look))

    def sleepers_cpu_s(self) -> float:
        """Processor time of the process of the workers."""
        used = self.process.cpu_times()
        return used.user + used.system


class Helper:
    """A process that does what it is told through a pipe, until the pipe is closed."""

    def __init__(self, what: str, target: Callable[[Connection], None]) -> None:
        context = multiprocessing.get_context("spawn")
        self.what = what
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=target, args=(theirs,), daemon=True)
        self.process.start()
        # Its own copy alone is left, so that its end is noticed here.
        theirs.close()

    def ask(self, message: object, within_s: float) -> Any:
        """Say something, and hear the answer.

        Raises
        ------
        BenchError
            There is none.
        """
        try:
            self.pipe.send(message)
            if self.pipe.poll(within_s):
                return self.pipe.recv()
            why = f"nothing was heard of its process in {within_s:.0f} s"
        except (EOFError, OSError):
            self.process.join(ENDS_WITHIN_S)
            why = f"its process ended with status {self.process.exitcode}"
        raise BenchError(
            f"{self.what} of the simulation failed", why,
            "See what is written above; ask for fewer --workers, or wait until the machine is less busy.",
            Exit.CANNOT_TELL,
        )  # fmt: skip

    def close(self) -> None:
        """End the process by closing its pipe, or else by a signal."""
        self.pipe.close()
        self.process.join(ENDS_WITHIN_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class Simulator:
    """Two processes in which clusters of any size can be had, one after the other."""

    def __init__(self, scheduler: Helper, sleepers: Helper) -> None:
        self._scheduler = scheduler
        self._sleepers = sleepers

    @contextmanager
    def cluster(self, workers: int) -> Generator[SleepingCluster]:
        """A new scheduler with so many workers; both end when this does.

        Raises
        ------
        BenchError
            The machine allows too few open files, or something does not start.
        """
        check_open_files(workers)
        address = self._scheduler.ask("open", STARTS_WITHIN_S)
        try:
            self._sleepers.ask((address, workers), STARTS_WITHIN_S + REGISTERS_WITHIN_S * workers)
            with self._connected(address, workers) as cluster:
                yield cluster
        except BaseException:
            # What went wrong is told, not what follows from it.
            with suppress(BenchError):
                self._end(workers)
            raise
        self._end(workers)

    @contextmanager
    def _connected(self, address: str, workers: int) -> Generator[SleepingCluster]:
        distributed: Any = importlib.import_module("distributed")
        with distributed.Client(address, set_as_default=False, timeout=STARTS_WITHIN_S) as client:
            cluster = SleepingCluster(client, workers, psutil.Process(self._sleepers.process.pid))
            found = cluster.seen().workers
            if found != workers:
                raise BenchError(
                    f"{found} of {workers} simulated workers are registered", "the scheduler has lost some",
                    "Ask for fewer with --workers.", Exit.CANNOT_TELL,
                )  # fmt: skip
            yield cluster

    def _end(self, workers: int) -> None:
        """Close the scheduler, which sends its workers home, and wait until they have gone."""
        within_s = ENDS_WITHIN_S + REGISTERS_WITHIN_S * workers
        self._scheduler.ask("close", within_s)
        self._sleepers.ask("gone?", within_s)


@contextmanager
def simulator() -> Generator[Simulator]:
    """Start both processes; they end when this does."""
    with ExitStack() as stack:
        # At the same time: both have to load Dask first.
        helpers = [Helper("the scheduler", schedulers), Helper("the sleeping workers", serve)]
        for each in helpers:
            stack.callback(each.close)
        yield Simulator(*helpers)


def schedulers(pipe: Connection) -> None:
    """Entry point of the scheduler's process: one scheduler after the other, until the pipe is closed."""
    prepare_process()
    while True:
        try:
            pipe.recv()
        except EOFError:
            return
        asyncio.run(schedule(pipe))
        try:
            pipe.recv()
            pipe.send("closed")
        except (EOFError, OSError):
            return


async def schedule(pipe: Connection) -> None:
    """A scheduler as others have it, but without a page of its own; it ends with the next word from the pipe."""
    dask: Any = importlib.import_module("dask")
    distributed: Any = importlib.import_module("distributed")
    # A crowded machine may be late with heartbeats; nobody here dies.
    with dask.config.set({"distributed.scheduler.worker-ttl": None}):
        async with distributed.Scheduler(host="127.0.0.1", port=0, dashboard=False) as scheduler:
            pipe.send(scheduler.address)
            await asyncio.get_running_loop().run_in_executor(None, pipe.poll, None)


def check_open_files(workers: int) -> None:
    """See that a process may have a connection for each worker.

    Raises
    ------
    BenchError
        It may not.
    """
    wanted, (_, most) = workers + OTHER_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < wanted:
        raise BenchError(
            f"--workers {workers}", f"a process may have {most} files open, and this takes {wanted}",
            "Raise the limit (ulimit -Hn), or ask for fewer.", Exit.CANNOT_TELL,
        )  # fmt: skip
