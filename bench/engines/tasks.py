"""Run workloads that are lists of tasks: one task after the other in this process, or by the workers of a Dask client.

Files that tasks write are kept where the job names a folder for its output; otherwise they are deleted after the pass,
and what is known of them are the numbers that the tasks give back.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import pickle
import shutil
import tempfile
import time
import uuid
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ConfigDict

from ..datasets.files import replacing
from ..errors import BenchError, Exit
from ..workloads import Outcome
from ..workloads.tasks import Part, Partial, TaskWorkload
from .failures import answers, told
from .model import Job, Pass

if TYPE_CHECKING:
    from .dask import Dask

# Begins the key of every task: this is how the tasks of a pass are told from others in the task stream.
KEY = "bench-task"
# A task that raised is tried again so often: a file system or a network may have failed for a moment.
RETRIES = 2
# How long a task that nobody waits for any more may go on before its folder is taken away.
SETTLES_WITHIN_S = 60.0
MANIFEST = "manifest.json"


class ManifestPart(BaseModel):
    """A file of a manifest."""

    model_config = ConfigDict(frozen=True)

    file_name: str
    entries: int
    size_bytes: int
    sha256: str


class Manifest(BaseModel):
    """What a pass has written: the files in the order of the tasks, and the sums over their contents."""

    model_config = ConfigDict(frozen=True)

    kind: str = "bench.parts/1"
    workload: str
    input_files: tuple[str, ...]
    input_entries: int
    remarks: dict[str, str]
    tallies: dict[str, int]
    parts: tuple[ManifestPart, ...]


def local_task_pass(job: Job, workload: TaskWorkload, engine: str = "serial", slots: int = 1) -> Pass:
    """All tasks in this process, one after the other."""
    workload.warm_up()
    began = time.perf_counter()
    tasks = workload.tasks(job, slots)
    build_s = time.perf_counter() - began
    with pass_folder(job, engine) as folder:
        cpu, start = time.process_time(), time.perf_counter()
        with told(f"{workload.name} on {engine}"):
            partials = [workload.process(task, folder) for task in tasks]
        loop_s = time.perf_counter() - start
        outcome = workload.combine(partials)
        overall_s = time.perf_counter() - start
        cpu_s = time.process_time() - cpu
        if job.output:
            write_manifest(job, workload, outcome, partials, folder)
    return Pass(
        outcome,
        overall_s,
        loop_s=loop_s,
        merge_s=overall_s - loop_s,
        cpu_s=cpu_s,
        build_s=build_s,
        save_s=time.perf_counter() - start - overall_s if job.output else 0.0,
        n_partitions=len(tasks),
    )


def install(engine: Dask, workload: TaskWorkload) -> str:
    """Send the workload to all workers of the engine, now and later; gives the name that it has there."""
    plugin = importlib.import_module("bench.engines.task_plugin")
    name = f"{KEY}-{workload.name}-{hashlib.sha256(pickle.dumps(workload)).hexdigest()[:16]}"
    engine.client.register_plugin(plugin.Installed(name, workload), name=name)
    return name


def warm_up_workers(engine: Dask, job: Job, workload: TaskWorkload) -> None:
    """Have every worker's process load what tasks need, and do the first task.

    Raises
    ------
    BenchError
        A worker cannot.
    """
    plugin = importlib.import_module("bench.engines.task_plugin")
    workload.warm_up()
    name = install(engine, workload)
    task = workload.tasks(job, engine.slots)[0]
    with scratch() as folder:
        # Each in a folder of its own: what is on trial here is the process, not the file.
        places = {address: str(folder / str(i)) for i, address in enumerate(engine.client.run(plugin.process_id))}
        try:
            for address, place in places.items():
                (answer,) = engine.client.run(plugin.run_task, task, name, place, workers=[address]).values()
                if isinstance(answer, BenchError):
                    raise answer
        finally:
            answers(engine.client, remove, str(folder))


def dask_task_pass(engine: Dask, job: Job, workload: TaskWorkload) -> Pass:
    """All tasks on the workers of an engine.

    Raises
    ------
    BenchError
        A task cannot be done, or killed its worker again and again, or its file is not where it can be seen from here.
    """
    plugin = importlib.import_module("bench.engines.task_plugin")
    name = install(engine, workload)
    began = time.perf_counter()
    tasks = workload.tasks(job, engine.slots)
    build_s = time.perf_counter() - began
    partials: list[Partial] = []
    outcomes: list[Outcome] = []
    with pass_folder(job, engine.name) as folder:
        run = uuid.uuid4().hex[:8]

        def trigger() -> None:
            futures = engine.client.map(
                plugin.run_task,
                tasks,
                name=name,
                folder=str(folder),
                key=[f"{KEY}-{run}-{number}" for number in range(len(tasks))],
                retries=RETRIES,
                pure=False,
            )
            partials.extend(gathered(engine.client, futures))
            outcomes.append(workload.combine(partials))

        def sizes() -> list[int]:
            # Tasks without input have no entries, and are no less work for it.
            return [each.entries for each in partials] if job.paths else [1] * len(partials)

        try:
            measured = engine.timed(trigger, lambda: outcomes[0], job, sizes, mark=f"{KEY}-{run}")
            ended = time.perf_counter()
            if job.output:
                check_visible(partials, folder)
                write_manifest(job, workload, measured.outcome, partials, folder)
        except BaseException:
            settle(engine.client)
            raise
        finally:
            if not job.output:
                answers(engine.client, remove, str(folder))
    return replace(measured, build_s=build_s, save_s=time.perf_counter() - ended if job.output else 0.0)


def settle(client: Any) -> None:
    """Wait for what is cancelled and still runs, or it would write into a folder that is already taken away.

    A worker does one thing at a time, so that what is sent to each comes after.
    """
    distributed = importlib.import_module("distributed")
    workers = list(client.scheduler_info(n_workers=-1)["workers"])
    last = [client.submit(os.getpid, workers=[address], pure=False) for address in workers]
    # A worker that dies meanwhile writes nothing more either.
    with suppress(TimeoutError, distributed.TimeoutError):
        distributed.wait(last, timeout=SETTLES_WITHIN_S)
    client.cancel(last)


def gathered(client: Any, futures: Sequence[Any]) -> list[Partial]:
    """The results of all tasks, in their order.

    Raises
    ------
    BenchError
        One of them cannot be had.
    """
    distributed = importlib.import_module("distributed")
    try:
        given = cast("list[Partial | BenchError]", client.gather(futures))
    except distributed.KilledWorker as error:
        raise BenchError(
            "a task was given up",
            str(error),
            "See the workers' logs: they may have too little memory for a chunk of the input.",
            Exit.INVALID,
        ) from error
    except OSError as error:
        raise BenchError(
            f"a task failed {RETRIES + 1} times",
            str(error),
            "See that input and output can be reached by all workers.",
            Exit.CANNOT_TELL,
        ) from error
    finally:
        client.cancel(futures)
    done: list[Partial] = []
    for answer in given:
        if isinstance(answer, BenchError):
            raise answer
        done.append(answer)
    return done


@contextmanager
def scratch() -> Generator[Path]:
    """A folder that is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-parts-") as name:
        yield Path(name)


