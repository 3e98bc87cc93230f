"""What processes do over time: read from outside, kept within bounds, and gone with the process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from bench.engines.dask import Dask
from bench.engines.local import Serial
from bench.engines.model import Job
from bench.engines.observe import MAX_SAMPLES, Reading, Watch, readings_here, samples, share_of, watch_here
from bench.workloads import WORKLOADS


def readings(n: int) -> list[Reading]:
    """A process that always has half a processor, grows by a byte a reading, and reads 100 bytes a second."""
    return [Reading(10 + 0.2 * i, 0.1 * i, i, 20 * i, 0, i == 1) for i in range(n)]


def test_samples_are_rates_between_readings():
    found = samples("a", readings(4), start=10.1, most=100)
    assert found.at_s == (0.1, 0.3, 0.5)
    assert found.cpu == (0.5, 0.5, 0.5)
    assert found.read_bytes_per_s == (100, 100, 100)
    assert found.memory_bytes == (1, 2, 3)
    assert found.waits == (True, False, False)


def test_long_passes_are_kept_in_few_samples():
    found = samples("a", readings(1001), start=10, most=50)
    assert len(found.at_s) <= 50
    assert set(found.cpu) == {0.5}
    assert found.at_s[-1] == 200
    assert share_of(1) == MAX_SAMPLES
    assert 20 <= share_of(10**6) <= 50


def test_half_a_line_is_no_reading():
    watch = Watch()
    try:
        last = watch.readings()[-1]
        assert last.memory_bytes > 2**20
        assert last.cpu_s > 0
        watch._lines.write(b"170000")  # pyright: ignore[reportPrivateUsage]
        watch._lines.flush()  # pyright: ignore[reportPrivateUsage]
        assert watch.readings()[-1].at >= last.at
    finally:
        watch.close()
    assert not watch.alive


def test_readings_reach_over_both_ends_of_a_pass():
    watch_here()
    start = time.time()
    while len(found := readings_here(start, time.time())) < 3:
        time.sleep(0.1)
    assert found[0].at < start
    assert found[-1].at > start


def test_sampler_ends_with_its_process():
    code = "from bench.engines.observe import _watches, watch_here; import os; watch_here();"
    code += "print(_watches[os.getpid()]._sampler.pid, flush=True); os._exit(1)"
    pid = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout)
    deadline = time.monotonic() + 20
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(pid)


def test_every_process_of_a_pass_is_seen(two_workers: Dask, stand_in: Path):
    job = Job.over(WORKLOADS["fcc-zee"], (stand_in,))
    (own,) = Serial().run(job).samples
    assert own.name == "serial"
    measured = two_workers.run(job)
    assert [each.name for each in measured.samples] == [each.name for each in measured.workers]
    for each in measured.samples:
        assert len(each.at_s) == len(each.cpu) == len(each.memory_bytes) == len(each.waits)
        assert min(each.memory_bytes) > 2**24
    assert os.getpid() not in two_workers.client.run(os.getpid).values()
