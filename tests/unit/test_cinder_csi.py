"""Cinder's volumes: what of a clouds.yaml the cluster gets, and what the plugin's objects may do."""

from __future__ import annotations

import base64
import json
import runpy
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

SECRET = "s3cret-of-the-credential"
APPLICATION = {
    "auth": {"auth_url": "https://c/v3", "application_credential_id": "i", "application_credential_secret": SECRET},
    "auth_type": "v3applicationcredential",
    "region_name": "r1",
    "profile": "for people's programs",
}
PASSWORD = {"auth": {"auth_url": "https://c/v3", "username": "u", "password": SECRET, "project_name": "p"}}


@pytest.fixture(scope="module")
def clouds(repo: Path) -> dict[str, Any]:
    return runpy.run_path(str(repo / "playbooks/filter_plugins/clouds.py"))


def written(folder: Path, **entries: object) -> str:
    path = folder / "clouds.yaml"
    path.write_text(yaml.safe_dump({"clouds": entries}))
    return str(path)


# --- the credential -----------------------------------------------------------------------------------------------
def test_an_application_credential_is_passed_on_alone(clouds: dict[str, Any], tmp_path: Path) -> None:
    path = written(tmp_path, site=APPLICATION, other=PASSWORD)
    assert clouds["credential_fault"](path, "site", False) == ""
    data = {name: base64.b64decode(text).decode() for name, text in clouds["cluster_credentials"](path, "site").items()}
    assert set(data) == {"cloud.conf", "clouds.yaml"}
    passed = yaml.safe_load(data["clouds.yaml"])["clouds"]
    assert passed == {"site": {key: APPLICATION[key] for key in ("auth", "auth_type", "region_name")}}
    assert 'cloud = "site"' in data["cloud.conf"]
    assert SECRET not in data["cloud.conf"]


def test_the_certificate_of_a_private_authority_goes_along(clouds: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "own.pem").write_text("CERTIFICATE")
    path = written(tmp_path, site={**APPLICATION, "cacert": str(tmp_path / "own.pem")})
    data = {name: base64.b64decode(text).decode() for name, text in clouds["cluster_credentials"](path, "site").items()}
    assert data["ca.crt"] == "CERTIFICATE"
    assert yaml.safe_load(data["clouds.yaml"])["clouds"]["site"]["cacert"] == "/etc/cinder/ca.crt"


