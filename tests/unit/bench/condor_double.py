"""A double of HTCondor's edge: `condor_submit` and `condor_rm` that run the jobs on this machine.

No HTCondor can be had where the tests run. The double reads the submit description by the rules of HTCondor's manual
(`name = value` lines, "new" quoting of arguments, `Queue`), keeps it for the test to look at, and starts what it says.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

SCRIPT = """#!/bin/sh
exec {python} -W ignore {module} {name} {folder} "$@"
"""


def put_in(folder: Path) -> Path:
    """Make the programs in a folder for PATH; the descriptions and jobs are kept beside them."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    for name in ("condor_submit", "condor_rm"):
        path = programs / name
        path.write_text(SCRIPT.format(python=sys.executable, module=__file__, name=name, folder=folder))
        path.chmod(0o755)
    return programs


def parse(text: str) -> dict[str, str]:
    """The commands of a submit description that ends with `Queue`."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if lines[-1] != "Queue":
        raise ValueError("no Queue at the end")
    found: dict[str, str] = {}
    for line in lines[:-1]:
        name, equals, value = line.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][\w.]*", name.strip()):
            raise ValueError(f"not understood: {line}")
        found[name.strip()] = value.strip()
    return found


def arguments(quoted: str) -> list[str]:
    """Arguments in "new" quoting: the whole in double quotes, '' within single quotes is one of them."""
    inner = re.fullmatch(r'"(.*)"', quoted, re.S)
    if not inner:
        raise ValueError(f"not quoted: {quoted}")
    text = inner[1].replace('""', '"')
    words = re.findall(r"(?:'(?:[^']|'')*'|[^'\s])+", text)
    return [
        re.sub(r"'((?:[^']|'')*)'", lambda match: match[1].replace("''", "'"), word)
        for word in words
    ]  # fmt: skip


def submit(folder: Path, description: Path) -> None:
    commands = parse(description.read_text())
    number = len(list(folder.glob("*.sub"))) + 1
    (folder / f"{number}.sub").write_text(description.read_text())
    job = subprocess.Popen(
        [commands["Executable"], *arguments(commands["Arguments"])],
        stdin=subprocess.DEVNULL,
        stdout=(folder / f"{number}.out").open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    (folder / f"{number}.pid").write_text(str(job.pid))
    print(f"Submitting job(s).\n1 job(s) submitted to cluster {number}.")


def remove(folder: Path, job: str) -> None:
    pid = folder / f"{job.removesuffix('.0')}.pid"
    with contextlib.suppress(ProcessLookupError):
        os.killpg(int(pid.read_text()), signal.SIGTERM)
    pid.rename(pid.with_suffix(".removed"))


if __name__ == "__main__":
    program, place, *rest = sys.argv[1:]
    if program == "condor_submit":
        submit(Path(place), Path(rest[-1]))
    else:
        for each in rest:
            remove(Path(place), each)
