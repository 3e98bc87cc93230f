"""Write files in a process that has done nothing else.

ROOT stores version numbers of classes without a dictionary, and counts them up with the files that a process has
opened: the same copy made later in a process has other bytes. Files that are known by their checksum are therefore
written in a fresh process each.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from ..errors import BenchError, Exit


def in_fresh_process(task: str, *arguments: str | int | Path) -> None:
    """Run one of the tasks of `main` in a process of its own.

    Raises
    ------
    BenchError
        The one that the task has raised, or one that says how its process ended.
    """
    command = [sys.executable, "-W", "ignore", "-m", __name__, task, *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode == 0:
        return
    try:
        raised = json.loads(ended.stdout)
    except ValueError:
        raise BenchError(
            f"the process of {task} {' '.join(map(str, arguments))} ended with status {ended.returncode}",
            ended.stderr.strip()[-500:] or "it said nothing",
            "Run this again and report it.",
        ) from None
    raise BenchError(raised["what"], raised["why"], raised["next_step"], Exit(raised["status"]))


def main(task: str, *arguments: str) -> None:
    """Do a task; its BenchError goes to standard output as JSON."""
    from .generate import write_file
    from .repack import write

    try:
        if task == "repack":
            source, target, tree, entries_per_cluster, number = arguments
            write(Path(source), Path(target), tree, int(entries_per_cluster), int(number))
        elif task == "generate":
            target, dataset, name, first, last, seed = arguments
            write_file(Path(target), dataset, name, int(first), int(last), int(seed))
        else:
            raise LookupError(task)
    except BenchError as error:
        print(json.dumps(vars(error)))
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