def test_a_password_is_refused_unless_allowed(clouds: dict[str, Any], tmp_path: Path) -> None:
    path = written(tmp_path, site=PASSWORD)
    fault = clouds["credential_fault"](path, "site", False)
    assert "application credential create" in fault
    assert SECRET not in fault
    assert clouds["credential_fault"](path, "site", True) == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"clouds: [site, {SECRET}", "is no clouds.yaml"),
        (f"password: {SECRET}", "is no clouds.yaml"),
        (f"clouds: {{other: {{auth: {{password: {SECRET}}}}}}}", "has no cloud site; it has other"),
        (f"clouds: {{site: {{auth: {{password: {SECRET}}}}}}}", "says no auth.auth_url for cloud site"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_not_quoted(
    clouds: dict[str, Any], tmp_path: Path, text: str | None, says: str
) -> None:
    path = tmp_path / "clouds.yaml"
    if text is not None:
        path.write_text(text)
    fault = clouds["credential_fault"](str(path), "site", False)
    assert str(path) in fault
    assert says in fault
    assert SECRET not in fault


# --- the objects --------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def objects(repo: Path) -> list[dict[str, Any]]:
    role = repo / "ansible/roles/storage"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(role / "templates"), undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters |= {
        "bool": bool, "to_json": json.dumps, "by_digest": lambda name, _: f"{name}@sha256:{'0' * 64}",
    }  # fmt: skip
    values = yaml.safe_load((role / "defaults/main.yml").read_text())
    values |= {"storage_class": "cinder", "__storage_driver": "cinder.csi.openstack.org", "__storage_facility": "lab"}
    values |= {"__storage_secret_version": "7", "storage_cinder_volume_type": "fast: yes"}
    return [
        each
        for name in ("cinder", "cinder-controller", "cinder-node")
        for each in yaml.safe_load_all(environment.get_template(f"{name}.yaml.j2").render(values))
    ]


def of(objects: list[dict[str, Any]], kind: str, name: str | None = None) -> dict[str, Any]:
    (found,) = [each for each in objects if each["kind"] == kind and name in (None, each["metadata"]["name"])]
    return found


def containers(objects: list[dict[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for each in objects:
        if each["kind"] in ("Deployment", "DaemonSet"):
            for container in each["spec"]["template"]["spec"]["containers"]:
                yield each["kind"], container


def test_the_class_is_the_default_and_its_volumes_grow_and_go_with_their_claims(objects: list[dict[str, Any]]) -> None:
    made = of(objects, "StorageClass")
    assert made["metadata"]["annotations"] == {"storageclass.kubernetes.io/is-default-class": "true"}
    assert made["provisioner"] == of(objects, "CSIDriver")["metadata"]["name"]
    assert made["parameters"] == {"csi.storage.k8s.io/fstype": "ext4", "type": "fast: yes"}
    assert (made["reclaimPolicy"], made["allowVolumeExpansion"]) == ("Delete", True)


def test_nothing_may_do_everything_or_read_secrets(objects: list[dict[str, Any]]) -> None:
    rules = [rule for each in objects if each["kind"] in ("Role", "ClusterRole") for rule in each["rules"]]
    assert rules
    for rule in rules:
        assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
        assert not {"secrets", "pods"} & set(rule["resources"])


def test_the_plugin_alone_holds_the_credential_and_no_node_does(objects: list[dict[str, Any]]) -> None:
    holders = [
        (kind, container["name"])
        for kind, container in containers(objects)
        if any(mount["name"] == "credential" for mount in container["volumeMounts"])
    ]
    assert holders == [("Deployment", "cinder-csi-plugin")]
    node = of(objects, "DaemonSet")["spec"]["template"]["spec"]
    assert node["automountServiceAccountToken"] is False
    assert not any("secret" in volume for volume in node["volumes"])


def test_one_container_alone_is_privileged(objects: list[dict[str, Any]]) -> None:
    privileged = []
    for kind, container in containers(objects):
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True, container["name"]
        if context.get("privileged"):
            privileged.append((kind, container["name"]))
        else:
            assert context["capabilities"] == {"drop": ["ALL"]}, container["name"]
    assert privileged == [("DaemonSet", "cinder-csi-plugin")]
    assert of(objects, "Deployment")["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"] is True


def test_images_are_taken_by_the_digest_of_the_mirror_and_pods_are_waited_for(objects: list[dict[str, Any]]) -> None:
    names = [container["name"] for _, container in containers(objects)]
    assert sorted(set(names)) == sorted(
        ["cinder-csi-plugin", "csi-provisioner", "csi-attacher", "csi-resizer", "csi-node-driver-registrar"]
    )
    assert all("@sha256:" in container["image"] for _, container in containers(objects))
    for kind in ("Deployment", "DaemonSet"):
        assert of(objects, kind)["metadata"]["labels"] == {"app.kubernetes.io/part-of": "facility"}


def test_the_plugin_starts_anew_with_another_credential(objects: list[dict[str, Any]]) -> None:
    assert of(objects, "Deployment")["spec"]["template"]["metadata"]["annotations"] == {"facility/credential": "7"}


# --- the nodes ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("role", ["base", "validate"])
def test_a_volume_of_a_pod_is_not_taken_for_the_data_volume(repo: Path, tmp_path: Path, role: str) -> None:
    own, pods = "1" * 36, "2" * 36
    server = {
        "attached_volumes": [{"id": pods}, {"id": own}],
        "volumes": [{"id": own, "metadata": {}}, {"id": pods, "metadata": {"cinder.csi.openstack.org/cluster": "x"}}],
    }
    name = {"base": "__base_data_volumes", "validate": "__validate_volumes"}[role]
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars_files": [str(repo / f"ansible/roles/{role}/vars/main.yml")],
        "vars": {"openstack": server},
        "tasks": [{"name": "The volumes", "ansible.builtin.debug": {"msg": f"volumes={{{{ {name} | join(',') }}}};"}}],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    command = [Path(sys.executable).parent / "ansible-playbook", tmp_path / "play.yml"]
    run = subprocess.run(command, cwd=repo, capture_output=True, text=True)
    assert f"volumes={own};" in run.stdout, run.stdout + run.stderr