@contextmanager
def pass_folder(job: Job, engine: str) -> Generator[Path]:
    """Where the tasks of a pass write.

    Where the output is kept, this is a hidden folder beside the final one, which it replaces as a whole when the pass
    has ended well: no reader ever finds files of two passes together, or half of one.
    """
    if job.output is None:
        with scratch() as folder:
            yield folder
        return
    final = job.output / engine
    job.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{engine}.", dir=job.output) as name:
        new, old = Path(name) / "new", Path(name) / "old"
        new.mkdir()
        yield new
        if final.exists():
            final.rename(old)
        new.rename(final)


def remove(folder: str) -> None:
    """Delete a folder; sent to every worker, which may be on another machine."""
    shutil.rmtree(folder, ignore_errors=True)


def check_visible(partials: Sequence[Partial], folder: Path) -> None:
    """See that the files that workers have written are here.

    Raises
    ------
    BenchError
        One is not.
    """
    for part in parts_of(partials):
        path = folder / part.file_name
        size = path.stat().st_size if path.is_file() else None
        if size != part.size_bytes:
            raise BenchError(
                f"{path} was written by a worker and is not here",
                "the folder is not on a disk that workers and client share" if size is None else f"it has {size} bytes",
                "Name a folder on a shared volume with --output, or none.",
                Exit.CANNOT_TELL,
            )


def parts_of(partials: Sequence[Partial]) -> list[Part]:
    """All files, in the order of the tasks."""
    return [part for each in partials for part in each.parts]


def write_manifest(
    job: Job, workload: TaskWorkload, outcome: Outcome, partials: Sequence[Partial], folder: Path
) -> None:
    """List the files of a pass."""
    manifest = Manifest(
        workload=workload.name,
        input_files=tuple(job.files),
        input_entries=outcome.entries,
        remarks=dict(workload.remarks()),
        tallies=dict(outcome.tallies),
        parts=tuple(ManifestPart(**vars(part)) for part in parts_of(partials)),
    )
    with replacing(folder / MANIFEST) as temporary:
        temporary.write_text(manifest.model_dump_json(indent=2) + "\n")
