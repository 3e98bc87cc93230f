"""VOMS' programs and XRootD's plug-in for it, of Debian: the system's, or unpacked into a folder of the session's.

Nothing is installed: a proxy with the attributes of an organisation can be made, and asked for, on any Debian that
reaches its archive.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

PACKAGES = ("voms-clients", "libvomsapi1v5", "xrootd-voms-plugins")
LIBRARIES = Path("usr/lib/x86_64-linux-gnu")
PLUGIN = "libXrdVoms-5.so"


def why_absent() -> str:
    """Why the programs are not to be had here; empty where they are."""
    try:
        root()
    except (OSError, subprocess.SubprocessError) as error:
        return f"no packages of VOMS ({', '.join(PACKAGES)}): {type(error).__name__}"
    return ""


@cache
def root() -> Path:
    """The folder below which they are, as on a system."""
    if shutil.which("voms-proxy-fake") and (Path("/") / LIBRARIES / PLUGIN).is_file():
        return Path("/")
    folder = Path(tempfile.gettempdir()) / f"bench-voms-{os.getuid()}"
    final = folder / "root"
    if not final.is_dir():
        folder.mkdir(mode=0o755, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise PermissionError(f"{folder} is somebody else's")
        work = Path(tempfile.mkdtemp(dir=folder))
        quiet = {"cwd": work, "check": True, "capture_output": True, "timeout": 60}
        # Asked while tests are collected: without a way out it must not hold up the others.
        patience = ["-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=10"]
        subprocess.run(["apt-get", "download", "-q", *patience, *PACKAGES], **quiet)
        for package in work.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, work / "root"], **quiet)
        # The server's user reads the plug-in.
        (work / "root").chmod(0o755)
        try:
            (work / "root").rename(final)
        except OSError:
            # Another process of the tests was quicker.
            if not final.is_dir():
                raise
        shutil.rmtree(work)
    return final


def program(name: str) -> str:
    """Its path; Debian calls those that Java has too by another name, with a link by the usual one."""
    found = [path for path in (root() / "usr/bin" / name, root() / "usr/bin" / f"{name}2") if path.exists()]
    return str(found[0])


def environment() -> dict[str, str]:
    """Where programs find the libraries."""
    return {} if root() == Path("/") else {"LD_LIBRARY_PATH": str(root() / LIBRARIES)}
