"""The procedure of a run: prepare the input, measure, compare, judge."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from .datasets.access import Staging
from .datasets.default import default_inputs
from .datasets.finite import refuse_not_finite
from .datasets.inspect import refuse_empty
from .datasets.locate import Source, own_input
from .datasets.remote import RemoteFile, on_this_machine
from .datasets.repack import DEFAULT_ENTRIES_PER_CLUSTER, repack
from .engines.cold import cold_pass_s
from .engines.local import Serial, Threads
from .engines.model import Engine, Job, Pass, local_pass
from .errors import BenchError, Exit
from .measure.environment import Environment, environment
from .measure.equality import Comparison, Difference, Physics, compare
from .measure.phases import Phases
from .measure.statistics import ratio_of_medians
from .measure.verdict import before_the_passes, in_words, limits
from .measure.zfit import fit_mass
from .report.model import InputFile, Measurement, Passes, RunInput, RunResult, TimedPass
from .terminal import Terminal
from .workloads import FccZee, Outcome, TaskWorkload, Workload

# A serial pass shorter than this says little: starting tasks and reading files would weigh as much as the events.
MIN_SERIAL_S = 2.0
# Aimed at, so that the next pass is not below the minimum for being a little quicker.
AIM_SERIAL_S = 2.6
MIN_CLUSTERS_PER_SLOT = 4
MAX_REPLICAS = 5000
CALIBRATION_REPLICAS = 8
# Below this share of a processor a process was waiting for others, and its time is theirs.
MIN_CPU_SHARE = 0.5
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


def measure(
    job: Job,
    engine: Engine,
    repeats: int,
    replicas: int | None,
    terminal: Terminal,
    phases: Phases,
    cold: bool = False,
) -> Measurement:
    """Run serially and on the engine, on the very same input.

    The overall time of a pass runs from the trigger of the execution to its end (the definition of the talk of INFN
    Napoli, 21 May 2024). Connecting, staging and compiling are phases of their own and no part of it.

    Parameters
    ----------
    replicas : int or None
        How many times the input is read; None: so that a serial pass takes 2 s, with 4 clusters or more a slot.
    cold : bool
        Whether one more pass of each kind is timed in processes that have compiled nothing yet.
    """
    surroundings = environment()
    with phases.phase("connect"):
        terminal.say(f"engine {engine.name}: starting")
        engine.__enter__()
    try:
        terminal.say(f"engine {engine.name}: slots {engine.slots}, after {phases.wall_s['connect']:.1f} s")
        if engine.name == Threads.name and isinstance(job.workload, TaskWorkload):
            terminal.say(f"{job.workload.name} is a list of tasks: they run one after the other here")
        serial = Serial()
        with phases.phase("warm-up serial"), terminal.step("compiling for the serial reference"):
            serial.warm_up(job)
        with terminal.step("serial, first pass"):
            job, first = sized(job, engine.slots, replicas, phases)
        alone = engine.name == serial.name
        cold_s: dict[str, float] = {}
        if cold:
            with phases.phase("cold"), terminal.step("a pass of each kind in new processes"):
                cold_s[serial.name] = cold_pass_s(job)
                # Threads are of this process, which has compiled the graph.
                if engine.name not in (serial.name, Threads.name):
                    cold_s[engine.name] = engine.run(job).overall_s
        if not alone:
            with phases.phase("warm-up"), terminal.step(f"compiling on {engine.slots} slots"):
                engine.warm_up(job)
        references, distributed = [first], list[Pass]()
        kinds = "serial" if alone else f"serial and {engine.name} in turns"
        with terminal.step(f"{kinds}, {job.entries:,} entries, {repeats} passes") as progress:
            # In turns, so that a machine that gets slower meanwhile is slower for both.
            for number in range(repeats):
                if number:
                    with phases.phase("serial"):
                        references.append(serial.run(job))
                if not alone:
                    with phases.phase(engine.name):
                        distributed.append(engine.run(job))
                if number + 1 < repeats:
                    progress(how_far(references, distributed, job.entries, repeats))
        versions = dict(engine.versions())
    finally:
        with phases.phase("disconnect"):
            engine.__exit__(None, None, None)

    return measurement_of(job, engine, references, distributed, versions, surroundings, phases, cold_s)


def how_far(references: Sequence[Pass], distributed: Sequence[Pass], entries: int, repeats: int) -> str:
    """How many passes are done, at which rates (entries a second, or seconds of one), and how long the rest takes."""
    rates: list[str] = []
    left_s = 0.0
    for kind, passes in ((Serial.name, references), ("distributed", distributed)):
        if passes:
            took = median(each.overall_s for each in passes)
            # A scan has no entries.
            rates.append(f"{kind} {entries / took:,.0f} /s" if entries else f"{kind} {took:.1f} s")
            left_s += took * (repeats - len(passes))
    return f"{len(references)} of {repeats}, {', '.join(rates)}, {left_s:.0f} s left"


def measurement_of(
    job: Job,
    engine: Engine,
    references: Sequence[Pass],
    distributed: Sequence[Pass],
    versions: Mapping[str, str],
    surroundings: Environment,
    phases: Phases,
    cold_s: Mapping[str, float] | None = None,
) -> Measurement:
    """Put serial passes and those of an engine together, compared with the first serial one."""
    reference = references[0].outcome
    others = [(each.outcome, "the first serial pass") for each in references[1:]]
    others += [(each.outcome, "the serial reference") for each in distributed]
    return Measurement(
        replicas=job.replicas,
        entries=job.entries if job.paths else reference.entries,
        clusters=job.clusters,
        serial=as_passes(Serial.name, 1, references),
        distributed=as_passes(engine.name, engine.slots, distributed) if distributed else None,
        outcome=(distributed or references)[-1].outcome,
        comparisons=worst_of_each([compare(reference, outcome, words) for outcome, words in others]),
        disturbances=tuple(dict.fromkeys((*cpu_shortage(references, distributed), *faults(distributed)))),
        versions=dict(versions),
        environment=surroundings,
        phases_s=dict(phases.wall_s),
        cold_s=dict(cold_s or {}),
    )


def sized(job: Job, slots: int, replicas: int | None, phases: Phases) -> tuple[Job, Pass]:
    """The job with its number of replicas, and a first serial pass over it."""
    if not job.paths:
        replicas = 1
    if replicas is not None:
        job = replace(job, replicas=replicas)
        with phases.phase("serial"):
            return job, Serial().run(job)
    with phases.phase("calibrate"):
        # An input that takes long already is not read eight times to learn that.
        trial, tried = local_pass(replace(job, replicas=1)), 1
        if trial.loop_s < MIN_SERIAL_S / CALIBRATION_REPLICAS:
            trial, tried = local_pass(replace(job, replicas=CALIBRATION_REPLICAS)), CALIBRATION_REPLICAS
        for_slots = math.ceil(MIN_CLUSTERS_PER_SLOT * slots / job.clusters)
        wanted = math.ceil(AIM_SERIAL_S / trial.loop_s * tried)
    while True:
        job = replace(job, replicas=min(MAX_REPLICAS, max(wanted, for_slots)))
        with phases.phase("serial"):
            first = Serial().run(job)
        if first.loop_s >= MIN_SERIAL_S or job.replicas == MAX_REPLICAS:
            return job, first
        # At least one more, so that this ends.
        wanted = max(job.replicas + 1, math.ceil(job.replicas * AIM_SERIAL_S / first.loop_s))


def as_passes(name: str, slots: int, passes: Sequence[Pass]) -> Passes:
    """The times of some passes."""
    return Passes(
        engine=name,
        slots=slots,
        n_partitions=passes[0].n_partitions,
        passes=tuple(TimedPass.of(each) for each in passes),
        spans=passes[-1].spans,
        samples=passes[-1].samples,
    )


def worst_of_each(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """Of the comparisons with one reference, the one that deviates most: differences first, then the deviation."""
    worst: dict[str, Comparison] = {}
    for each in comparisons:
        known = worst.get(each.compared_with)
        if known is None or (len(each.differences), each.largest_deviation) > (
            len(known.differences),
            known.largest_deviation,
        ):
            worst[each.compared_with] = each
    return tuple(worst.values())


def cpu_shortage(references: Sequence[Pass], distributed: Sequence[Pass]) -> list[str]:
    """Processes that did not get the processors that they asked for, in the middle one of their passes."""
    shares: dict[str, list[float]] = {"the serial reference": [each.cpu_s / each.overall_s for each in references]}
    for each in distributed:
        for worker in each.workers:
            if worker.compute_s:
                shares.setdefault(f"worker {worker.name} on {worker.host}", []).append(worker.cpu_s / worker.compute_s)
    return [
        f"{who} had {median(share):.0%} of a processor"
        for who, share in shares.items()
        if median(share) < MIN_CPU_SHARE
    ]


def faults(passes: Sequence[Pass]) -> list[str]:
    """What happened during the passes."""
    return [reason for each in passes for reason in each.disturbances]


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
