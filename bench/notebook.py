"""What the example notebooks share: an analysis, its input brought to all workers, and histograms to draw.

from bench.notebook import Analysis, bins
zee = Analysis.of("fcc-zee", client)
found = zee.run()
values, edges, errors = bins(found.histogram("m_ee"))
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from .datasets.files import replacing, sha256
from .datasets.remote import RemoteFile
from .engines.dask import Dask
from .engines.model import Job
from .errors import BenchError, Exit
from .measure.equality import Comparison, compare
from .measure.phases import Phases
from .run import Prepared, prepare
from .terminal import Terminal
from .workloads import WORKLOADS, Histogram, Outcome

WorkerPlugin: Any = importlib.import_module("distributed").WorkerPlugin
# The same path in the notebook and on every worker: a distributed RDataFrame has one list of files.
FOLDER = Path("/tmp/bench-inputs")
# What goes to a worker goes through the scheduler; more belongs on a server (root://), or into the nodes' data sets.
MAX_BRING_BYTES = 200_000_000


class Bring(WorkerPlugin):
    """Writes a file on each worker, also on those that come later."""

    idempotent = True

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.name = f"bench-input-{path.parent.name}-{path.name}"
        self.content = path.read_bytes()

    def setup(self, worker: Any) -> None:
        """Write it; workers on one machine, and the notebook, may share the folder."""
        path = Path(self.path)
        if path.is_file() and path.stat().st_size == len(self.content):
            return
        with replacing(path) as temporary:
            temporary.write_bytes(self.content)


@dataclass(frozen=True)
class Analysis:
    """A workload on its input, on the workers of a Dask client.

    Attributes
    ----------
    alone : what one thread has found in the input, for comparison
    stand_in : whether the events were generated, as for data that are not public
    """

    client: Any
    prepared: Prepared
    job: Job

    @classmethod
    def of(cls, workload: str, client: Any, inputs: Sequence[str | Path] = (), entries_per_cluster: int = 250) -> Self:
        """Find the input of a workload, analyse it in one thread, and bring it to the workers.

        Parameters
        ----------
        inputs : files in place of the workload's own; those with an address (root://) stay where they are
        entries_per_cluster : a task has one cluster at least, so that small ones make many tasks

        Raises
        ------
        BenchError
            There is no such workload; an input is missing or broken, or too large for this way to the workers.
        """
        if workload not in WORKLOADS:
            raise BenchError(f"analysis {workload}", "there is none", f"There are: {', '.join(WORKLOADS)}.")
        prepared = prepare(WORKLOADS[workload], inputs, Terminal(), Phases(), entries_per_cluster)
        job = replace(prepared.job, paths=tuple(brought(path, client) for path in prepared.job.paths))
        return cls(client, prepared, job)

    @property
    def alone(self) -> Outcome:
        return self.prepared.yields

    @property
    def stand_in(self) -> bool:
        return any(source.stand_in for source in self.prepared.sources)

    def run(self) -> Outcome:
        """One pass over the input, on all workers that are there now."""
        with Dask("dask", lambda stack: self.client) as engine:
            return engine.run(self.job).outcome

    def compared(self, found: Outcome) -> Comparison:
        """What the workers have found against what one thread has found, bin by bin."""
        return compare(self.alone, self.prepared.comparable(found), "one thread")


def brought(path: Path | RemoteFile, client: Any) -> Path | RemoteFile:
    """Where a file lies on all workers, after it has been brought there.

    Raises
    ------
    BenchError
        It is too large to go through the scheduler.
    """
    if isinstance(path, RemoteFile):
        return path
    if (size := path.stat().st_size) > MAX_BRING_BYTES:
        raise BenchError(
            str(path),
            f"{size:,} bytes are too many to go through the scheduler (most: {MAX_BRING_BYTES:,})",
            "Read it from a server, by its root:// address.",
            Exit.CANNOT_TELL,
        )
    target = FOLDER / sha256(path)[:16] / path.name
    if not target.is_file():
        with replacing(target) as temporary:
            shutil.copyfile(path, temporary)
    client.register_plugin(Bring(target))
    return target


def bins(histogram: Histogram) -> tuple[list[float], list[float], list[float]]:
    """Contents, edges and statistical errors of a histogram's n bins (n, n + 1 and n numbers), for mplhep or hist."""
    return (
        list(histogram.contents[1:-1]),
        list(histogram.edges),
        [value**0.5 for value in histogram.sumw2[1:-1]],
    )
