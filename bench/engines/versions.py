"""Versions of the software of a process. Run on workers too: nothing here may need more than the image has."""

from __future__ import annotations

import importlib.metadata
import platform

PACKAGES = ("dask", "distributed", "numpy", "facility-testbed")


def software_versions() -> dict[str, str]:
    """Versions of Python, ROOT and the packages that a result depends on."""
    from ..workloads.root import load

    found = {"python": platform.python_version(), "root": str(load().gROOT.GetVersion())}
    for package in PACKAGES:
        try:
            found["bench" if package == "facility-testbed" else package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
