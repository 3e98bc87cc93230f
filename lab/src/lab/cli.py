"""`lab`: the embedded OpenStack of this machine and the mirror of all artefacts."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Annotated

import typer

from lab import paths
from lab.console import console
from lab.errors import LabError

app = typer.Typer(
    help="A real OpenStack on this machine, with containers as guests, and a mirror of all artefacts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def up(
    hypervisors: Annotated[
        str, typer.Option(help="docker: servers are containers; fake: servers exist in the API only")
    ] = "docker",
) -> None:
    """Start the cloud, or repair it: what runs stays, what is missing is made. Guests are kept."""
    from lab import settings
    from lab.cloud import lifecycle

    lifecycle.up(settings.from_environment(hypervisors))


@app.command()
def down(
    purge: Annotated[
        bool, typer.Option("--purge", help="also forget databases, passwords and logs: the next start is a first one")
    ] = False,
) -> None:
    """Take everything off this machine: guests, networks, rules, routes, loop devices, processes.

    Docker Engine stops too when `lab up` started it. Caches stay.
    """
    from lab import settings
    from lab.cloud import lifecycle

    lifecycle.down(settings.from_environment(), purge=purge)


@app.command()
def reset() -> None:
    """Back to the freshly seeded cloud: no server, network or volume of any project is left."""
    from lab import settings
    from lab.cloud import lifecycle

    lifecycle.reset(settings.from_environment())


@app.command()
def status() -> None:
    """What runs, and how much memory it takes. Exit status 1 when the cloud does not answer."""
    from lab import settings
    from lab.cloud import status as report

    raise typer.Exit(0 if report.show(settings.from_environment()) else 1)


@app.command()
def demo() -> None:
    """The whole chain, timed: cloud, artefacts, terraform, ansible, an analysis, the report."""
    from lab import demo as chain

    raise typer.Exit(chain.main(paths.checkout()))


def _register() -> None:
    # an installation of the cloud alone has no artefacts
    if importlib.util.find_spec("lab.artifacts.cli"):
        app.add_typer(importlib.import_module("lab.artifacts.cli").app, name="artifacts")


_register()


def main() -> None:
    """Entry point: errors that a person can act on are two paragraphs, not a traceback."""
    try:
        app()
    except LabError as error:
        console.print(
            f"\n[bold red]error:[/] {_escaped(error.what)}\n{_escaped(error.fix)}", highlight=False, soft_wrap=True
        )
        sys.exit(1)


def _escaped(text: str) -> str:
    return text.replace("[", "\\[")


if __name__ == "__main__":
    main()
