"""Workers that sleep instead of computing, many in one process.

Each is Dask's own state machine of a worker, with a connection of its own to the scheduler: it takes the same messages
and sends the same as a worker that computes. Left out is what a worker does on a core of its own or with its peers:
threads, serialising results, sending them to each other.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import resource
import signal
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

core: Any = importlib.import_module("distributed.core")
machine: Any = importlib.import_module("distributed.worker_state_machine")
BaseWorker: Any = machine.BaseWorker

CONNECTS_AT_A_TIME = 32
# For so long a worker collects what it sends: the default of distributed.Worker.
COLLECTS_FOR = "2ms"
STATED_MEMORY_BYTES = 1 << 30
# No task takes less. One of no time at all, which no real worker reports, fails an assertion of Dask's work stealing,
# and the scheduler takes the worker for lost (seen with distributed 2026.8.0; distributed issue 7523).
LEAST_S = 1e-4
# The scheduler's messages to a worker, and the events that they are to its state machine.
EVENTS: Mapping[str, Any] = {
    "acquire-replicas": machine.AcquireReplicasEvent,
    "cancel-compute": machine.CancelComputeEvent,
    "compute-task": machine.ComputeTaskEvent,
    "free-keys": machine.FreeKeysEvent,
    "refresh-who-has": machine.RefreshWhoHasEvent,
    "remove-replicas": machine.RemoveReplicasEvent,
    "remove-worker": machine.RemoveWorkerEvent,
    "steal-request": machine.StealRequestEvent,
}


def sleep_map(seconds: float) -> float:
    """A task of the map; its worker sleeps so long. Workers that compute are not meant to run it."""
    time.sleep(seconds)
    return seconds


def sleep_reduce(_left: Any, _right: Any, seconds: float) -> float:
    """A task that merges the results of two others; its worker sleeps so long."""
    time.sleep(seconds)
    return seconds


class SleepingWorker(BaseWorker):
    """A worker of one thread that has nothing to compute."""

    def __init__(self, number: int) -> None:
        # Nobody connects there: it only has to differ from the others'.
        self.address = f"tcp://127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}:9"
        self.name = f"sleeper-{number}"
        BaseWorker.__init__(self, machine.WorkerState(nthreads=1, address=self.address, validate=False))
        self._stream: Any = None
        self._came: dict[Any, float] = {}
        self._free_at = 0.0

    async def start(self, scheduler: str, versions: Mapping[str, Any]) -> tuple[asyncio.Task[None], float]:
        """Register; gives what listens to the scheduler, and how often that wants to hear from the worker [s]."""
        comm = await core.connect(scheduler)
        await comm.write(
            {
                "op": "register-worker",
                "reply": False,
                "address": self.address,
                "status": "running",
                "nthreads": 1,
                "name": self.name,
                "now": time.time(),
                "resources": {},
                "memory_limit": STATED_MEMORY_BYTES,
                "local_directory": "",
                "services": {},
                "nanny": "",
                "pid": os.getpid(),
                "versions": versions,
                "metrics": self.metrics(),
                "extra": {},
                "stimulus_id": f"worker-connect-{time.time()}",
                "server_id": self.name,
            },
            serializers=["msgpack"],
        )
        answer = await comm.read()
        if answer["status"] != "OK":
            raise ConnectionRefusedError(answer.get("message", "the scheduler refused a worker"))
        self._stream = importlib.import_module("distributed.batched").BatchedSend(interval=COLLECTS_FOR)
        self._stream.start(comm)
        return asyncio.create_task(self._listen(comm)), float(answer["heartbeat-interval"])

    async def _listen(self, comm: Any) -> None:
        closed: Any = importlib.import_module("distributed.comm").CommClosedError
        while True:
            try:
                messages: tuple[dict[str, Any], ...] = await comm.read()
            except closed:
                return
            for message in messages:
                op = message.pop("op")
                if op in ("close", "close-stream"):
                    return
                if op == "compute-task":
                    self._came[message["key"]] = time.time()
                if op in EVENTS:
                    self.handle_stimulus(EVENTS[op](**message))
            await asyncio.sleep(0)

    def metrics(self) -> dict[str, Any]:
        """What a worker tells of itself with every heartbeat."""
        return {
            "task_counts": {},
            "bandwidth": {"total": 1e8, "workers": {}, "types": {}},
            "digests_total_since_heartbeat": {},
            "managed_bytes": self.state.nbytes,
            "spilled_bytes": {"memory": 0, "disk": 0},
            "transfer": {},
            "event_loop_interval": 0.02,
            "cpu": 0.0,
            "memory": 0,
            "time": time.time(),
        }

    def batched_send(self, msg: dict[str, Any]) -> None:
        self._stream.send(msg)

    async def gather_dep(self, worker: str, to_gather: Collection[Any], total_nbytes: int, *, stimulus_id: str) -> Any:
        # No byte goes over: results are nothing.
        return machine.GatherDepSuccessEvent(
            worker=worker, total_nbytes=total_nbytes, data=dict.fromkeys(to_gather), stimulus_id=stimulus_id
        )

    async def execute(self, key: Any, *, stimulus_id: str) -> Any:
        task = self.state.tasks[key]
        now, came = time.time(), self._came.pop(key, 0.0)
        # A task that had come before the last one ended begins right after it, however late this process is: on a core
        # of its own the worker would not have waited for the others here.
        start = now if task.dependencies or not came else min(now, max(came, self._free_at))
        task.start_time = start
        seconds = max(LEAST_S, float(task.run_spec.args[-1]))
        self._free_at = stop = start + seconds
        await asyncio.sleep(max(0.0, stop - time.time()))
        return machine.ExecuteSuccessEvent(
            key=key, run_id=task.run_id, value=None, start=start, stop=stop, nbytes=16, type=float,
            stimulus_id=f"task-finished-{time.time()}",
        )  # fmt: skip

    async def retry_busy_worker_later(self, worker: str) -> Any:
        await asyncio.sleep(0.15)
        return machine.RetryBusyWorkerEvent(worker=worker, stimulus_id=f"retry-busy-{time.time()}")

    def digest_metric(self, name: Any, value: float) -> None:
        return None


async def work(scheduler: str, workers: int, ready: Callable[[], None]) -> None:
    """Have workers at a scheduler until it closes their connections."""
    versions = importlib.import_module("distributed.versions").get_versions()
    pool = core.ConnectionPool(limit=CONNECTS_AT_A_TIME)
    turn = asyncio.Semaphore(CONNECTS_AT_A_TIME)

    async def one(number: int) -> tuple[SleepingWorker, asyncio.Task[None], float]:
        async with turn:
            worker = SleepingWorker(number)
            return worker, *await worker.start(scheduler, versions)

    async def beat(worker: SleepingWorker, every_s: float, offset_s: float) -> None:
        await asyncio.sleep(offset_s)
        while True:
            answer = await pool(scheduler).heartbeat_worker(
                address=worker.address, now=time.time(), metrics=worker.metrics(), executing={}, extensions={}
            )
            await asyncio.sleep(float(answer.get("heartbeat-interval", every_s)))

    started = await asyncio.gather(*(one(number) for number in range(workers)))
    every_s = max(each for _, _, each in started)
    beats = [
        asyncio.create_task(beat(worker, every_s, every_s * place / workers))
        for place, (worker, _, _) in enumerate(started)
    ]
    ready()
    await asyncio.gather(*(listening for _, listening, _ in started))
    for each in beats:
        each.cancel()
    await asyncio.gather(*beats, return_exceptions=True)
    await pool.close()


def serve(pipe: Connection) -> None:
    """Entry point of the process: workers for one scheduler after the other, until the pipe is closed.

    It hears an address and a number, answers when all are registered, and, asked again, when all of them have gone.
    """
    prepare_process()
    with suppress(EOFError, OSError):
        while True:
            scheduler, workers = pipe.recv()
            asyncio.run(work(scheduler, workers, lambda: pipe.send("ready")))
            pipe.recv()
            pipe.send("gone")


def prepare_process() -> None:
    """Leave an interrupt to the process that started this one, be quiet, and have as many files open as is allowed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    importlib.import_module("distributed")
    for name in ("distributed", "distributed.scheduler", "distributed.core"):
        logging.getLogger(name).setLevel(logging.ERROR)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
