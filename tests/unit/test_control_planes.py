"""One control plane and several: what a site may ask for, and what the roles write for it."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

BIN = Path(sys.executable).parent
REPO = Path(__file__).parents[2]
PLANES = ["x-cp0", "x-cp1", "x-cp2"]
FIXED = {name: f"10.77.0.{number}" for number, name in enumerate(PLANES, 10)}
FLOATING = {"x-cp0": "192.0.2.10", "x-cp1": "192.0.2.11", "x-cp2": ""}
DATA = base64.b64encode(b"x").decode()
ADMIN = f"""\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {DATA}
    server: https://127.0.0.1:6444
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    user: kubernetes-admin
  name: kubernetes-admin@kubernetes
current-context: kubernetes-admin@kubernetes
kind: Config
preferences: {{}}
users:
- name: kubernetes-admin
  user:
    client-certificate-data: {DATA}
    client-key-data: {DATA}
"""


def play(
    repo: Path, site: Path, planes: list[str], playbook: Path, **variables: Any
) -> subprocess.CompletedProcess[str]:
    """Run a playbook on nodes that are this machine."""
    hosts = {name: {"fixed_ip": FIXED[name], "floating_ip": FLOATING[name]} for name in planes}
    groups = {
        "controlplane": {"hosts": hosts},
        "etcd": {"hosts": {name: {} for name in planes}},
        "worker": {"hosts": {"x-w0": {"fixed_ip": "10.77.0.20", "floating_ip": ""}}},
    }
    (site / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": groups}}))
    (site / "terraform.tfvars").write_text('network_cidr = "10.77.0.0/24"\n')
    (site / "group_vars").mkdir()
    image = {"analysis_image_repository": "r/analysis", "analysis_image_digest": "sha256:" + "0" * 64}
    (site / "group_vars" / "all.yml").write_text(yaml.safe_dump({**image, **variables}))
    command = [BIN / "ansible-playbook", "-i", site / "hosts.yml", playbook]
    return subprocess.run(command, cwd=repo, capture_output=True, text=True)


# --- what is refused --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("planes", "balancer", "says"),
    [
        (2, "haproxy", "2 nodes are in group etcd (x-cp0, x-cp1): an even number"),
        (3, "", "3 nodes are in group controlplane (x-cp0, x-cp1, x-cp2), and endpoint_balancer"),
        (3, "https://lb.example", "endpoint_balancer is https://lb.example"),
        (3, "haproxy", None),
        (3, "lb.example:443", None),
        (3, "192.0.2.7", None),
        (1, "haproxy", None),
    ],
)
def test_control_planes_and_their_balancer_are_checked(
    repo: Path, tmp_path: Path, planes: int, balancer: str, says: str | None
) -> None:
    run = play(repo, tmp_path, PLANES[:planes], repo / "playbooks" / "inputs.yml", endpoint_balancer=balancer)
    text = " ".join((run.stdout + run.stderr).split())
    assert (run.returncode == 0) == (says is None), text
    assert says is None or says in text, text


# --- what is written --------------------------------------------------------------------------------------------------
Files = dict[str, dict[str, str]]


def rendered(repo: Path, site: Path, planes: list[str], finished: list[str], balancer: str) -> Files:
    """Files by node and name, as the roles' templates make them; `finished` control planes were made before."""
    roles, out = repo / "ansible" / "roles", site / "out"
    out.mkdir()
    tasks = [
        {
            "name": "Rendered",
            "ansible.builtin.copy": {
                "dest": f"{out}/{{{{ inventory_hostname }}}} {name}",
                "content": f"{{{{ lookup('ansible.builtin.template', '{roles}/{path}') }}}}",
                "mode": "0600",
            },
        }
        for name, path in {
            "kubeadm": "kubernetes/templates/kubeadm.yaml.j2",
            "kubeconfig": "kubernetes/templates/kubeconfig.j2",
            "haproxy": "endpoint/templates/facility.cfg.j2",
        }.items()
    ]
    values = yaml.safe_load((roles / "kubernetes" / "defaults" / "main" / "main.yml").read_text())
    values |= {"kubernetes_version": "1.26.3", "kubernetes_api_extra_sans": ["api.x"], "endpoint_balancer": balancer}
    (site / "render.yml").write_text(
        yaml.safe_dump(
            [
                {
                    "name": "Render",
                    "hosts": "all",
                    "connection": "local",
                    "gather_facts": False,
                    "vars_files": [f"{roles}/{role}/vars/main.yml" for role in ("kubernetes", "endpoint")],
                    "vars": {
                        "ansible_python_interpreter": sys.executable,
                        "ansible_managed": "managed",
                        "__kubernetes_marks": {
                            "results": [
                                {"item": name, "stdout": "finished\n" if name in finished else "begun\n"}
                                for name in planes
                            ]
                        },
                        "__kubernetes_admin": {"stdout": ADMIN},
                        "__endpoint_ca": {"content": base64.b64encode(b"authority").decode()},
                    },
                    "tasks": tasks,
                }
            ]
        )
    )
    run = play(repo, site, planes, site / "render.yml", **values)
    assert run.returncode == 0, run.stdout
    found: Files = {}
    for path in out.iterdir():
        node, name = path.name.split()
        found.setdefault(node, {})[name] = path.read_text()
    return found


