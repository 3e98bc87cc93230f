"""Volumes of the cloud for pods: a second facility that was told to take them from Cinder."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openstack
import pytest
import yaml
from kubernetes import client, config

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(2400)]

SITE = "cinder"
IMAGES = ("cinder-csi-plugin", "csi-provisioner", "csi-attacher", "csi-resizer", "csi-node-driver-registrar")
MARK = "cinder.csi.openstack.org/cluster"
NODES = (f"{SITE}-cp0", f"{SITE}-w0")
ORDER = """\
facility         = "cinder"
cloud            = "lab"
external_network = "public"
network_cidr     = "10.86.0.0/24"
dns_nameservers  = ["10.86.0.1"]
reserved_cidrs   = { external = "172.31.250.0/24" }
admin_cidrs      = ["172.31.250.0/24"]
user_cidrs       = ["172.31.250.0/24"]
image            = "rocky-8"
nodes = {
  cp0 = { groups = ["controlplane", "etcd", "worker"], flavor = "c2.r4", data_volume_gib = 5 }
  w0  = { groups = ["worker"], flavor = "c1.r2", data_volume_gib = 0 }
}
"""


@dataclass(frozen=True)
class Facility:
    """The second facility.

    Attributes
    ----------
    secret : of the application credential that the cluster was given
    first : what the first site.yml said
    """

    repo: Path
    env: Mapping[str, str]
    cloud: Any
    secret: str
    first: str

    def site(self) -> subprocess.CompletedProcess[str]:
        return site(self.repo, self.env)

    def volumes(self) -> list[Any]:
        """The volumes that were made for this facility's pods."""
        return [each for each in self.cloud.block_storage.volumes() if each.metadata.get(MARK) == SITE]


