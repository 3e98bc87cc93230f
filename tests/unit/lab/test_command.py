"""The command `lab`: every command and option says what it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from lab.cli import app
from typer.testing import CliRunner


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All commands with the words that are typed."""
    for name, command in group.commands.items():
        yield (*path, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize(("words", "command"), list(commands(typer.main.get_command(app))))
def test_every_command_and_option_says_what_it_does(words: tuple[str, ...], command: Any) -> None:
    assert command.help
    assert [each.name for each in command.params if not getattr(each, "help", None)] == []
    shown = CliRunner().invoke(app, [*words, "--help"])
    assert shown.exit_code == 0
    assert "Usage" in shown.output


def test_every_command_stands_in_the_docs(repo: Path) -> None:
    page = (repo / "docs" / "lab.md").read_text()
    assert {words[0] for words, _ in commands(typer.main.get_command(app))} >= {"up", "down", "reset", "status"}
    assert [words for words, _ in commands(typer.main.get_command(app)) if f"`lab {words[0]}" not in page] == []
