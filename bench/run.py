"""The procedure of a run: prepare the input, have it measured, compare, judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from .datasets.access import Staging
from .datasets.default import default_inputs
from .datasets.finite import refuse_not_finite
from .datasets.inspect import refuse_empty
from .datasets.locate import Source, own_input
from .datasets.remote import RemoteFile, on_this_machine
from .datasets.repack import DEFAULT_ENTRIES_PER_CLUSTER, repack
from .engines.model import Engine, Job, local_pass
from .errors import BenchError, Exit
from .measure.equality import Difference, Physics, compare
from .measure.phases import Phases
from .measure.statistics import ratio_of_medians
from .measure.verdict import before_the_passes, in_words, limits
from .measure.zfit import fit_mass
from .passes import measure
from .report.model import InputFile, Measurement, RunInput, RunResult
from .terminal import Terminal
from .workloads import FccZee, Outcome, TaskWorkload, Workload

TUNED = "tuned"


@dataclass(frozen=True)
class Prepared:
    """The input of a run, on this machine: what was found, what is read, and what one pass over the original gives."""

    sources: tuple[Source, ...]
    job: Job
    read_sha256: tuple[str, ...]
    repacked: bool
    yields: Outcome
    recorded: tuple[Difference, ...]

    def comparable(self, outcome: Outcome) -> Outcome:
        """What a result has in common with the yields: a copy has columns more, of which histograms are made."""
        if not self.repacked:
            return outcome
        common = {each.name for each in self.yields.histograms}
        return replace(outcome, histograms=tuple(each for each in outcome.histograms if each.name in common))

    def record(self) -> RunInput:
        """As it is written down."""
        names = {source.dataset.name if source.dataset else None for source in self.sources}
        return RunInput(
            dataset=names.pop() if len(names) == 1 else None,
            stand_in=any(source.stand_in for source in self.sources),
            repacked=self.repacked,
            files=tuple(
                InputFile(
                    file_name=source.path.name,
                    origin=source.origin,
                    sha256=source.sha256,
                    read_sha256=digest,
                    entries=each.entries,
                    clusters=each.n_clusters,
                )
                for source, digest, each in zip(self.sources, self.read_sha256, self.job.layouts, strict=True)
            ),
        )


def prepare(
    workload: Workload | TaskWorkload,
    inputs: Sequence[str | Path],
    terminal: Terminal,
    phases: Phases,
    entries_per_cluster: int | None = DEFAULT_ENTRIES_PER_CLUSTER,
    staging: Staging = Staging.PULL,
    output: Path | None = None,
) -> Prepared:
    """Find the input, rewrite it in small clusters (None: read it as it is), and take the yields of the original.

    Raises
    ------
    BenchError
        A file is missing, broken, or has not the columns that the workload needs.
    """
    sources: tuple[Source, ...] = ()
    # A scan makes its own input: there is nothing to find, and nothing to cut into clusters.
    if workload.tree:
        with phases.phase("locate"):
            named = tuple(own_input(each, staging, terminal) for each in inputs)
            sources = named or default_inputs(workload.name, terminal)
    for source in sources:
        terminal.say(f"input {source.path} ({source.origin}), {source.checksum}")
    originals = tuple(source.path for source in sources)
    with phases.phase("yields"), terminal.step("yields of the input as it is, in one thread"):
        job = Job.over(workload, originals)
        if sources:
            refuse_empty(job.paths, job.layouts, workload.tree)
        try:
            yields = local_pass(job).outcome
        except LookupError as error:
            next_step = f"Give an input for {workload.name}."
            place = str(originals[0]) if originals else workload.name
            raise BenchError(place, str(error), next_step, Exit.CANNOT_TELL) from error
        refuse_not_finite(yields, job.paths, tuple(job.layouts_of))
    recorded = against_catalogue(sources, yields)
    digests = tuple(source.sha256 for source in sources)
    in_place = any(isinstance(path, RemoteFile) for path in originals)
    if in_place:
        terminal.say("read where it lies, in the clusters that it has")
    # Files of many trees come from generators and n-tuple makers that write small clusters themselves.
    kept_as_is = isinstance(workload, TaskWorkload) and not workload.repackable
    repacked = bool(sources) and not job.others and not in_place and not kept_as_is and entries_per_cluster is not None
    if repacked and entries_per_cluster is not None:
        with phases.phase("repack"), terminal.step(f"input in clusters of {entries_per_cluster} entries"):
            copies = [
                repack(on_this_machine(each.path, "repack"), each.sha256, workload.tree, entries_per_cluster)
                for each in sources
            ]
        read = tuple(copy.path for copy in copies)
        digests = tuple(copy.sha256 for copy in copies)
        job = Job.over(workload, read)
    return Prepared(sources, replace(job, output=output), digests, repacked, yields, recorded)


def against_catalogue(sources: Sequence[Source], yields: Outcome) -> tuple[Difference, ...]:
    """Steps of the cut flow that differ from those recorded for the file in the catalogue."""
    if len(sources) != 1 or sources[0].dataset is None:
        return ()
    expected = sources[0].dataset.expected_cutflow
    return tuple(
        Difference(f"events after {cut.name}", expected[cut.name], cut.events, 0)
        for cut in yields.cutflow
        if expected.get(cut.name, cut.events) != cut.events
    )


def judge(
    prepared: Prepared,
    measurement: Measurement,
    started: datetime,
    phases: Phases,
    engine: str,
    mode: str = TUNED,
    site: str | None = None,
    image: str | None = None,
) -> RunResult:
    """Put the result together with its two verdicts."""
    replicas = measurement.replicas
    found = prepared.comparable(measurement.outcome)
    once = compare(prepared.yields, found, f"{replicas} × the input as it is", replicas)
    if prepared.recorded:
        once = replace(once, verdict=Physics.UNEQUAL, differences=(*prepared.recorded, *once.differences))
    expected = replicas * prepared.yields.entries
    if measurement.entries != expected:
        missing = Difference("entries of the files", expected, measurement.entries, 0)
        once = replace(once, verdict=Physics.UNEQUAL, differences=(missing, *once.differences))
    measurement = measurement.model_copy(update={"comparisons": (once, *measurement.comparisons)})
    verdicts = {each.verdict for each in measurement.comparisons}
    physics = next(v for v in (Physics.UNEQUAL, Physics.UNKNOWN, Physics.EQUAL) if v in verdicts)
    timing = f"disturbed ({'; '.join(measurement.disturbances)})" if measurement.disturbances else "valid"
    distributed = measurement.distributed
    ratio = (
        ratio_of_medians(
            [each.overall_s for each in measurement.serial.passes], [each.overall_s for each in distributed.passes]
        )
        if distributed
        else None
    )
    fit = None
    if isinstance(prepared.job.workload, FccZee):
        with phases.phase("fit"):
            fit = fit_mass(measurement.outcome, replicas)
    usable = physics is Physics.EQUAL and timing == "valid" and distributed is not None
    return RunResult(
        started=started,
        workload=prepared.job.workload.name,
        title=prepared.job.workload.title,
        engine=engine,
        mode=mode,
        site=site,
        image=image,
        input=prepared.record(),
        yields=prepared.yields,
        measurement=measurement,
        physics=physics,
        timing=timing,
        speed_up=ratio.value if usable and ratio else None,
        speed_up_interval=ratio if usable else None,
        limited_by=in_words(limits(measurement), before_the_passes(measurement, phases.wall_s)) if usable else "",
        fit=fit,
        phases_s=dict(phases.wall_s),
    )


def run_here(
    workload: Workload | TaskWorkload,
    inputs: Sequence[str | Path],
    engine: Engine,
    repeats: int,
    replicas: int | None,
    terminal: Terminal,
    entries_per_cluster: int | None = DEFAULT_ENTRIES_PER_CLUSTER,
    mode: str = TUNED,
    staging: Staging = Staging.PULL,
    output: Path | None = None,
    cold: bool = False,
) -> RunResult:
    """A whole run, driven by this process."""
    started, phases = datetime.now(UTC), Phases()
    prepared = prepare(workload, inputs, terminal, phases, entries_per_cluster, staging, output)
    measurement = measure(prepared.job, engine, repeats, replicas, terminal, phases, cold)
    return judge(prepared, measurement, started, phases, engine.name, mode)


def exit_status(result: RunResult) -> Exit:
    """Status of the command: a result that must not be used is no success."""
    return Exit.OK if result.valid else Exit.INVALID
