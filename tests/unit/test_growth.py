"""What a run costs with many nodes: no task that runs on every node goes through all of them."""

from __future__ import annotations

import re
import subprocess
import sys
import time
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


@pytest.mark.long
def test_checking_the_inputs_grows_with_the_nodes_and_no_faster(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "group_vars" / "all").mkdir(parents=True)
    image = {"analysis_image_repository": "r/analysis", "analysis_image_digest": "sha256:" + "0" * 64}
    (tmp_path / "group_vars" / "all" / "main.yml").write_text(yaml.safe_dump(image))
    (tmp_path / "terraform.tfvars").write_text('network_cidr = "10.77.0.0/16"\npod_cidr = "10.244.0.0/16"\n')
    seconds = {}
    for count in (100, 400):
        first, workers = {"hosts": {"x-cp0": {}}}, {"hosts": {f"x-w{number}": {} for number in range(count)}}
        groups = {"controlplane": first, "etcd": first, "worker": workers}
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": groups}}))
        command = [
            Path(sys.executable).parent / "ansible-playbook",
            "-i",
            tmp_path / "hosts.yml",
            "playbooks/inputs.yml",
        ]
        started = time.monotonic()
        done = subprocess.run(command, cwd=repo, capture_output=True, text=True)
        seconds[count] = time.monotonic() - started
        assert done.returncode == 0, done.stdout
    print(f"seconds of inputs.yml by the number of nodes: {seconds}")
    # Four times the nodes would be sixteen times the work.
    assert seconds[400] < 8 * seconds[100]
