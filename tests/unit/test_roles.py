"""Roles: what they promise in their argument specs, their tables, and the Python they need on a node."""

from __future__ import annotations

import importlib.util
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.basic import _PY_MIN

ROLES = sorted(path.name for path in (Path(__file__).parents[2] / "ansible" / "roles").iterdir())
# Python of the platform that each profile is for, where the profile installs none.
PLATFORM_PYTHON = {"seed": (3, 6), "current": (3, 9)}


def load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text()) or {}


def defaults(role: Path) -> dict[str, Any]:
    files = [role / "defaults" / "main.yml"] if (role / "defaults" / "main.yml").exists() else []
    files += sorted((role / "defaults" / "main").glob("*.yml"))
    return {name: value for path in files for name, value in load(path).items()}


@pytest.mark.parametrize("name", ROLES)
def test_every_default_is_described_with_its_effect(repo: Path, name: str) -> None:
    role = repo / "ansible" / "roles" / name
    entry_points = load(role / "meta" / "argument_specs.yml")["argument_specs"]
    described = {option: spec for entry in entry_points.values() for option, spec in entry.get("options", {}).items()}
    assert set(defaults(role)) <= set(described)
    for option, spec in described.items():
        text = spec["description"] if isinstance(spec["description"], str) else " ".join(spec["description"])
        if option != "artifact_files":
            assert "Changing" in text, f"{option}: its description does not say what changing it later does"
    assert all(option.startswith(f"{name}_") for option in described)


@pytest.mark.parametrize("name", ROLES)
def test_task_files_are_short_and_every_task_has_a_name(repo: Path, name: str) -> None:
    for path in (repo / "ansible" / "roles" / name / "tasks").glob("*.yml"):
        text = path.read_text()
        assert len(text.splitlines()) < 120, path
        assert all("name" in task for task in yaml.safe_load(text)), path


@pytest.mark.parametrize(
    ("role", "table", "version"),
    [
        ("docker", "docker_checksums", "docker_version"),
        ("kubernetes", "kubernetes_checksums", "kubernetes_version"),
        ("kubernetes", "kubernetes_crictl_checksums", "kubernetes_crictl_version"),
        ("kubernetes", "kubernetes_cni_plugins_checksums", "kubernetes_cni_plugins_version"),
    ],
)
def test_the_default_version_is_the_first_and_newest_of_its_table(
    repo: Path, role: str, table: str, version: str
) -> None:
    values = defaults(repo / "ansible" / "roles" / role)
    versions = list(values[table])
    assert values[version] == "{{ " + table + " | first }}"
    assert versions == sorted(versions, key=lambda text: tuple(map(int, text.split("."))), reverse=True)


def test_checksums_are_sha256(repo: Path) -> None:
    values = defaults(repo / "ansible" / "roles" / "kubernetes")
    sums = [value for row in values["kubernetes_checksums"].values() for value in row.values()]
    for table in ("kubernetes_crictl_checksums", "kubernetes_cni_plugins_checksums"):
        sums += values[table].values()
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in sums)
    assert len(set(sums)) == len(sums)


@pytest.mark.parametrize("profile", sorted(PLATFORM_PYTHON))
def test_a_profile_brings_a_python_that_ansible_core_can_use(repo: Path, profile: str) -> None:
    values = load(repo / "ansible" / "profiles" / f"{profile}.yml")
    named = re.search(r"python(\d)\.(\d+)", values["ansible_python_interpreter"])
    python = (int(named[1]), int(named[2])) if named else PLATFORM_PYTHON[profile]
    assert python >= tuple(_PY_MIN), f"{profile}: {python} on the node, ansible-core needs {_PY_MIN}"
    if python != PLATFORM_PYTHON[profile]:
        assert values["base_python_package"], f"{profile}: nothing installs Python {python}"


@pytest.mark.parametrize("profile", sorted(PLATFORM_PYTHON))
def test_a_profile_names_versions_that_the_tables_know(repo: Path, profile: str) -> None:
    values = load(repo / "ansible" / "profiles" / f"{profile}.yml")
    known = defaults(repo / "ansible" / "roles" / "kubernetes") | defaults(repo / "ansible" / "roles" / "docker")
    for name in ("docker", "kubernetes", "kubernetes_crictl", "kubernetes_cni_plugins"):
        assert values[f"{name}_version"] in known[f"{name}_checksums"]


def test_only_the_lab_brings_its_own_checksums(repo: Path) -> None:
    for path in sorted((repo / "inventory").glob("*/group_vars/**/*.yml")):
        if path.relative_to(repo / "inventory").parts[0] != "lab":
            assert "artifact_manifest" not in load(path), path


