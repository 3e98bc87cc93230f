"""Where things lie on this machine."""

from __future__ import annotations

import os
from pathlib import Path

PRODUCT = "facility-testbed"


def checkout() -> Path | None:
    """Root of the checkout this package is run from; None where it is installed without one (in the image)."""
    for start in (Path.cwd(), Path(__file__).resolve().parent):
        for folder in (start, *start.parents):
            if (folder / "bench" / "__init__.py").is_file() and (folder / "pyproject.toml").is_file():
                return folder
    return None


def cache() -> Path:
    """Folder of the user's cache that holds everything this product may build or fetch again."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / PRODUCT


def site_inventory(site: str) -> Path:
    """Folder of a site's committed description."""
    return (checkout() or Path.cwd()) / "inventory" / site


def site_runtime(site: str) -> Path:
    """Folder of a site's runtime files (git-ignored)."""
    return (checkout() or Path.cwd()) / ".facility" / site
