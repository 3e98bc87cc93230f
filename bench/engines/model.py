"""What all engines share: the job they are given, and what they give back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from ..datasets.inspect import Layout, layouts, refuse_mixed
from ..datasets.remote import FilePath
from ..errors import BenchError, Exit
from ..workloads import Booking, Outcome, TaskWorkload, Workload
from ..workloads.root import load
from .failures import told


@dataclass(frozen=True)
class Job:
    """A workload and its input: the files, read `replicas` times one after the other.

    `layouts` are those of the workload's (nominal) tree in each file, `others` those of its further trees by name.
    `output` is the folder for files that the workload writes; without one they are deleted after each pass.
    """

    workload: Workload | TaskWorkload
    paths: tuple[FilePath, ...]
    layouts: tuple[Layout, ...]
    replicas: int = 1
    output: Path | None = None
    others: Mapping[str, tuple[Layout, ...]] = field(default_factory=dict[str, tuple[Layout, ...]])

    @classmethod
    def over(cls, workload: Workload | TaskWorkload, paths: Sequence[FilePath]) -> Job:
        """The job to run a workload over files, which are looked into.

        Raises
        ------
        BenchError
            A file cannot be read, holds not all trees, or has columns of other types than the first.
        """
        trees = (workload.tree,) if isinstance(workload, TaskWorkload) else workload.trees
        found = [layouts(path, trees) for path in paths]
        of_trees = {tree: tuple(each[tree] for each in found) for tree in trees}
        # Tasks are of one file each, and look at its types.
        if not isinstance(workload, TaskWorkload):
            for tree, each in of_trees.items():
                refuse_mixed(paths, each, tree)
        nominal = of_trees.pop(workload.tree)
        return cls(workload, tuple(paths), nominal, others=of_trees)

    @property
    def layouts_of(self) -> Mapping[str, tuple[Layout, ...]]:
        """Layouts of all trees by name, the nominal one first."""
        return {self.workload.tree: self.layouts, **self.others}

    @property
    def files(self) -> list[str]:
        return [str(path) for path in self.paths] * self.replicas

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names of the (nominal) tree."""
        return self.layouts[0].columns

    @property
    def entries(self) -> int:
        return self.replicas * sum(each.entries for each in self.layouts)

    @property
    def clusters(self) -> int:
        return self.replicas * sum(each.n_clusters for each in self.layouts)


@dataclass(frozen=True)
class WorkerShare:
    """What one worker did in a pass: `entries` are those of the tasks it ran."""

    name: str
    host: str
    tasks: int
    compute_s: float
    cpu_s: float


@dataclass(frozen=True)
class TaskSpan:
    """A task that computed: its worker's place among the pass's workers, and when, in seconds after the trigger."""

    worker: int
    start_s: float
    stop_s: float


@dataclass(frozen=True)
class Samples:
    """What one process did in a pass, over time; all lists are of the same length.

    `at_s` is the end of a sample, in seconds after the trigger; `cpu` the share of a processor; bytes read and written
    are those of system calls, whether a disk was asked or not; `waits` says whether the process waited for a disk at
    that moment.
    """

    name: str
    at_s: tuple[float, ...]
    cpu: tuple[float, ...]
    memory_bytes: tuple[int, ...]
    read_bytes_per_s: tuple[int, ...]
    written_bytes_per_s: tuple[int, ...]
    waits: tuple[bool, ...]


@dataclass(frozen=True)
class Pass:
    """One execution of the whole graph over the whole input.

    `overall_s` is the time from the trigger of the execution to its end, as the facility's authors define it; the
    parts are `submit_s` (trigger to the first task's start), `loop_s` (first task's start to last task's end) and
    `merge_s` (the rest). Without tasks the loop is all of it. No part of it are `build_s` (before the trigger: booking
    the graph, or listing the tasks) and `save_s` (after the end: what is done with written files). `cpu_s` is the
    processor time of all processes.
    `disturbances` are what happened that makes the time meaningless.
    """

    outcome: Outcome
    overall_s: float
    loop_s: float
    submit_s: float = 0.0
    merge_s: float = 0.0
    build_s: float = 0.0
    save_s: float = 0.0
    cpu_s: float = 0.0
    n_partitions: int = 1
    workers: tuple[WorkerShare, ...] = ()
    disturbances: tuple[str, ...] = ()
    spans: tuple[TaskSpan, ...] = ()
    samples: tuple[Samples, ...] = ()


class Engine(Protocol):
    """A place where a workload runs. Entering it makes it ready; leaving it, however, takes everything back."""

    @property
    def name(self) -> str: ...

    @property
    def slots(self) -> int:
        """Tasks that can run at the same time."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def versions(self) -> Mapping[str, str]:
        """Versions of the software, which have been checked to be the same in all processes."""
        ...

    def warm_up(self, job: Job) -> None:
        """Have every process compile what the graph needs, so that the passes measure the event loop."""
        ...

    def run(self, job: Job) -> Pass:
        """One timed pass."""
        ...


def graph_of(job: Job) -> Workload:
    """The workload of a job, which has to be one graph.

    Raises
    ------
    BenchError
        It is a list of tasks.
    """
    if isinstance(job.workload, TaskWorkload):
        raise BenchError(
            f"{job.workload.name} as a graph",
            "it is a list of tasks, and this engine or mode runs graphs only",
            "Choose --mode tuned.",
            Exit.CANNOT_TELL,
        )
    return job.workload


def local_pass(job: Job) -> Pass:
    """One pass in this process, on as many threads as ROOT has been told to use."""
    if isinstance(job.workload, TaskWorkload):
        from .tasks import local_task_pass

        return local_task_pass(job, job.workload)
    root = load()
    root.gInterpreter.Declare(job.workload.code)
    with told(f"{job.workload.name} on {job.paths[0]}"):
        began = time.perf_counter()
        booking = Booking.joined(
            job.workload.book(tree, root.RDataFrame(tree, job.files), layouts[0].columns)
            for tree, layouts in job.layouts_of.items()
        ).with_variations(root.RDF.Experimental.VariationsFor)
        cpu, start = time.process_time(), time.perf_counter()
        booking.trigger(root.RDF.RunGraphs if job.others else None)
        overall_s = time.perf_counter() - start
        cpu_s = time.process_time() - cpu
    return Pass(booking.collect(), overall_s, loop_s=overall_s, cpu_s=cpu_s, build_s=start - began)
