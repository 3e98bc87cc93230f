"""Volumes of the cloud for pods: a second facility that was told to take them from Cinder."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import second_site
import yaml
from kubernetes import client, config
from plays import changes, play, said

if TYPE_CHECKING:
    from conftest import Site

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(2400)]

SITE = "cinder"
IMAGES = ("cinder-csi-plugin", "csi-provisioner", "csi-attacher", "csi-resizer", "csi-node-driver-registrar")
MARK = "cinder.csi.openstack.org/cluster"
NODES = (f"{SITE}-cp0", f"{SITE}-w0")
ORDER = """\
  cp0 = { groups = ["controlplane", "etcd", "worker"], flavor = "c2.r4", data_volume_gib = 5 }
  w0  = { groups = ["worker"], flavor = "c1.r2", data_volume_gib = 0 }"""


@dataclass(frozen=True)
class Facility:
    """The second facility.

    Attributes
    ----------
    secret : of the application credential that the cluster was given
    first : what the first site.yml said
    """

    site: Site
    cloud: Any
    secret: str
    first: str

    def volumes(self) -> list[Any]:
        """The volumes that were made for this facility's pods."""
        return [each for each in self.cloud.block_storage.volumes() if each.metadata.get(MARK) == SITE]


def wait_for(what: str, true: Callable[[], Any], seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline, f"no {what} within {seconds:.0f} s"
        time.sleep(0.5)
    return value


def takes_volumes_of_the_cloud(site: Site, credential: Mapping[str, Any]) -> None:
    secrets = site.runtime / "cluster.yaml"
    secrets.touch(mode=0o600)
    secrets.write_text(yaml.safe_dump({"clouds": {"cluster": credential}}))
    (site.inventory / "group_vars" / "all" / "storage.yml").write_text(
        yaml.safe_dump(
            {
                "storage_backend": "cinder",
                "storage_cinder_clouds_yaml": str(secrets),
                "storage_cinder_cloud": "cluster",
            }
        )
    )


@pytest.fixture(scope="module")
def facility(site: Site) -> Iterator[Facility]:
    done = site.run("lab", "artifacts", *(f"--only={image}" for image in IMAGES), timeout=2400)
    assert done.returncode == 0, done.stdout[-3000:]
    made = second_site.named(site, SITE, "10.86.0", ORDER)
    cloud = second_site.cloud(made)
    user = cloud.current_user_id
    for left in cloud.identity.application_credentials(user):
        cloud.identity.delete_application_credential(user, left)
    credential = cloud.identity.create_application_credential(user, SITE, roles=[{"name": "member"}])
    # The same cloud, at the address that guests reach.
    inside = second_site.cloud(made, "lab-inside").config
    auth = {
        "auth_url": inside.config["auth"]["auth_url"],
        "application_credential_id": credential.id,
        "application_credential_secret": credential.secret,
    }
    entry = {"auth": auth, "auth_type": "v3applicationcredential", "region_name": inside.region_name}
    takes_volumes_of_the_cloud(made, entry)
    try:
        with second_site.ordered(made):
            done = play(made, "site", "--diff", "-v")
            changes(done)
            yield Facility(made, cloud, credential.secret, done.stdout + done.stderr)
    finally:
        cloud.identity.delete_application_credential(user, credential)


@pytest.fixture(scope="module")
def api(facility: Facility) -> client.CoreV1Api:
    return client.CoreV1Api(config.new_client_from_config(str(facility.site.runtime / "kubeconfig")))


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


def wrote(api: client.CoreV1Api, name: str, pattern: str) -> str:
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
    timing = facility.site.runtime / "timing.json"
    assert facility.secret not in timing.read_text()


def test_a_volume_is_made_moves_grows_and_is_deleted(facility: Facility, api: client.CoreV1Api) -> None:
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    api.create_namespaced_persistent_volume_claim("default", claim)
    # The node without volumes of its own first: to role base this must not look like one.
    start(api, "writer", NODES[1], "echo kept > /data/note; sync; echo written; exec sleep infinity")
    wrote(api, "writer", "written")
    (volume,) = facility.volumes()
    assert (volume.size, volume.status) == (1, "in-use")

    assert set(changes(play(facility.site, "site")).values()) == {0}

    gone(api, "writer")
    size = "echo MiB=$(($(stat -f -c %b /data) * $(stat -f -c %S /data) / 1048576))"
    start(api, "reader", NODES[0], f"cat /data/note; while :; do {size}; sleep 1; done")
    text = wrote(api, "reader", r"MiB=\d+")
    assert text.startswith("kept\n")
    assert int(re.findall(r"MiB=(\d+)", text)[-1]) < 1024
    server = facility.cloud.compute.find_server(NODES[0]).id
    assert [each["server_id"] for each in facility.volumes()[0].attachments] == [server]

    more = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    api.patch_namespaced_persistent_volume_claim("data", "default", more)
    wrote(api, "reader", r"MiB=(1[5-9]|20)\d\d\n")
    assert facility.volumes()[0].size == 2

    gone(api, "reader")
    api.delete_namespaced_persistent_volume_claim("data", "default")
    wait_for("end of the volume", lambda: not facility.volumes(), 180)
    wait_for("end of its object", lambda: not api.list_persistent_volume().items)


def test_a_password_is_not_given_to_the_cluster(facility: Facility) -> None:
    own = facility.site.runtime / "clouds.yaml"
    text = said(
        play(
            facility.site,
            "site",
            *("-e", f"storage_cinder_clouds_yaml={own}"),
            *("-e", "storage_cinder_cloud=lab-inside"),
        )
    )
    assert "openstack application credential create --role member" in text
    password = yaml.safe_load(own.read_text())["clouds"]["lab-inside"]["auth"]["password"]
    assert password not in text
