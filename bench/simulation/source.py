"""What was measured before, as far as a simulation is fed by it or checked against it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ..errors import BenchError, Exit
from ..report.acceptance import AcceptResult
from ..report.model import RunResult
from ..report.read import read_result
from ..report.sweep import SweepPoint, SweepResult
from ..report.write import ACCEPT_FILE, RUN_FILE
from ..sweeping import LOCAL, SWEEP_FILE


@dataclass(frozen=True)
class Source:
    """What was measured: the run that feeds the simulation, its place, and all points that were measured with it."""

    path: Path
    run: RunResult
    points: tuple[SweepPoint, ...]
    cores: float | None


def source_of(path: Path, cores: float | None) -> Source:
    """What was measured, from a file or a folder of a run or of a sweep of workers.

    Raises
    ------
    BenchError
        It is neither, or the sweep has no point that could feed a simulation.
    """
    if not path.is_file():
        found = next((path / name for name in (SWEEP_FILE, RUN_FILE) if (path / name).is_file()), None)
        if found is None:
            why = f"it holds neither {SWEEP_FILE} nor {RUN_FILE}"
            raise BenchError(str(path), why, "Name a folder of bench run or bench sweep workers.", Exit.CANNOT_TELL)
        path = found
    if kind_of(path) != SweepResult.model_fields["kind"].default:
        run = read_result(path, RunResult)
        return Source(path, run, (), cores_of(path, run.engine, run.measurement.environment.cores, cores))
    sweep = read_result(path, SweepResult)
    if sweep.sweep != "workers":
        raise BenchError(
            str(path), f"it is a sweep of {sweep.sweep}: its points differ in more than their workers",
            f"Take one of bench sweep workers {sweep.workload}.", Exit.CANNOT_TELL,
        )  # fmt: skip
    had = cores_of(path, sweep.engine, sweep.environment.cores, cores)
    points = sorted((each for each in sweep.points if each.valid), key=lambda each: each.slots)
    usable = [each for each in points if had is None or each.slots <= round(had)]
    if not usable:
        raise BenchError(
            str(path), "no point of it is valid and has a core for each worker",
            f"Run bench sweep workers {sweep.workload} when nobody else uses the machine.", Exit.INVALID,
        )  # fmt: skip
    below = path.parent / usable[0].folder / RUN_FILE
    if not below.is_file():
        raise BenchError(
            str(path), f"the times of single tasks are in {below}, which is not there",
            "Keep the folders of a sweep together.", Exit.CANNOT_TELL,
        )  # fmt: skip
    return Source(below, read_result(below, RunResult), tuple(sweep.points), had)


def kind_of(path: Path) -> str:
    """What a file says it is; what cannot be read is told by whoever reads it next."""
    try:
        found = cast("object", json.loads(path.read_text()))
    except (OSError, ValueError):
        return ""
    return str(cast("dict[str, object]", found).get("kind")) if isinstance(found, dict) else ""


def cores_of(path: Path, engine: str, here: int, given: float | None) -> float | None:
    """Cores that the workers of a measurement had together; None where each had its own, as far as is known."""
    if given is not None:
        return given
    if engine in LOCAL:
        return here
    # A sweep of bench scale or accept has its folder in theirs, where the cores were counted before.
    accept = path.parent.parent / ACCEPT_FILE
    return read_result(accept, AcceptResult).delivered_cores if accept.is_file() else None


def why_not(point: SweepPoint, source: Source) -> str:
    """Why a measured point says nothing of the simulation; empty where it does."""
    if not point.valid:
        return f"INVALID: physics {point.physics}, timing {point.timing}"
    if source.cores is not None and point.slots > round(source.cores):
        return f"{point.slots} workers shared {source.cores:g} cores"
    measured = source.run.measurement
    if (point.replicas, point.entries) != (measured.replicas, measured.entries):
        return "another input"
    return ""
