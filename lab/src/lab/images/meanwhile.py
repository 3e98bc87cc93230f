"""An image that a process of its own builds while this one has something else to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lab import paths
from lab.console import console

END_S = 10.0


@contextmanager
def built(name: str) -> Iterator[None]:
    """Have an image built beside what the block does.

    Who asks for the image afterwards waits for the lock of its name (`docker.alone`), and builds it where this one
    failed, with the error told. The process ends with this one, however that ends, and when the block fails.
    """
    log = paths.state() / f"image-{name}.log"
    argv = ["setpriv", "--pdeathsig", "TERM", sys.executable, "-m", "lab.images", name]
    with log.open("wb") as out:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    console.print(f"meanwhile the {name} image is built, told in {log}", markup=False, highlight=False, soft_wrap=True)
    try:
        yield
    except BaseException:
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise
