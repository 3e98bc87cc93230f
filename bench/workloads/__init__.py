"""Analyses: physics only. These modules import ROOT and nothing else of `bench`."""

from __future__ import annotations

from .fcc_zee import FccZee
from .model import Booking, CutStep, Histogram, HistogramSpec, Outcome, Workload
from .slimming import AtlasSlimming
from .stop4body import Stop4Body
from .tasks import TaskWorkload

WORKLOADS: dict[str, Workload | TaskWorkload] = {
    workload.name: workload for workload in (FccZee(), Stop4Body(), AtlasSlimming())
}

__all__ = [
    "WORKLOADS",
    "AtlasSlimming",
    "Booking",
    "CutStep",
    "FccZee",
    "Histogram",
    "HistogramSpec",
    "Outcome",
    "Stop4Body",
    "TaskWorkload",
    "Workload",
]
