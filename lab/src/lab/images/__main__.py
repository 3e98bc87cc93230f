"""`python -m lab.images [guest|analysis|hub]`: build what is not up to date, and tell where it is."""

from __future__ import annotations

import argparse
import sys
import time

from lab import engine
from lab.console import console
from lab.errors import LabError
from lab.images import analysis, docker, guest, hub


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lab.images", description="Build the images that are not up to date."
    )
    parser.add_argument("image", nargs="?", choices=["guest", "analysis", "hub"], help="default: guest and analysis")
    wanted = parser.parse_args(argv).image
    try:
        engine.ensure()
        if wanted in (None, "guest"):
            started = time.monotonic()
            for tag in guest.ensure_all():
                say(f"{tag}: {docker.size_mib(tag):.0f} MiB", started)
        for name, image in (("analysis", analysis), ("hub", hub)):
            if wanted != name and (wanted or image is hub):
                continue
            started = time.monotonic()
            pushed = image.ensure()
            say(f"{pushed.repository}:{pushed.tag} is sha256:{pushed.sha256}, {pushed.bytes / 2**20:.0f} MiB", started)
    except LabError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        return 1
    return 0


def say(text: str, started: float) -> None:
    console.print(f"{text} ({time.monotonic() - started:.1f} s)", markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
