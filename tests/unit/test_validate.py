"""What `playbooks/validate.yml` makes of what a node says: every fault with its node and what to do."""

from __future__ import annotations

import os
import runpy
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

SOUND = """\
asked 1000.0
time 1000.4
kernel 4.18.0-372.el8.x86_64
python 3.9
cores 2
memory_kib 4000000
root_free_kib 20000000
device /dev/vdb 21474836480
cgroup 1 cpuset cpu memory pids
module overlay
module br_netfilter
tcp 0016
udp 0044
address http://m/dl 404
address http://m/rpm/repodata/repomd.xml 200
end
"""
WANTED: dict[str, Any] = {
    "groups": ["controlplane", "etcd", "worker"],
    "clock_offset_s": 10,
    "kubernetes_version": "1.26.3",
    "kernel": "4.18",
    "modules": ["overlay", "br_netfilter"],
    "python": "/usr/bin/python3",
    "python_package": "",
    "vcpus": 2,
    "memory_mib": 4096,
    "root_free_gib": 5,
    "data_free_gib": 10,
    "data_mount": "/data",
    "data_devices": ["/dev/disk/by-id/virtio-1", "/dev/vdb"],
    "addresses": {
        "http://m/dl": "artifact_url_kubernetes",
        "http://m/rpm/repodata/repomd.xml": "base_rpm_repository_url",
    },
}
Findings = Callable[..., list[str]]


@pytest.fixture(scope="module")
def findings() -> Findings:
    path = Path(__file__).parents[2] / "playbooks" / "filter_plugins" / "node_findings.py"
    judge = runpy.run_path(str(path))["node_findings"]
    return lambda said, **wanted: judge(said, "x-w0", WANTED | wanted)


def test_a_sound_node_is_not_blamed(findings: Findings) -> None:
    assert findings(SOUND) == []
    assert findings(SOUND.replace("\n", "\r\n")) == []


@pytest.mark.parametrize(
    ("there", "instead", "says"),
    [
        ("time 1000.4", "time 4600.4", ["3600 s ahead of", "at most 10 s", "chronyd"]),
        ("time 1000.4", "time 900.4", ["100 s behind"]),
        ("python 3.9", "python none", ["no Python at /usr/bin/python3", "base_python_package"]),
        ("python 3.9", "python 3.6", ["Python 3.6", "or newer", "ansible_python_interpreter"]),
        ("kernel 4.18.0", "kernel 4.17.19", ["4.17.19", "expects 4.18", "newer image"]),
        ("module br_netfilter\n", "", ["no module br_netfilter", "kernel-modules-extra"]),
        ("cpuset cpu memory pids", "cpuset cpu pids", ["cgroup v1", "lacks the controllers memory"]),
        ("cores 2", "cores 1", ["1 cores were found, its flavor has 2"]),
        ("memory_kib 4000000", "memory_kib 2000000", ["1953 MiB", "flavor has 4096 MiB"]),
        ("root_free_kib 20000000", "root_free_kib 2000000", ["1.9 GiB free, 5 GiB are expected"]),
        ("device /dev/vdb 21474836480", "device /dev/vdb 1073741824", ["1.0 GiB, 10 GiB", "data_volume_gib"]),
        ("device /dev/vdb 21474836480", "", ["no data volume", "/dev/vdb", "base_data_device"]),
        ("device /dev/vdb 21474836480", "data_free_kib 3000", ["/data has 0.0 GiB", "10 GiB"]),
        ("tcp 0016", "tcp 192B", ["TCP 6443 (the API)", "ss -lntup"]),
        ("tcp 0016", "tcp 094B\ntcp 280A", ["TCP 2379 (etcd), TCP 10250 (kubelet)"]),
        ("udp 0044", "udp 2118", ["UDP 8472"]),
        ("dl 404", "dl curl: (7) Failed to connect 000", ["http://m/dl (artifact_url_kube", "Failed"]),
        ("dl 404", "dl 503", ["http://m/dl", "503"]),
        ("repomd.xml 200", "repomd.xml 404", ["repomd.xml (base_rpm_repository_url)", "404"]),
        ("end\n", "sh: curl: not found\n", ["did not tell", "curl: not found"]),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_what_to_do(findings: Findings, there: str, instead: str, says: list[str]) -> None:
    assert there in SOUND
    found = findings(SOUND.replace(there, instead))
    assert len(found) == 1, found
    assert found[0].startswith("x-w0: ")
    assert all(words in found[0] for words in says), found


def test_all_faults_of_a_node_are_told_together(findings: Findings) -> None:
    said = SOUND.replace("cores 2", "cores 1").replace("time 1000.4", "time 0").replace("dl 404", "dl 000")
    assert len(findings(said)) == 3


def test_ports_count_for_what_a_node_is_to_be_and_not_once_it_is(findings: Findings) -> None:
    taken = SOUND.replace("tcp 0016", "tcp 192B")
    assert findings(taken, groups=["worker"]) == []
    assert findings(taken.replace("end\n", "member yes\nend\n")) == []


def test_a_python_that_will_be_installed_may_be_missing(findings: Findings) -> None:
    assert findings(SOUND.replace("python 3.9", "python none"), python_package="python39") == []


def test_the_probe_runs_where_a_shell_is_and_says_all_that_is_read(repo: Path, findings: Findings) -> None:
    probe = repo / "ansible" / "roles" / "validate" / "files" / "probe.sh"
    arguments = ["python3", "/nowhere", "", "no_such_module", "http://127.0.0.1:9/"]
    run = subprocess.run(["sh", probe, *arguments], capture_output=True, text=True, timeout=60)
    said = "asked 0\n" + run.stdout + run.stderr
    names = {line.split()[0] for line in said.splitlines()}
    assert {"time", "kernel", "python", "cores", "memory_kib", "root_free_kib", "cgroup", "address", "end"} <= names
    found = findings(said, vcpus=os.cpu_count(), addresses={"http://127.0.0.1:9/": "artifact_url_github"})
    assert any("no module overlay" in line or "br_netfilter" in line for line in found) or "module" not in names
    assert any("http://127.0.0.1:9/ (artifact_url_github)" in line for line in found)


def test_validate_changes_nothing(repo: Path) -> None:
    for path in (repo / "ansible" / "roles" / "validate" / "tasks").glob("*.yml"):
        for task in yaml.safe_load(path.read_text()):
            if {"ansible.builtin.raw", "ansible.builtin.command"} & task.keys():
                assert task["changed_when"] is False
                assert task["check_mode"] is False
