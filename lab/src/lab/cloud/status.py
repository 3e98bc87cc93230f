"""What runs of a lab, as a table."""

from __future__ import annotations

from rich.table import Table

from lab import engine, paths
from lab import settings as settings_module
from lab.cloud import services
from lab.cloud.config import SERVICES
from lab.console import console
from lab.settings import Settings


def show(settings: Settings) -> bool:
    """Print the table; returns whether the whole cloud answers."""
    state = paths.state()
    settings = settings_module.load(state) or settings
    running = services.running(state)
    table = Table(title=f"lab {settings.name!r}", title_justify="left")
    for column in ("service", "process", "memory", "address", "answers"):
        table.add_column(column, justify="right" if column in ("process", "memory") else "left")
    total, all_answer = 0.0, True
    for name in SERVICES:
        process = running.get(name)
        answers = process is not None and services.answers(settings, name)
        all_answer = all_answer and answers
        memory = process.rss_mib() if process else 0.0
        total += memory
        table.add_row(
            name,
            str(process.pid) if process else "-",
            f"{memory:.0f} MiB" if process else "-",
            settings.url(name),
            "yes" if answers else "no",
        )
    table.add_section()
    table.add_row("all", "", f"{total:.0f} MiB")
    console.print(table)
    version = engine.answering()
    if version:
        by_whom = "the lab's" if engine.our_pid() else "not started by the lab"
        console.print(f"Docker Engine {version} ({by_whom})", highlight=False)
        _guests(settings)
    else:
        console.print("Docker Engine does not answer", highlight=False)
    if not all_answer:
        console.print("`lab up` starts what is missing.", highlight=False)
    return all_answer


def _guests(settings: Settings) -> None:
    from lab.cloud import docker

    for container in docker.containers(settings.name):
        console.print(
            f"  guest {container['Labels'].get('lab.server', '?')}: {container['Status']}",
            markup=False,
            highlight=False,
        )
