"""Yields of the 4-body stop analysis with their variations, up and down, from the histograms of one bin."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .model import NOMINAL, Histogram, Outcome
from .stop4body_systematics import DOWN, ONE_SIDED, UP


@dataclass(frozen=True)
class Shift:
    """A systematic variation of a yield, in events; `mirrored` where only one side was simulated."""

    name: str
    up: float
    down: float
    mirrored: bool = False


@dataclass(frozen=True)
class RegionYield:
    """Yield of a region in events, its statistical uncertainty, and its variations."""

    region: str
    raw: int
    events: float
    statistical: float
    shifts: tuple[Shift, ...]

    @property
    def up(self) -> float:
        """All shifts to higher yields, added in quadrature."""
        return math.sqrt(sum(max(0.0, each.up - self.events, each.down - self.events) ** 2 for each in self.shifts))

    @property
    def down(self) -> float:
        """All shifts to lower yields, added in quadrature."""
        return math.sqrt(sum(max(0.0, self.events - each.up, self.events - each.down) ** 2 for each in self.shifts))


def mirrored(nominal: float, up: float) -> float:
    """The side that was not simulated: as far from the nominal yield as the other, but not below zero."""
    return max(0.0, 2 * nominal - up)


def region_yields(outcome: Outcome) -> tuple[RegionYield, ...]:
    """Yields of all regions, in the order of the result's histograms."""
    regions: dict[str, dict[str, Histogram]] = {}
    for each in outcome.histograms:
        region, _, variation = each.name.partition("/")
        # Vary writes `name:side`, trees are called `name__side`.
        regions.setdefault(region, {})[variation.replace(":", "__")] = each
    return tuple(_region_yield(region, found) for region, found in regions.items())


def _region_yield(region: str, found: dict[str, Histogram]) -> RegionYield:
    nominal = found[NOMINAL]
    events = nominal.contents[1]
    shifts: list[Shift] = []
    for name in dict.fromkeys(each.rpartition("__")[0] for each in found if each != NOMINAL):
        up = found[f"{name}__{UP}"].contents[1]
        if name in ONE_SIDED:
            shifts.append(Shift(name, up, mirrored(events, up), mirrored=True))
        else:
            shifts.append(Shift(name, up, found[f"{name}__{DOWN}"].contents[1]))
    return RegionYield(region, nominal.entries, events, math.sqrt(nominal.sumw2[1]), tuple(shifts))
