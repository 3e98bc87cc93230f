"""What a step says in a log."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from lab import console


def test_in_a_log_a_report_is_one_line_however_long(monkeypatch: pytest.MonkeyPatch):
    log = io.StringIO()
    monkeypatch.setattr(console, "console", Console(file=log, width=80))
    monkeypatch.setattr(console, "SAY_EVERY_S", 0.0)
    package = "/".join(["package"] * 30)
    with console.step("kubernetes from Go modules") as say:
        say(f"compiling\n{package}")
    announced, said, ended = log.getvalue().splitlines()
    assert announced == "kubernetes from Go modules ..."
    assert said.endswith(f": compiling {package}")
    assert ended.startswith("kubernetes from Go modules: ")
