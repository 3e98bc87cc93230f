"""Fair share: what Kueue gets to divide, what it may do, and what keeps a user's pods waiting for their turn."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from definitions import definitions

NODES = {
    "x-cp0": {"vcpus": 2, "memory_mib": 4096, "groups": ("controlplane", "worker")},
    "x-w0": {"vcpus": 4, "memory_mib": 8192, "groups": ("worker",)},
    # no node for analyses
    "x-cp1": {"vcpus": 8, "memory_mib": 8192, "groups": ("controlplane",)},
}
KEY = "lookup('ansible.builtin.template', 'key.yaml.j2') | from_yaml_all | list"
GATE = "kueue.x-k8s.io/admission"

Play = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def play(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Play:
    """Plays tasks on the first control plane of a site that has these nodes."""
    site = tmp_path_factory.mktemp("x")
    # where a task of the play itself looks for them
    (site / "templates").symlink_to(repo / "ansible/roles/kueue/templates")
    inventory: dict[str, Any] = {}
    for name, node in NODES.items():
        for group in node["groups"]:
            hosts = inventory.setdefault(group, {"hosts": {}})["hosts"]
            hosts[name] = {"vcpus": node["vcpus"], "memory_mib": node["memory_mib"]}
    (site / "hosts.yml").write_text(yaml.safe_dump(inventory))

    def run(tasks: list[dict[str, Any]], **variables: Any) -> subprocess.CompletedProcess[str]:
        whole = {
            "hosts": "controlplane[0]",
            "connection": "local",
            "gather_facts": False,
            "vars": {
                "ansible_python_interpreter": sys.executable,
                "jupyterhub_enabled": True,
                "kubernetes_version": "1.36.4",
                "kueue_files_dir": str(site / "kueue"),
                **variables,
            },
            "tasks": tasks,
        }
        (site / "play.yml").write_text(yaml.safe_dump([whole]))
        command = [Path(sys.executable).parent / "ansible-playbook", "-i", site / "hosts.yml", site / "play.yml"]
        return subprocess.run(command, cwd=repo, capture_output=True, text=True)

    return run


@pytest.fixture(scope="module")
def made(play: Play, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[dict[str, Any]]]:
    """The role's objects, by Kubernetes' version."""
    folder = tmp_path_factory.mktemp("objects")

    def objects(version: str) -> list[dict[str, Any]]:
        path = folder / f"{version}.json"
        if not path.exists():
            done = play(
                [
                    {
                        "name": "The certificate",
                        "ansible.builtin.import_role": {"name": "kueue", "tasks_from": "certificate"},
                    },
                    {
                        "name": "The objects",
                        "ansible.builtin.copy": {"dest": str(path), "content": f"{{{{ ({KEY}) + __kueue_objects }}}}"},
                    },
                ],
                kubernetes_version=version,
            )
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr
        return json.loads(path.read_text())

    return objects


@pytest.fixture(scope="module")
def objects(made: Callable[[str], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return made("1.36.4")


def of(objects: list[dict[str, Any]], kind: str, name: str | None = None) -> dict[str, Any]:
    (found,) = [each for each in objects if each["kind"] == kind and name in (None, each["metadata"]["name"])]
    return found


# --- where it applies ---------------------------------------------------------------------------------------------
def test_on_old_kubernetes_one_line_says_that_priorities_alone_hold(play: Play) -> None:
    done = play([{"name": "Kueue", "ansible.builtin.import_role": {"name": "kueue"}}], kubernetes_version="1.26.3")
    text = " ".join(done.stdout.split())
    assert done.returncode == 0, done.stdout
    assert "Kueue needs Kubernetes 1.29, this one is 1.26.3" in text
    assert "changed=0" in text
    assert "definitions of resources" not in text


def test_a_site_without_the_platform_hears_nothing_of_it(play: Play) -> None:
    done = play([{"name": "Kueue", "ansible.builtin.import_role": {"name": "kueue"}}], jupyterhub_enabled=False)
    assert done.returncode == 0, done.stdout
    assert "Kueue needs" not in done.stdout
    assert "definitions of resources" not in done.stdout


def test_without_a_node_that_has_room_it_says_what_to_set(play: Play) -> None:
    done = play([{"name": "Kueue", "ansible.builtin.import_role": {"name": "kueue"}}], kueue_cpu=0)
    text = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert "with 0 cores (kueue_cpu)" in text
    assert "group_vars/all" in text


# --- what there is to share ---------------------------------------------------------------------------------------
def test_the_capacity_is_what_the_nodes_for_analyses_leave(objects: list[dict[str, Any]]) -> None:
    (group,) = of(objects, "Cohort")["spec"]["resourceGroups"]
    (flavor,) = group["flavors"]
    assert flavor["name"] == of(objects, "ResourceFlavor")["metadata"]["name"]
    assert of(objects, "ResourceFlavor")["spec"]["nodeLabels"] == {"node-role.kubernetes.io/worker": ""}
    quota = {each["name"]: each["nominalQuota"] for each in flavor["resources"]}
    # 0.85 of what is left of 6 cores: 0.1 a node, 0.7 for one control plane, 0.6 for what serves all
    assert quota["cpu"] == f"{round(0.85 * (6 - 2 * 0.1 - 0.7 - 0.6) * 1000)}m"
    assert quota["memory"] == f"{int(0.85 * (12288 * 0.97 - 2 * 400 - 1200 - 1000))}Mi"


# --- what it may do -----------------------------------------------------------------------------------------------
def test_kueue_changes_pods_only_where_the_hub_lets_it(objects: list[dict[str, Any]]) -> None:
    everywhere = of(objects, "ClusterRole", "kueue")["rules"]
    changing = {"create", "update", "patch", "delete"}
    assert {
        (group, resource)
        for rule in everywhere
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        if changing & set(rule["verbs"]) and group != "kueue.x-k8s.io"
    } == {("", "events"), ("events.k8s.io", "events")}
    rules = [rule for each in objects if each["kind"] == "ClusterRole" for rule in each["rules"]]
    for rule in rules:
        assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
        assert not {"secrets", "customresourcedefinitions", "mutatingwebhookconfigurations"} & set(rule["resources"])
    (binding,) = [each for each in objects if each["kind"] == "ClusterRoleBinding"]
    assert binding["roleRef"]["name"] == "kueue"


def test_its_pod_is_restricted(objects: list[dict[str, Any]]) -> None:
    assert of(objects, "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    pod = of(objects, "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["requests"]
    assert container["resources"]["limits"]["memory"]
    assert of(objects, "Deployment")["metadata"]["labels"] == {"app.kubernetes.io/part-of": "facility"}
    (ingress,) = of(objects, "NetworkPolicy")["spec"]["ingress"]
    assert ingress["ports"] == [{"protocol": "TCP", "port": 9443}]


def test_pods_of_users_are_all_that_it_queues(objects: list[dict[str, Any]]) -> None:
    settings = json.loads(of(objects, "ConfigMap")["data"]["configuration.yaml"])
    assert settings["integrations"] == {"frameworks": ["pod"]}
    assert settings["managedJobsNamespaceSelector"] == {"matchLabels": {"facility/part": "user"}}
    assert settings["fairSharing"]["preemptionStrategies"]


def test_the_api_believes_kueues_own_certificate(objects: list[dict[str, Any]]) -> None:
    (webhook,) = of(objects, "MutatingWebhookConfiguration")["webhooks"]
    assert webhook["clientConfig"]["caBundle"] == of(objects, "Secret")["data"]["tls.crt"]
    assert webhook["clientConfig"]["service"]["name"] == of(objects, "Service")["metadata"]["name"]


# --- the guard ----------------------------------------------------------------------------------------------------
def test_nothing_of_a_user_starts_before_its_turn_but_notebooks_and_schedulers(objects: list[dict[str, Any]]) -> None:
    (webhook,) = of(objects, "MutatingWebhookConfiguration")["webhooks"]
    policy = of(objects, "ValidatingAdmissionPolicy")["spec"]
    users = {"matchLabels": {"facility/part": "user"}}
    for guard, selected in ((webhook, webhook), (policy, policy["matchConstraints"])):
        assert guard["failurePolicy"] == "Fail"
        assert selected["namespaceSelector"] == users
        # by who asks and by a class that a quota counts, never by what a user may write
        assert {each["name"]: each["expression"] for each in guard["matchConditions"]} == {
            "no-notebook": "request.userInfo.username != 'system:serviceaccount:jupyterhub:hub'",
            "no-scheduler": "!has(object.spec.priorityClassName)"
            " || object.spec.priorityClassName != 'facility-dask-scheduler'",
        }
    for rules in (webhook["rules"], policy["matchConstraints"]["resourceRules"]):
        assert [(rule["operations"], rule["resources"]) for rule in rules] == [(["CREATE"], ["pods"])]
    assert GATE in policy["validations"][0]["expression"]
    assert of(objects, "ValidatingAdmissionPolicyBinding")["spec"]["validationActions"] == ["Deny"]


def test_where_kubernetes_has_no_such_policy_the_webhook_is_there(
    made: Callable[[str], list[dict[str, Any]]],
) -> None:
    kinds = {each["kind"] for each in made("1.29.0")}
    assert "MutatingWebhookConfiguration" in kinds
    assert not any(kind.startswith("ValidatingAdmissionPolicy") for kind in kinds)


# --- definitions of resources -------------------------------------------------------------------------------------
def definition(kind: str = "Queue", storage: str = "v2") -> dict[str, Any]:
    properties = {"description": {"type": "string", "description": "what it is for"}}
    schema = {"openAPIV3Schema": {"description": "A queue.", "properties": properties}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.lower()}s.x.io", "annotations": {"a": "b"}},
        "spec": {
            "group": "x.io",
            "names": {"kind": kind},
            "conversion": {"strategy": "Webhook"},
            "versions": [
                {"name": name, "served": True, "storage": name == storage, "schema": schema} for name in ("v1", "v2")
            ],
        },
    }


def test_definitions_come_in_one_version_without_conversion_and_words(tmp_path: Path) -> None:
    path = tmp_path / "manifests.yaml"
    documents = [definition("Other"), {"kind": "Namespace"}, None, definition()]
    path.write_text(yaml.safe_dump_all(documents))
    (found,) = definitions(str(path), "x.io", "v2", ["Queue"])
    assert found["metadata"] == {"name": "queues.x.io"}
    assert "conversion" not in found["spec"]
    (version,) = found["spec"]["versions"]
    assert version["name"] == "v2"
    assert version["schema"]["openAPIV3Schema"] == {"properties": {"description": {"type": "string"}}}


@pytest.mark.parametrize("there", [definition("Other"), definition(storage="v1")])
def test_a_file_without_what_is_wanted_is_named(tmp_path: Path, there: dict[str, Any]) -> None:
    path = tmp_path / "manifests.yaml"
    path.write_text(yaml.safe_dump(there))
    with pytest.raises(ValueError, match=r"manifests\.yaml does not define Queue in v2"):
        definitions(str(path), "x.io", "v2", ["Queue"])
