"""How long the rest will take: what it took here last time, else what it took where the tables were written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from lab.artifacts import files


def read(path: Path) -> dict[str, float]:
    try:
        return {str(name): float(seconds) for name, seconds in json.loads(path.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def note(path: Path, name: str, seconds: float) -> None:
    files.write(path, json.dumps({**read(path), name: round(seconds, 1)}, indent=1, sort_keys=True).encode())


def left(steps: Iterable[tuple[str, float]], took: Mapping[str, float]) -> float:
    """Seconds for steps, given as name and usual seconds."""
    return sum(took.get(name, usual) for name, usual in steps)


def pace(expected_s: float, actual_s: float) -> float:
    """How many times slower this run is than was expected, from what it did so far; 1 until that says something."""
    return min(5.0, max(0.1, actual_s / expected_s)) if expected_s >= 10 else 1.0


def spoken(seconds: float) -> str:
    """Seconds for people: "under 10 s", "about 40 s", "about 7 min"."""
    if seconds < 10:
        return "under 10 s"
    if seconds < 90:
        return f"about {round(seconds, -1):.0f} s"
    return f"about {seconds / 60:.0f} min"
