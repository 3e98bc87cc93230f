"""Distributed RDataFrame on the workers of a Dask scheduler."""

from __future__ import annotations

import importlib
import math
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from ..datasets.inspect import entries_per_partition
from ..errors import BenchError, Exit
from ..workloads import Booking, Outcome, TaskWorkload
from ..workloads.root import load
from ..workloads.tasks import TASKS_PER_SLOT, n_tasks
from .failures import answers, keep_errors, told, told_by_workers
from .model import Job, Pass, graph_of, local_pass
from .observe import samples_of_workers, watch_here
from .stream import compute_span, find_disturbances, find_idleness, task_spans, worker_share
from .tasks import dask_task_pass, warm_up_workers
from .versions import software_versions

# Tells a worker's process the name of its node; set in the worker's pod.
NODE_VARIABLE = "BENCH_NODE"


def partitions_of(job: Job, slots: int) -> dict[str, int]:
    """Number of tasks for each tree of a job.

    The graphs of several trees run at the same time, so they share the tasks of a slot; each has one at least.
    """
    tasks_per_slot = max(1, math.ceil(TASKS_PER_SLOT / len(job.layouts_of)))
    return {
        tree: n_tasks(slots, job.replicas * sum(each.n_clusters for each in layouts), tasks_per_slot)
        for tree, layouts in job.layouts_of.items()
    }


def partition_sizes(job: Job, partitions: Mapping[str, int]) -> list[int]:
    """Entries of each task of all trees."""
    return [
        size
        for tree, layouts in job.layouts_of.items()
        for size in entries_per_partition(layouts * job.replicas, partitions[tree])
    ]


def warm_worker(job: Job) -> None:
    """Run one replica in the calling process; sent to every worker."""
    local_pass(replace(job, replicas=1))


def node_name() -> str:
    """Node of the cluster, or machine, of the calling process; sent to every worker."""
    return os.environ.get(NODE_VARIABLE) or socket.gethostname()


def cpu_seconds() -> float:
    """Processor time that the calling process has used; sent to every worker."""
    return time.process_time()


