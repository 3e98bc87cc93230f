"""Analyses: physics only. These modules import ROOT and nothing else of `bench`."""

from __future__ import annotations

from .cms_tprime import CmsTprime
from .cms_tprime_select import CmsTprimeSelect
from .cms_tprime_skim import CmsTprimeSkim
from .fcc_zee import FccZee
from .ml_scan import MlScan
from .model import Booking, CutStep, Histogram, HistogramSpec, Outcome, Workload
from .slimming import AtlasSlimming
from .stop4body import Stop4Body
from .tasks import TaskWorkload

WORKLOADS: dict[str, Workload | TaskWorkload] = {
    workload.name: workload
    for workload in (
        FccZee(),
        Stop4Body(),
        AtlasSlimming(),
        CmsTprimeSkim(),
        CmsTprime(),
        CmsTprimeSelect(),
        MlScan(),
    )
}

__all__ = [
    "WORKLOADS",
    "AtlasSlimming",
    "Booking",
    "CmsTprime",
    "CmsTprimeSelect",
    "CmsTprimeSkim",
    "CutStep",
    "FccZee",
    "Histogram",
    "HistogramSpec",
    "MlScan",
    "Outcome",
    "Stop4Body",
    "TaskWorkload",
    "Workload",
]
