"""The platform on the standing facility, and its users: a plug-in of the tests that name it in `pytest_plugins`.

It is played once for all of them, and again only for a test that wants other variables.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import login_service
import pytest
from hub_client import User
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from platform_tools import CLAIMS, GRID, HUB, OIDC, QUOTA, Play, Variables, namespaces, until
from xrootd_server import Authority


@pytest.fixture(scope="session")
def play(lab: dict[str, str], repo: Path, facility_dir: Path) -> Play:
    """Plays the platform with a site's variables."""
    run = subprocess.run(["lab", "artifacts", "--only", "hub"], cwd=repo, env=lab, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr

    def platform(variables: Variables) -> subprocess.CompletedProcess[str]:
        values = json.dumps({"jupyterhub_enabled": True, **variables})
        command = ["ansible-playbook", "-i", f"inventory/{facility_dir.name}/openstack.yml", "playbooks/platform.yml"]
        return subprocess.run(
            [*command, "--diff", "-e", values], cwd=repo, env=lab, capture_output=True, text=True, timeout=600
        )  # fmt: skip

    return platform


@pytest.fixture(scope="session")
def control_plane(kubeconfig: Path) -> tuple[str, dict[str, Any]]:
    """The one that users reach: its name and what the facility wrote down of it."""
    nodes = json.loads((kubeconfig.parent / "facility.json").read_text())["nodes"]
    return next((name, node) for name, node in sorted(nodes.items()) if "controlplane" in node["groups"])


@pytest.fixture(scope="session")
def address(control_plane: tuple[str, dict[str, Any]]) -> str:
    """What users type: the address of the control plane that is reached from outside."""
    return control_plane[1]["floating_ip"] or control_plane[1]["fixed_ip"]


@pytest.fixture(scope="session")
def api(kubeconfig: Path) -> client.CoreV1Api:
    config.load_kube_config(str(kubeconfig))
    return client.CoreV1Api()


@pytest.fixture(scope="session")
def runs(facility_dir: Path) -> Path:
    """Where pictures and figures of the platform go."""
    folder = facility_dir / "runs" / "platform"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def provider(control_plane: tuple[str, dict[str, Any]], facility_dir: Path) -> Iterator[dict[str, Any]]:
    """A login service, as variables of the hub, one for each module: tests before it may have rebooted the node."""
    name, node = control_plane
    ssh = ["ssh", "-F", str(facility_dir / "ssh_config"), "-S", "none", name]
    secret = facility_dir / "jupyterhub" / "oidc-client-secret"
    secret.parent.mkdir(mode=0o700, exist_ok=True)
    secret.touch(mode=0o600)
    secret.write_text("of-no-value-in-the-lab\n")
    with login_service.running(ssh, node["fixed_ip"], CLAIMS) as urls:
        yield urls


@pytest.fixture(scope="module")
def authority(facility_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """An authority that all nodes trust for a while, as role grid brings it."""
    made = Authority(tmp_path_factory.mktemp("grid"))
    nodes = json.loads((facility_dir / "facility.json").read_text())["nodes"]
    folder = GRID["jupyterhub_grid"]

    def on_nodes(command: str) -> None:
        content = (made.certificates / "ca.pem").read_bytes()
        for node in nodes:
            ssh = ["ssh", "-F", str(facility_dir / "ssh_config"), node, command]
            subprocess.run(ssh, input=content, check=True, capture_output=True, timeout=60)

    on_nodes(f"sudo mkdir -p {folder}/certificates && sudo tee {folder}/certificates/ca.pem >/dev/null")
    yield made
    on_nodes(f"sudo rm -r {folder}")


def hub_answers() -> bool:
    """Whether the hub of an earlier play is still there and ready."""
    try:
        return bool(client.AppsV1Api().read_namespaced_deployment("hub", HUB).status.ready_replicas)
    except ApiException as error:
        if error.status != 404:
            raise
        return False


@pytest.fixture(scope="session")
def stands(play: Play, api: client.CoreV1Api) -> Callable[[Variables], str]:
    """Sees to it that the platform stands with these variables; what the play that brought them has printed."""
    last: dict[str, Any] = {"variables": None, "printed": ""}

    def standing(variables: Variables) -> str:
        if last["variables"] != variables or not hub_answers():
            last["variables"] = None
            run = play(variables)
            assert run.returncode == 0, run.stdout[-6000:] + run.stderr
            last.update(variables=dict(variables), printed=run.stdout)
        return last["printed"]

    return standing


@pytest.fixture(scope="module")
def usual(provider: dict[str, Any], authority: Authority) -> dict[str, Any]:
    """The variables with which the platform stands, if a test does not say otherwise."""
    return OIDC | GRID | QUOTA | provider


@pytest.fixture(scope="module")
def platform(stands: Callable[[Variables], str], usual: dict[str, Any]) -> str:
    """The platform stands; what its play printed."""
    return stands(usual)


@pytest.fixture(scope="module")
def user(platform: str, address: str, facility_dir: Path, api: client.CoreV1Api) -> Iterator[Callable[[str], User]]:
    """Users of the hub by name; their servers and namespaces are gone at the end."""
    users: dict[str, User] = {}

    def named(name: str) -> User:
        if name not in users:
            users[name] = User(f"https://{address}", facility_dir / "jupyterhub" / "ca.crt", name)
        return users[name]

    try:
        yield named
    finally:
        for each in users.values():
            leave(each)
        gone(api, set(users))


def leave(someone: User) -> None:
    """Stop the server of a user, who may have been at it from elsewhere or not at all."""
    if not someone.logged_in():
        someone.log_in_at_provider("/hub/home")
    if someone.logged_in():
        someone.stop()
    someone.close()


def gone(api: client.CoreV1Api, names: set[str]) -> None:
    """Delete what users had, their homes too."""
    spaces = {f"user-{name}" for name in names}
    for space in spaces & namespaces(api):
        api.delete_namespace(space)
    until(lambda: not spaces & namespaces(api), "namespaces of users stay", 300)
    for volume in api.list_persistent_volume().items:
        if volume.metadata.name in {f"{folder}-{space}" for folder in ("datasets", "grid") for space in spaces}:
            api.delete_persistent_volume(volume.metadata.name)


@pytest.fixture(scope="module")
def alice(user: Callable[[str], User]) -> User:
    """Logged in, with a running server."""
    return started(user("alice"))


@pytest.fixture(scope="module")
def bob(user: Callable[[str], User]) -> User:
    return started(user("bob"))


def started(someone: User) -> User:
    answer = someone.log_in_at_provider()
    assert answer.status_code == 200, answer.text
    print(f"server of {someone.name}: {someone.start():.1f} s")
    return someone