def inputs(repo: Path, site: Path, hosts: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Check the inputs of a site with the given nodes; nothing but the controller is touched."""
    (site / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": hosts}}))
    command = [Path(sys.executable).parent / "ansible-playbook", "-i", site / "hosts.yml", "playbooks/inputs.yml"]
    return subprocess.run(command, cwd=repo, capture_output=True, text=True)


NODES: dict[str, Any] = {
    "controlplane": {"hosts": {"x-cp0": {}}},
    "etcd": {"hosts": {"x-cp0": {}}},
    "worker": {"hosts": {"x-cp0": {}, "x-w0": {}}},
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    variables = tmp_path / "group_vars" / "all"
    variables.mkdir(parents=True)
    image = {"analysis_image_repository": "r/analysis", "analysis_image_digest": "sha256:" + "0" * 64}
    (variables / "main.yml").write_text(yaml.safe_dump({"kubernetes_version": "1.26.3", **image}))
    (tmp_path / "terraform.tfvars").write_text('network_cidr = "10.77.0.0/24"\npod_cidr = "10.244.0.0/16"\n')
    return tmp_path


def test_sound_inputs_pass(repo: Path, site: Path) -> None:
    run = inputs(repo, site, NODES)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"gpu": {"hosts": {"x-w0": {}}}}, ["x-w0", "gpu", "terraform.tfvars"]),
        ({"controlplane": {"hosts": {}}, "etcd": {"hosts": {}}}, ["0 nodes are in group controlplane"]),
        ({"etcd": {"hosts": {"x-w0": {}}}}, ["Group etcd is [x-w0]", "terraform.tfvars"]),
    ],
    ids=["unknown group", "no control plane", "etcd elsewhere"],
)
def test_bad_groups_are_named(repo: Path, site: Path, change: dict[str, Any], says: list[str]) -> None:
    run = inputs(repo, site, {**NODES, **change})
    text = " ".join((run.stdout + run.stderr).split())
    assert run.returncode != 0
    assert all(words in text for words in says), text


@pytest.mark.parametrize(
    ("variables", "tfvars", "says"),
    [
        ({"kubernetes_version": "1.20.0"}, "", ["kubernetes_version is 1.20.0", "group_vars/all", "1.26.3"]),
        ({}, 'pod_cidr = "10.200.0.0/16"', ["10.200.0.0/16", "10.244.0.0/16", "terraform.tfvars"]),
        ({}, 'network_cidr = "10.96.5.0/24"', ["network_cidr (10.96.5.0/24)", "kubernetes_service_cidr"]),
        ({"analysis_image_digest": "latest"}, "", ["analysis_image_digest", "latest", "group_vars/all"]),
        ({"artifact_manifest": "/nowhere.json"}, "", ["artifact_manifest is /nowhere.json"]),
        ({"facility_thresholds": {"dns_ms_max": -1}}, "", ["facility_thresholds.dns_ms_max is -1", "below 0"]),
        ({"facility_thresholds": {"cores_share_min": 90}}, "", ["cores_share_min is 90", "a share not above 1"]),
        ({"facility_thresholds": {"dns_max": 1}}, "", ["facility_thresholds in group_vars", "dns_max", "dns_ms_max"]),
    ],
    ids=["version", "pods differ", "overlap", "digest", "manifest", "negative", "no share", "no threshold"],
)
def test_bad_values_are_named_with_their_file(
    repo: Path, site: Path, variables: dict[str, Any], tfvars: str, says: list[str]
) -> None:
    path = site / "group_vars" / "all" / "main.yml"
    path.write_text(yaml.safe_dump({**load(path), **variables}))
    if tfvars:
        (site / "terraform.tfvars").write_text(tfvars + "\n")
    run = inputs(repo, site, NODES)
    text = " ".join((run.stdout + run.stderr).split())
    assert run.returncode != 0
    assert all(words in text for words in says), text


@pytest.mark.parametrize("name", ["access.yml", "site.yml"])
def test_an_inventory_without_nodes_is_refused(repo: Path, site: Path, name: str) -> None:
    (site / "hosts.yml").write_text("all: {children: {worker: {hosts: {}}}}")
    command = [Path(sys.executable).parent / "ansible-playbook", "-i", site / "hosts.yml", f"playbooks/{name}"]
    run = subprocess.run(command, cwd=repo, capture_output=True, text=True)
    assert run.returncode != 0, run.stdout
    assert "names no node" in run.stdout


# What others are made of, and nobody types.
PARTS = ("access.yml", "analysis_image.yml", "inputs.yml", "installed.yml", "jupyterhub.yml", "nodes.yml")


def test_every_playbook_checks_its_inputs_first(repo: Path) -> None:
    for path in sorted((repo / "playbooks").glob("*.yml")):
        first = yaml.safe_load(path.read_text())[0]
        if path.name not in PARTS:
            assert first["ansible.builtin.import_playbook"] == "inputs.yml", path


@pytest.mark.parametrize(
    ("file", "line", "says"),
    [
        ("group_vars/all/main.yml", "kubernets_version: 1.26.3", ["kubernets_version", "line 4", "kubernetes_version"]),
        ("group_vars/worker.yml", "base_sysctls: {}", ["base_sysctls in group_vars/worker.yml line 1", "base_sysctl "]),
        ("group_vars/workers.yml", "base_sysctl: {}", ["group_vars/workers.yml", "Is worker meant?"]),
        ("host_vars/x-w0.yml", "base_data_devise: /dev/vdc", ["host_vars/x-w0.yml line 1", "base_data_device"]),
        ("host_vars/x-w0.yml", "ansible_usr: rocky", ["ansible_usr", "Is ansible_user meant?"]),
        ("group_vars/all/own.yml", "base_time_sync: maybe", ["base_time_sync", "own.yml line 1", "maybe", "bool"]),
        ("group_vars/all/own.yml", "base_packages: {}", ["base_packages", "list"]),
        ("group_vars/all/own.yml", "base_data_filesystem: zfs", ["base_data_filesystem", "zfs", "ext4, xfs"]),
        ("group_vars/all/own.yml", "flannel_timeout_s: long", ["flannel_timeout_s", "long", "int"]),
        ("group_vars/all/own.yml", "flannel_version: 1.30", ["flannel_version", "is 1.3,", "quotes"]),
        ("group_vars/all/own.yml", "docker_version:", ["docker_version", "no value"]),
        ("group_vars/all/own.yml", "a: [", ["group_vars/all/own.yml cannot be read"]),
    ],
)
def test_variables_that_nothing_reads_or_understands_are_named(
    repo: Path, site: Path, file: str, line: str, says: list[str]
) -> None:
    (site / file).parent.mkdir(parents=True, exist_ok=True)
    with (site / file).open("a") as out:
        out.write(line + "\n")
    text = " ".join(faults(repo, site))
    assert all(words in text for words in says), text


def faults(repo: Path, site: Path) -> list[str]:
    roles = repo / "ansible" / "roles"
    others = load(roles / "inputs" / "vars" / "main.yml")["__inputs_variables"]
    return runpy.run_path(str(repo / "playbooks" / "filter_plugins" / "site_variables.py"))["site_faults"](
        str(site), str(roles), others, ["controlplane", "etcd", "worker"]
    )


def test_a_misspelt_variable_stops_the_playbook(repo: Path, site: Path) -> None:
    (site / "group_vars" / "all" / "more.yml").write_text("kubernets_version: 1.26.3\n")
    run = inputs(repo, site, NODES)
    text = " ".join((run.stdout + run.stderr).split())
    assert run.returncode != 0
    assert "kubernets_version in group_vars/all/more.yml line 1" in text
    assert "Is kubernetes_version meant?" in text


def test_what_a_site_may_write_is_not_refused(repo: Path, site: Path) -> None:
    (site / "host_vars").mkdir()
    (site / "host_vars" / "x-w0").write_text(
        "site_mirror: http://m\nartifact_url_github: '{{ site_mirror }}/g'\nbase_time_sync: '{{ 1 == 1 }}'\n"
        "docker_users: ['{{ ansible_user }}']\nansible_password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  00\n"
    )
    (site / "group_vars" / "all" / "secret.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n3030\n")
    (site / "group_vars" / "all" / "main.yml.orig").write_text("kubernets: 1\n")
    assert faults(repo, site) == []


def test_the_variables_of_every_site_that_is_shipped_are_known(repo: Path) -> None:
    sites = [path.parent for path in (repo / "inventory").glob("*/openstack.yml")]
    assert len(sites) >= 4
    assert {str(site): found for site in sites if (found := faults(repo, site))} == {}


def test_the_handler_of_the_operator_compiles(repo: Path) -> None:
    path = repo / "ansible" / "roles" / "dask_operator" / "files" / "phase.py"
    spec = importlib.util.spec_from_file_location("phase", path)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
