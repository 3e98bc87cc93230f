"""How the passes of a run are made and timed: serially and on an engine, in turns, on the very same input."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

from .engines.cold import cold_pass_s
from .engines.local import Serial, Threads
from .engines.model import Engine, Job, Pass, local_pass
from .measure.environment import Environment, environment
from .measure.equality import Comparison, compare
from .measure.phases import Phases
from .report.model import Measurement, Passes, TimedPass
from .terminal import Terminal
from .workloads import TaskWorkload

# A serial pass shorter than this says little: starting tasks and reading files would weigh as much as the events.
MIN_SERIAL_S = 2.0
# Aimed at, so that the next pass is not below the minimum for being a little quicker.
AIM_SERIAL_S = 2.6
MIN_CLUSTERS_PER_SLOT = 4
MAX_REPLICAS = 5000
CALIBRATION_REPLICAS = 8
# Below this share of a processor a process was waiting for others, and its time is theirs.
MIN_CPU_SHARE = 0.5


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
