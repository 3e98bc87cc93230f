"""What a run costs with many nodes: no task that runs on every node goes through all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = Path(__file__).parents[2] / "ansible" / "roles"
# Roles that a play runs once, on this machine or on the first control plane.
ONCE = {"backup", "dask_operator", "flannel", "inputs", "metrics", "network_policy", "scale", "storage"}
ALL_NODES = re.compile(r"groups(\['(all|worker)'\]|\.(all|worker)\b)|ansible_play_hosts|ansible_play_batch")
PARTS = ("block", "rescue", "always")


def tasks(entries: list[dict[str, Any]], once: bool = False) -> Iterator[tuple[dict[str, Any], bool]]:
    """Tasks of a file, and whether each is run once for all nodes; what is in a block has its words."""
    for entry in entries:
        here = once or bool(entry.get("run_once"))
        yield {key: value for key, value in entry.items() if key not in PARTS}, here
        for part in PARTS:
            yield from tasks(entry.get(part) or [], here)


@pytest.mark.parametrize("name", sorted(path.name for path in ROLES.iterdir() if path.name not in ONCE))
def test_a_task_of_every_node_goes_through_no_list_of_nodes(name: str) -> None:
    for path in sorted((ROLES / name / "tasks").glob("*.yml")):
        for task, once in tasks(yaml.safe_load(path.read_text())):
            assert once or not ALL_NODES.search(str(task)), f"{path}: {task['name']}"


@pytest.mark.parametrize("path", sorted(ROLES.glob("*/templates/**/*.j2")), ids=lambda path: path.name)
def test_no_file_of_a_node_lists_all_nodes(path: Path) -> None:
    if path.relative_to(ROLES).parts[0] not in ONCE:
        assert not ALL_NODES.search(path.read_text())


@pytest.mark.parametrize("name", sorted(path.name for path in ROLES.iterdir()))
def test_no_task_has_a_step_for_each_node(name: str) -> None:
    """A step of a loop costs this machine a tenth of a second and more, and one that is skipped costs as much."""
    for path in sorted((ROLES / name / "tasks").glob("*.yml")):
        for task, _ in tasks(yaml.safe_load(path.read_text())):
            loop = str(task.get("loop", ""))
            # Nodes that come or go are few.
            some = re.search(r"\| (difference|intersect)\(", loop)
            assert some or not ALL_NODES.search(loop), f"{path}: {task['name']}"