class Dask:
    """An engine on a Dask client that `connect` gives.

    Parameters
    ----------
    name : str
        Name of the engine.
    connect : callable
        Gets an ExitStack, puts on it what has to be undone, and gives back a Dask client.
    workers : int or None
        Number of workers there have to be, no more and no fewer; None takes those that are there.
    timeout_s : float
        How long to wait for that number.
    """

    def __init__(
        self, name: str, connect: Callable[[ExitStack], Any], workers: int | None = None, timeout_s: float = 180
    ) -> None:
        self.name = name
        self.slots = 0
        self._connect = connect
        self._workers = workers
        self._timeout_s = timeout_s
        self._stack = ExitStack()
        self.client: Any = None
        self._versions: Mapping[str, str] = {}
        self._hosts: Mapping[str, str] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.client = self._connect(stack)
            self._wait()
            self._check_threads()
            self._versions = self._check_versions()
            self._hosts = self.client.run(node_name)
            keep_errors(self.client)
            silence_progress_bar()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def versions(self) -> Mapping[str, str]:
        return self._versions

    def warm_up(self, job: Job) -> None:
        if isinstance(job.workload, TaskWorkload):
            warm_up_workers(self, job, job.workload)
            return
        # Compiled code is kept per process, so every process has to see the graph once. Tasks would not do: the
        # scheduler may give two to one worker and none to another.
        with told_by_workers(self.client, f"{job.workload.name} on {self.name}"):
            self.client.run(warm_worker, job)
            # The graph that ROOT sends is compiled once more, in the form in which it is sent.
            job = replace(job, replicas=self.slots)
            self.trigger(self.book(job, dict.fromkeys(job.layouts_of, self.slots)), job)

    def run(self, job: Job) -> Pass:
        if isinstance(job.workload, TaskWorkload):
            return dask_task_pass(self, job, job.workload)
        partitions = partitions_of(job, self.slots)
        began = time.perf_counter()
        booking = self.book(job, partitions)
        build_s = time.perf_counter() - began
        measured = self.timed(
            lambda: self.trigger(booking, job), booking.collect, job, lambda: partition_sizes(job, partitions)
        )
        return replace(measured, build_s=build_s)

    def book(self, job: Job, partitions: Mapping[str, int]) -> Booking:
        """Book the graphs of all trees, with a number of partitions for each."""
        with told(f"{job.workload.name} on {self.name}"):
            return Booking.joined(self.book_tree(job, tree, number) for tree, number in partitions.items())

    def book_tree(self, job: Job, tree: str, partitions: int) -> Booking:
        """Book the graph of one tree; the C++ helpers go along with every task."""
        root, workload = load(), graph_of(job)
        root.RDF.Distributed.DistributeCppCode(workload.code)
        frame = root.RDataFrame(tree, job.files, executor=self.client, npartitions=partitions)
        booking = workload.book(tree, frame, job.layouts_of[tree][0].columns)
        return booking.with_variations(root.RDF.Distributed.VariationsFor)

    def trigger(self, booking: Booking, job: Job) -> None:
        """Run what is booked, the graphs of all trees at the same time."""
        booking.trigger(load().RDF.Distributed.RunGraphs if job.others else None)

    def timed(
        self,
        trigger: Callable[[], None],
        collect: Callable[[], Outcome],
        job: Job,
        sizes: Callable[[], Sequence[int]],
        expected: int | None = None,
        mark: str = "mapper",
    ) -> Pass:
        """Trigger what is booked and watch the workers meanwhile.

        Tasks that count have `mark` in their key. `sizes` gives the entries of each partition, and is asked after the
        run; `expected` is the number of tasks that have to run, where it is not one for each partition.
        """
        before = self._worker_info()
        answers(self.client, watch_here)
        cpu = answers(self.client, cpu_seconds)
        # Opened before the run: a task stream that is asked for afterwards is empty.
        distributed: Any = importlib.import_module("distributed")
        who = f"{job.workload.name} on {self.name}"
        with told_by_workers(self.client, who), distributed.get_task_stream(self.client) as stream:
            wall, start = time.time(), time.perf_counter()
            trigger()
            overall_s = time.perf_counter() - start
        used = answers(self.client, cpu_seconds)
        cpu = {worker: seconds - cpu.get(worker, 0.0) for worker, seconds in used.items()}
        after = self._worker_info()

        tasks = [task for task in stream.data if mark in str(task["key"])]
        first, last = compute_span(tasks, wall, wall + overall_s)
        shares = tuple(
            worker_share(info, self._hosts.get(address, ""), address, tasks, cpu.get(address, 0.0))
            for address, info in sorted(after.items())
        )
        entries = sizes()
        return Pass(
            outcome=collect(),
            overall_s=overall_s,
            submit_s=first - wall,
            loop_s=last - first,
            merge_s=wall + overall_s - last,
            cpu_s=sum(share.cpu_s for share in shares),
            n_partitions=len(entries),
            workers=shares,
            spans=task_spans(tasks, sorted(after), wall),
            samples=samples_of_workers(
                self.client,
                {address: share.name for address, share in zip(sorted(after), shares, strict=True)},
                wall,
                wall + overall_s,
            ),
            disturbances=(
                *find_disturbances(before, after, stream.data),
                *find_idleness(shares, entries, len(entries) if expected is None else expected),
            ),
        )

    def _worker_info(self) -> dict[str, Any]:
        return dict(self.client.scheduler_info(n_workers=-1)["workers"])

    def _wait(self) -> None:
        distributed: Any = importlib.import_module("distributed")
        wanted = self._workers or 1
        try:
            self.client.wait_for_workers(wanted, timeout=self._timeout_s)
        except (TimeoutError, distributed.TimeoutError) as error:
            raise BenchError(
                f"{len(self._worker_info())} of {wanted} Dask workers came within {self._timeout_s:g} s",
                "the cluster has no room for the others, or they fail to start",
                "See the workers' state (kubectl -n bench get pods, or condor_q), or ask for fewer with --workers.",
                Exit.INVALID,
            ) from error
        found = len(self._worker_info())
        if self._workers is not None and found != self._workers:
            raise BenchError(
                f"{found} Dask workers came instead of {self._workers}",
                "a measurement on others than were asked for says nothing",
                "Close the cluster of the other run, then run this again.",
                Exit.INVALID,
            )

    def _check_threads(self) -> None:
        workers = self._worker_info()
        for address, info in workers.items():
            if info["nthreads"] != 1:
                raise BenchError(
                    f"the Dask worker {info.get('name') or address} has {info['nthreads']} threads",
                    "ROOT's distributed tasks crash or hang in a worker of more than one thread (root issue 20845)",
                    "Start the workers with --nthreads 1 and more of them.",
                    Exit.INVALID,
                )
        self.slots = len(workers)

    def _check_versions(self) -> Mapping[str, str]:
        here = software_versions()
        for address, there in self.client.run(software_versions).items():
            different = [
                f"{name} {there.get(name)}, here {here[name]}" for name in here if there.get(name) != here[name]
            ]
            if different:
                raise BenchError(
                    f"the Dask worker {address} has other software",
                    "; ".join(different),
                    "Run client and workers from the same image.",
                    Exit.INVALID,
                )
        return here


def silence_progress_bar() -> None:
    """ROOT draws Dask's progress bar whenever a graph runs, and cannot be asked not to."""
    backend: Any = importlib.import_module("ROOT._distrdf.Backends.Dask.Backend")

    def nothing(*_args: Any, **_options: Any) -> None:
        return None

    backend.progress = nothing


def keep_silent_workers() -> Any:
    """Configuration for a scheduler in this process, which reads no heartbeat while a graph of the process's own runs.

    After five minutes without one it would restart the workers. One that has died is missed all the same:
    its connection ends.
    """
    dask: Any = importlib.import_module("dask")
    return dask.config.set({"distributed.scheduler.worker-ttl": None})


def local_cluster(workers: int) -> Callable[[ExitStack], Any]:
    """Worker processes of one thread each on this machine."""

    def connect(stack: ExitStack) -> Any:
        distributed: Any = importlib.import_module("distributed")
        stack.enter_context(keep_silent_workers())
        cluster = stack.enter_context(
            distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
            )
        )
        return stack.enter_context(distributed.Client(cluster))

    return connect


def scheduler(address: str) -> Callable[[ExitStack], Any]:
    """A scheduler that is there already; it is left as it was found."""

    def connect(stack: ExitStack) -> Any:
        distributed: Any = importlib.import_module("distributed")
        try:
            return stack.enter_context(distributed.Client(address, timeout=10))
        except (OSError, ValueError) as error:
            raise BenchError(
                f"no Dask scheduler answers at {address}",
                str(error) or type(error).__name__,
                "Give the address of one with --scheduler tcp://host:port.",
            ) from error

    return connect
