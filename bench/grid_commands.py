"""The commands of `bench` for the grid: the user's certificate, and his proxy."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Annotated

import typer

from .terminal import Terminal

app = typer.Typer()


@app.command()
def proxy() -> None:
    """Show your grid proxy and share it with your Dask workers. Status 1: there is none that is good."""
    from . import dask, grid

    terminal = Terminal()
    mine = grid.load()
    minutes = int(mine.left().total_seconds() // 60)
    terminal.say(f"identity  {mine.identity}")
    terminal.say(f"VO        {mine.vo or 'none (voms-proxy-init --voms VO asks for its attributes)'}")
    terminal.say(f"left      {minutes // 60} h {minutes % 60} min, until {mine.ends:%Y-%m-%d %H:%M} UTC")
    if dask.SETTINGS_VARIABLE not in os.environ:
        terminal.say("shared    no: this is no notebook server of a facility")
        return
    facility = dask.settings()
    if not facility.proxy_secret:
        terminal.say("shared    no: the facility's administrator has not set up the grid")
        return
    grid.share(mine, facility.namespace, facility.proxy_secret)
    terminal.say("shared    with your Dask workers: new ones have it at once, running ones within minutes")


@app.command()
def certificate(
    file: Annotated[Path, typer.Argument(help="Your certificate as your browser exports it: a .p12 or .pfx file.")],
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of another certificate.")] = False,
) -> None:
    """Put your grid certificate where voms-proxy-init looks for it: ~/.globus. Asks for the file's passphrase."""
    from .certificate import install

    passphrase = getpass.getpass(f"Passphrase of {file}: ") if file.is_file() else "-"
    done = install(file, Path.home() / ".globus", passphrase, replace=replace)
    terminal = Terminal()
    terminal.say(f"identity     {done.identity}")
    terminal.say(f"until        {done.ends}")
    terminal.say(f"certificate  {done.certificate}")
    terminal.say(f"key          {done.key}, for you alone to read, under the same passphrase")
    terminal.say(f"{file} is needed no more and may be deleted: rm {file}")