def site(repo: Path, env: Mapping[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    plays = ["-i", f"inventory/{SITE}/openstack.yml", "playbooks/site.yml"]
    command = ["ansible-playbook", *plays, "--diff", "-v", *options]
    return subprocess.run(command, cwd=repo, env=dict(env), capture_output=True, text=True, timeout=1200)


def terraform(repo: Path, env: Mapping[str, str], *command: str) -> None:
    done = subprocess.run(
        ["terraform/tf", SITE, *command, "-no-color"], cwd=repo, env=dict(env), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr


def wait_for(what: str, true: Callable[[], Any], seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline, f"no {what} within {seconds:.0f} s"
        time.sleep(0.5)
    return value


def write_site(repo: Path, facility_dir: Path, credential: Mapping[str, Any]) -> None:
    """A site folder like that of the lab, but for where its volumes are."""
    inventory, runtime = repo / "inventory" / SITE, repo / ".facility" / SITE
    variables = inventory / "group_vars/all"
    variables.mkdir(parents=True)
    runtime.mkdir(mode=0o700)
    for path in (repo / "inventory/lab/group_vars/all").iterdir():
        shutil.copy(path, variables)
    (variables / "storage.yml").write_text(
        yaml.safe_dump(
            {
                "storage_backend": "cinder",
                "storage_cinder_clouds_yaml": str(runtime / "cluster.yaml"),
                "storage_cinder_cloud": "cluster",
            }
        )
    )
    plugin = (repo / "inventory/lab/openstack.yml").read_text()
    (inventory / "openstack.yml").write_text(plugin.replace("facility: lab", f"facility: {SITE}"))
    (inventory / "terraform.tfvars").write_text(ORDER)
    for name in ("clouds.yaml", "terraformrc"):
        shutil.copy(facility_dir / name, runtime)
    secrets = runtime / "cluster.yaml"
    secrets.touch(mode=0o600)
    secrets.write_text(yaml.safe_dump({"clouds": {"cluster": credential}}))


def remove_site(repo: Path) -> None:
    for folder in (repo / "inventory" / SITE, repo / ".facility" / SITE):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def facility(lab: Mapping[str, str], repo: Path, facility_dir: Path) -> Iterator[Facility]:
    names = [word for image in IMAGES for word in ("--only", image)]
    subprocess.run(["lab", "artifacts", *names], cwd=repo, env=dict(lab), check=True)
    clouds = openstack.config.OpenStackConfig(config_files=[lab["OS_CLIENT_CONFIG_FILE"]], load_envvars=False)
    cloud = openstack.connection.Connection(config=clouds.get_one("lab"))
    user = cloud.current_user_id
    for left in cloud.identity.application_credentials(user):
        cloud.identity.delete_application_credential(user, left)
    made = cloud.identity.create_application_credential(user, SITE, roles=[{"name": "member"}])
    remove_site(repo)
    # The same cloud, at the address that guests reach.
    inside = clouds.get_one("lab-inside")
    auth = {
        "auth_url": inside.config["auth"]["auth_url"],
        "application_credential_id": made.id,
        "application_credential_secret": made.secret,
    }
    entry = {"auth": auth, "auth_type": "v3applicationcredential", "region_name": inside.region_name}
    write_site(repo, facility_dir, entry)
    try:
        terraform(repo, lab, "apply", "-auto-approve")
        done = site(repo, lab)
        assert done.returncode == 0, done.stdout[-6000:]
        yield Facility(repo, lab, cloud, made.secret, done.stdout + done.stderr)
    finally:
        if (repo / ".facility" / SITE / "terraform.tfstate").is_file():
            terraform(repo, lab, "destroy", "-auto-approve")
        cloud.identity.delete_application_credential(user, made)
        remove_site(repo)


@pytest.fixture(scope="module")
def api(facility: Facility) -> client.CoreV1Api:
    return client.CoreV1Api(config.new_client_from_config(str(facility.repo / ".facility" / SITE / "kubeconfig")))


def start(api: client.CoreV1Api, name: str, node: str, script: str) -> None:
    """A pod on a node, as a user without rights, with the claim `data` at /data."""
    image = "docker.io/rancher/local-path-provisioner:v0.0.30"  # it has a shell, and every facility has it
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": "shell", "image": image, "command": ["sh", "-ec", script], "securityContext": security,
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }  # fmt: skip
    spec = {
        "nodeSelector": {"kubernetes.io/hostname": node},
        "containers": [container],
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000, "runAsNonRoot": True},
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    }
    api.create_namespaced_pod("default", {"metadata": {"name": name}, "spec": spec})


def said(api: client.CoreV1Api, name: str, pattern: str) -> str:
    """What a pod wrote, once it matches."""

    def log() -> str:
        pod = api.read_namespaced_pod(name, "default")
        if pod.status.phase == "Pending":
            return ""
        text = api.read_namespaced_pod_log(name, "default")
        assert pod.status.phase != "Failed", text
        return text if re.search(pattern, text) else ""

    try:
        return wait_for(f"{pattern} from pod {name}", log, 180)
    except AssertionError as error:
        events = [event.message for event in api.list_namespaced_event("default").items]
        raise AssertionError(f"{error}; events: {events[-8:]}") from error


def gone(api: client.CoreV1Api, name: str) -> None:
    api.delete_namespaced_pod(name, "default", grace_period_seconds=0)
    selector = f"metadata.name={name}"
    wait_for(f"end of {name}", lambda: not api.list_namespaced_pod("default", field_selector=selector).items)


def test_the_class_is_the_only_one_and_the_default(facility: Facility, api: client.CoreV1Api) -> None:
    (only,) = client.StorageV1Api(api.api_client).list_storage_class().items
    assert only.metadata.name == "cinder"
    assert only.metadata.annotations["storageclass.kubernetes.io/is-default-class"] == "true"


def test_every_node_knows_which_server_it_is(facility: Facility, api: client.CoreV1Api) -> None:
    servers = {each.name: each.id for each in facility.cloud.compute.servers() if each.name in NODES}
    found = client.StorageV1Api(api.api_client).list_csi_node().items
    assert {node.metadata.name: node.spec.drivers[0].node_id for node in found} == servers


def test_the_secret_is_nowhere_but_in_the_cluster(facility: Facility, api: client.CoreV1Api) -> None:
    assert facility.secret not in facility.first
    held = api.read_namespaced_secret("cinder-csi", "storage").data
    assert set(held) == {"cloud.conf", "clouds.yaml"}
    for pod in api.list_namespaced_pod("storage").items:
        for container in pod.spec.containers:
            text = api.read_namespaced_pod_log(pod.metadata.name, "storage", container=container.name)
            assert facility.secret not in text, container.name
    timing = facility.repo / ".facility" / SITE / "timing.json"
    assert facility.secret not in timing.read_text()


def test_a_volume_is_made_moves_grows_and_is_deleted(facility: Facility, api: client.CoreV1Api) -> None:
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    api.create_namespaced_persistent_volume_claim("default", claim)
    # The node without volumes of its own first: to role base this must not look like one.
    start(api, "writer", NODES[1], "echo kept > /data/note; sync; echo written; exec sleep infinity")
    said(api, "writer", "written")
    (volume,) = facility.volumes()
    assert (volume.size, volume.status) == (1, "in-use")

    again = facility.site()
    assert again.returncode == 0, again.stdout[-6000:]
    recap = again.stdout[again.stdout.index("PLAY RECAP") :]
    assert set(re.findall(r"changed=(\d+)", recap)) == {"0"}, recap

    gone(api, "writer")
    size = "echo MiB=$(($(stat -f -c %b /data) * $(stat -f -c %S /data) / 1048576))"
    start(api, "reader", NODES[0], f"cat /data/note; while :; do {size}; sleep 1; done")
    text = said(api, "reader", r"MiB=\d+")
    assert text.startswith("kept\n")
    assert int(re.findall(r"MiB=(\d+)", text)[-1]) < 1024
    server = facility.cloud.compute.find_server(NODES[0]).id
    assert [each["server_id"] for each in facility.volumes()[0].attachments] == [server]

    more = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    api.patch_namespaced_persistent_volume_claim("data", "default", more)
    said(api, "reader", r"MiB=(1[5-9]|20)\d\d\n")
    assert facility.volumes()[0].size == 2

    gone(api, "reader")
    api.delete_namespaced_persistent_volume_claim("data", "default")
    wait_for("end of the volume", lambda: not facility.volumes(), 180)
    wait_for("end of its object", lambda: not api.list_persistent_volume().items)


def test_a_password_is_not_given_to_the_cluster(facility: Facility) -> None:
    own = facility.repo / ".facility" / SITE / "clouds.yaml"
    done = site(
        facility.repo,
        facility.env,
        *("-e", f"storage_cinder_clouds_yaml={own}"),
        *("-e", "storage_cinder_cloud=lab-inside"),
    )
    text = " ".join(done.stdout.split())
    assert done.returncode != 0, text
    assert "openstack application credential create --role member" in text
    password = yaml.safe_load(own.read_text())["clouds"]["lab-inside"]["auth"]["password"]
    assert password not in text
