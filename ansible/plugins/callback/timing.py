"""How long each task of a play took, kept in `.facility/<site>/timing.json`."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: timing
type: aggregate
short_description: Writes the seconds of each task to .facility/<site>/timing.json
description:
  - Keeps the last run of each playbook, by its name. Written at the end of a run, also of one that failed, and whole
    or not at all.
"""


class CallbackModule(CallbackBase):
    """Tasks in the order in which they ran, with their seconds and the nodes that they changed."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "timing"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.tasks: list[dict[str, Any]] = []
        self.began, self.began_at = time.monotonic(), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.task_began: float | None = None
        self.playbook, self.play, self.variables = "", "", None

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self.playbook = Path(playbook._file_name).name

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self.finish()
        self.play, self.variables = play.get_name(), play.get_variable_manager()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self.finish()
        self.task_began = time.monotonic()
        self.tasks.append({"play": self.play, "task": task.get_name(), "seconds": None, "changed": [], "failed": []})

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self.v2_playbook_on_task_start(task, False)

    def v2_runner_on_ok(self, result: Any) -> None:
        if result.is_changed():
            self.tasks[-1]["changed"].append(result._host.get_name())

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self.tasks[-1]["failed"].append(result._host.get_name())

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self.tasks[-1]["failed"].append(result._host.get_name())

    def finish(self) -> None:
        """Note down how long the task took that ran until now."""
        if self.tasks and self.task_began is not None:
            self.tasks[-1]["seconds"] = round(time.monotonic() - self.task_began, 3)
            self.task_began = None

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self.finish()
        folder = self.folder()
        if folder is None:
            return
        run = {
            "began": self.began_at,
            "seconds": round(time.monotonic() - self.began, 3),
            "nodes": {name: stats.summarize(name) for name in sorted(stats.processed)},
            "tasks": self.tasks,
        }
        path = folder / "timing.json"
        try:
            runs = json.loads(path.read_text())
        except (OSError, ValueError):
            runs = {}
        fresh = path.with_name(f".timing.json.{os.getpid()}")
        try:
            fresh.write_text(json.dumps(runs | {self.playbook: run}, indent=1) + "\n")
            fresh.chmod(0o600)
            fresh.replace(path)
        except OSError as error:
            self._display.warning(f"The times of the tasks could not be kept in {path}: {error}")

    def folder(self) -> Path | None:
        """Where the site's files are on this machine; None where the inventory is no site, or has no such folder."""
        inventory = getattr(self.variables, "_inventory", None)
        sources = [Path(source).resolve() for source in getattr(inventory, "_sources", []) if Path(source).exists()]
        for source in sources:
            site = source if source.is_dir() else source.parent
            found = site.parent.parent / ".facility" / site.name
            if found.is_dir():
                return found
        return None