def cluster(text: str) -> dict[str, Any]:
    return next(each for each in yaml.safe_load_all(text) if each["kind"] == "ClusterConfiguration")


def test_one_control_plane_is_its_own_endpoint(repo: Path, tmp_path: Path) -> None:
    files = rendered(repo, tmp_path, PLANES[:1], [], "")
    made = cluster(files["x-cp0"]["kubeadm"])
    assert made["controlPlaneEndpoint"] == "10.77.0.10:6443"
    assert made["apiServer"]["certSANs"] == ["10.77.0.10", "192.0.2.10", "x-cp0", "api.x"]


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Files of three control planes; the one that comes first by its name was built anew, and is not finished."""
    return rendered(REPO, tmp_path_factory.mktemp("three"), PLANES, PLANES[1:], "haproxy")


def test_three_control_planes_behind_haproxy(three: Files) -> None:
    for node in PLANES:
        made = cluster(three[node]["kubeadm"])
        assert made["controlPlaneEndpoint"] == "127.0.0.1:6444"
        assert {*FIXED.values(), "192.0.2.10", "192.0.2.11", *PLANES, "api.x"} == set(made["apiServer"]["certSANs"])
    # What administrators use: the finished one first, and nothing that cannot be reached from outside.
    access = yaml.safe_load(three["x-cp1"]["kubeconfig"])
    assert access["current-context"] == "x-cp1"
    servers = {each["name"]: each["cluster"]["server"] for each in access["clusters"]}
    assert servers == {"x-cp1": "https://192.0.2.11:6443", "x-cp0": "https://192.0.2.10:6443"}
    assert [each["name"] for each in access["contexts"]] == list(servers)
    assert access["users"] == yaml.safe_load(ADMIN)["users"]


def test_haproxy_asks_a_control_planes_own_server_first_and_verifies_all(three: Files) -> None:
    for node, text in ((node, three[node]["haproxy"]) for node in (*PLANES, "x-w0")):
        lines = [line.split() for line in text.splitlines() if line.strip().startswith("server ")]
        assert [line[1:3] for line in lines] == [[name, f"{FIXED[name]}:6443"] for name in PLANES]
        backups = {line[1] for line in lines if line[-1] == "backup"}
        assert backups == (set() if node == "x-w0" else set(PLANES) - {node})
        assert all("verify required ca-file /etc/haproxy/facility-ca.crt" in " ".join(line) for line in lines)
        assert f"bind {cluster(three['x-cp0']['kubeadm'])['controlPlaneEndpoint']}\n" in text, "two roles, two ports"


def test_a_balancer_of_the_sites_is_the_first_way_to_the_api(repo: Path, tmp_path: Path) -> None:
    files = rendered(repo, tmp_path, PLANES, PLANES, "lb.example")
    assert cluster(files["x-cp0"]["kubeadm"])["controlPlaneEndpoint"] == "lb.example:6443"
    access = yaml.safe_load(files["x-cp0"]["kubeconfig"])
    assert access["current-context"] == "balancer"
    assert access["clusters"][0]["cluster"]["server"] == "https://lb.example:6443"
    assert [each["name"] for each in access["contexts"]] == ["balancer", "x-cp0", "x-cp1"]
