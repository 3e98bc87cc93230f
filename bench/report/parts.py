"""Where the time of a run went, in words for the tables: before the passes, in a cold one, in a pass, its workers."""

from __future__ import annotations

from .model import Passes, RunResult

# Phases that are no part of a pass, by what people call them.
BEFORE = {
    "connect": "start of the workers",
    "stage": "staging",
    "repack": "repacking",
    "warm-up serial": "JIT, serial",
    "warm-up": "JIT and a small pass, every worker",
}
PARTS = {
    "build_s": "graph",
    "submit_s": "until the first task",
    "loop_s": "event loop",
    "merge_s": "merge",
    "save_s": "save",
}


def phases_of(result: RunResult) -> dict[str, float]:
    """Seconds of all phases: those of the command, and those of the process that drove the engine."""
    return {**result.phases_s, **result.measurement.phases_s}


def time_parts(result: RunResult) -> dict[str, str]:
    """What a run's times are made of, by heading; headings that do not apply are left out."""
    measured, phases = result.measurement, phases_of(result)
    before = [f"{words} {phases[name]:.1f} s" for name, words in BEFORE.items() if name in phases]
    rows = {"before the passes": ", ".join(before)}
    for name, seconds in measured.cold_s.items():
        rows[f"cold pass, {name}"] = f"{seconds:.2f} s in new processes, compiling included; one pass"
    for passes in measured.all_passes:
        rows[f"median pass, {passes.engine}"] = ", ".join(pass_parts(passes))
    if measured.distributed and (shares := measured.distributed.middle.balance):
        occupancy = ", ".join(f"{share:.0%}" for share in sorted(shares.occupancy.values(), reverse=True)[:8])
        rows["workers"] = (
            f"efficiency {shares.efficiency:.0%}; the busiest computed {shares.max_over_mean:.2f} times the mean "
            f"(Gini {shares.gini:.2f}); occupancy {occupancy}{' …' if len(shares.occupancy) > 8 else ''}"
        )
    return rows


def pass_parts(passes: Passes) -> list[str]:
    """Seconds of the parts of the median pass; of a pass without tasks there are no waiting and no merging."""
    middle = passes.middle
    shown = {name: words for name, words in PARTS.items() if middle.workers or name in ("build_s", "loop_s", "save_s")}
    return [f"{words} {getattr(middle, name):.3f} s" for name, words in shown.items()]
