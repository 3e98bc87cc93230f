"""The results as they are written to JSON. Units are part of the names."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..engines.model import Pass, Samples, TaskSpan, WorkerShare
from ..measure.balance import Balance, balance
from ..measure.environment import Environment
from ..measure.equality import Comparison, Physics
from ..measure.statistics import Estimate, median_of
from ..measure.zfit import MassFit
from ..workloads import Outcome


class Record(BaseModel):
    """A value that is read back as it was written."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TimedPass(Record):
    """Times of one pass; the result is kept once, for all passes."""

    overall_s: float = Field(description="trigger of the execution to its end")
    submit_s: float = Field(description="trigger to the start of the first task")
    loop_s: float = Field(description="start of the first task to the end of the last")
    merge_s: float = Field(description="end of the last task to the end of the execution")
    cpu_s: float = Field(description="processor time of all processes")
    build_s: float = Field(default=0.0, description="before the trigger: booking the graph, or listing the tasks")
    save_s: float = Field(default=0.0, description="after the end: what is done with written files")
    workers: tuple[WorkerShare, ...] = ()
    balance: Balance | None = Field(default=None, description="how evenly the workers were at work")
    disturbances: tuple[str, ...] = ()

    @classmethod
    def of(cls, measured: Pass) -> TimedPass:
        """Leave out the result."""
        return cls(
            overall_s=measured.overall_s,
            submit_s=measured.submit_s,
            loop_s=measured.loop_s,
            merge_s=measured.merge_s,
            cpu_s=measured.cpu_s,
            build_s=measured.build_s,
            save_s=measured.save_s,
            workers=measured.workers,
            balance=balance(measured.workers, measured.loop_s, measured.overall_s) if measured.workers else None,
            disturbances=measured.disturbances,
        )


class Passes(Record):
    """All passes of one engine over the same input."""

    engine: str
    slots: int
    n_partitions: int
    passes: tuple[TimedPass, ...]

    spans: tuple[TaskSpan, ...] = Field(default=(), description="tasks of the last pass")
    samples: tuple[Samples, ...] = Field(default=(), description="processes of the last pass, over time")

    @property
    def overall_s(self) -> float:
        """Median of the overall times."""
        return self.estimate.value

    @property
    def estimate(self) -> Estimate:
        """Median of the overall times, with its interval."""
        return median_of([each.overall_s for each in self.passes])

    @property
    def middle(self) -> TimedPass:
        """The pass whose overall time is the median, or just above it."""
        return sorted(self.passes, key=lambda each: each.overall_s)[len(self.passes) // 2]


class Measurement(Record):
    """What the process that drives an engine finds out; in Kubernetes this is what the Job gives back."""

    replicas: int = Field(description="how many times the input is read, one after the other")
    entries: int
    clusters: int
    serial: Passes = Field(description="the reference, in one thread of the driving process")
    distributed: Passes | None = None
    outcome: Outcome
    comparisons: tuple[Comparison, ...]
    disturbances: tuple[str, ...] = Field(description="why the times must not be used; none: they may")
    versions: dict[str, str]
    environment: Environment = Field(description="where the driving process ran")
    phases_s: dict[str, float]
    cold_s: dict[str, float] = Field(
        default={},
        description="overall time of one pass in processes that had compiled nothing, by engine, if that was asked for",
    )

    @property
    def all_passes(self) -> list[Passes]:
        """The serial passes, then the distributed ones where there are any."""
        return [self.serial, *([self.distributed] if self.distributed else [])]


class InputFile(Record):
    """A file that was read."""

    file_name: str
    origin: str
    sha256: str
    read_sha256: str = Field(description="of the copy that was read: in small clusters, where it was repacked")
    entries: int
    clusters: int


class RunInput(Record):
    """The input of a run."""

    dataset: str | None = Field(description="name in the catalogue, if all files are the catalogue's")
    stand_in: bool = Field(description="generated events: no real physics")
    repacked: bool
    files: tuple[InputFile, ...]


class RunResult(Record):
    """Result of `bench run`."""

    kind: Literal["bench.run/1"] = "bench.run/1"
    started: datetime
    workload: str
    title: str
    engine: str
    mode: str = Field(description="'tuned', or what is done as others do it")
    site: str | None
    image: str | None = Field(description="analysis image, by digest, where the workload ran in one")
    input: RunInput
    yields: Outcome = Field(description="one pass over the input as it is, on the machine of the command")
    measurement: Measurement
    physics: Physics
    timing: str = Field(description="'valid', or 'disturbed (why)'")
    speed_up: float | None = Field(description="serial over distributed overall time; none from disturbed times")
    speed_up_interval: Estimate | None = Field(default=None, description="the same with its bootstrap interval, 95 %")
    limited_by: str = Field(default="", description="what limited the distributed passes, in words")
    fit: MassFit | None = Field(default=None, description="fit of m(ee), of fcc-zee, of the input read once")
    phases_s: dict[str, float]

    @property
    def valid(self) -> bool:
        """Whether the result may be used."""
        return self.physics is Physics.EQUAL and self.timing == "valid"
