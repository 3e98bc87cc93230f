"""Analyses: physics only. These modules import ROOT and nothing else of `bench`."""

from __future__ import annotations

from .fcc_zee import FccZee
from .model import Booking, CutStep, Histogram, HistogramSpec, Outcome, Workload
from .slimming import AtlasSlimming
from .tasks import TaskWorkload

WORKLOADS: dict[str, Workload | TaskWorkload] = {workload.name: workload for workload in (FccZee(), AtlasSlimming())}

__all__ = [
    "WORKLOADS",
    "AtlasSlimming",
    "Booking",
    "CutStep",
    "FccZee",
    "Histogram",
    "HistogramSpec",
    "Outcome",
    "TaskWorkload",
    "Workload",
]
