"""Grid certificates and virtual organisations on a node: what a site names is there, and nothing else is let in."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.lab

Node = Callable[[str], subprocess.CompletedProcess[str]]
SERVER = {"host": "voms.example.org", "port": 15001, "dn": "/DC=org/CN=voms.example.org", "ca_dn": "/DC=org/CN=Test CA"}


def run(*command: str | Path, **options: Any) -> str:
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, **options).stdout


def authority(folder: Path, name: str) -> tuple[Path, str]:
    """An archive with the certificate of a new authority under its hashed name; returns that name too."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
    new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/DC=org/CN={name}"]
    run("openssl", *new, "-keyout", key, "-out", certificate)
    hashed = run("openssl", "x509", "-noout", "-hash", "-in", certificate).strip() + ".0"
    archive = folder / f"{name}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(certificate, f"certificates/{hashed}")
    return archive, hashed


@pytest.fixture
def worker(kubeconfig: Path) -> str:
    """A node that is no control plane."""
    nodes = json.loads((kubeconfig.parent / "facility.json").read_text())["nodes"]
    return sorted(name for name, node in nodes.items() if "controlplane" not in node["groups"])[0]


@pytest.fixture
def node(worker: str, facility_dir: Path) -> Iterator[Node]:
    def shell(script: str) -> subprocess.CompletedProcess[str]:
        command = ["ssh", "-F", str(facility_dir / "ssh_config"), worker, f"sudo sh -c {shlex.quote(script)}"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    files = "/etc/grid-security /etc/vomses /etc/profile.d/facility-grid.sh /var/cache/facility/grid-ca-*"
    assert shell("ls -d /etc/grid-security").returncode != 0, "something is trusted that no site named"
    try:
        yield shell
    finally:
        shell(f"rm -rf {files}")


@pytest.fixture
def grid(
    lab: dict[str, str], repo: Path, facility_dir: Path, worker: str
) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Runs role grid alone on the node."""
    book = repo / "playbooks" / ".grid.yml"

    def play(**variables: Any) -> subprocess.CompletedProcess[str]:
        roles = {"hosts": worker, "become": True, "gather_facts": False, "vars": variables, "roles": ["grid"]}
        book.write_text(json.dumps([roles]))
        command = ["ansible-playbook", "-i", f"inventory/{facility_dir.name}/openstack.yml", str(book)]
        return subprocess.run(command, cwd=repo, env=lab, capture_output=True, text=True, timeout=300)

    yield play
    book.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_a_site_trusts_is_on_the_node(
    node: Node, grid: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (old, old_name), (new, new_name) = authority(tmp_path, "old"), authority(tmp_path, "new")
    vos = [{"name": "test", "servers": [SERVER]}]
    trusted = {"grid_ca_folder": "certificates", "grid_vos": vos}

    wrong = grid(grid_ca_file=str(old), grid_ca_sha256="0" * 64, **trusted)
    assert wrong.returncode != 0
    assert sha256(old) in " ".join(wrong.stdout.split()), wrong.stdout[-3000:]
    assert node("ls /etc/grid-security/certificates").returncode != 0, "a file with a wrong sum is trusted"

    first = grid(grid_ca_file=str(old), grid_ca_sha256=sha256(old), **trusted)
    assert first.returncode == 0, first.stdout[-3000:]
    verify = f"openssl verify -CApath /etc/grid-security/certificates /etc/grid-security/certificates/{old_name}"
    assert node(verify).returncode == 0, node(verify).stderr
    expected = f'"test" "{SERVER["host"]}" "{SERVER["port"]}" "{SERVER["dn"]}" "test"\n'
    for folder in ("/etc/vomses", "/etc/grid-security/vomses"):
        assert node(f"cat {folder}/test").stdout == expected
    lsc = node(f"cat /etc/grid-security/vomsdir/test/{SERVER['host']}.lsc").stdout
    assert lsc == f"{SERVER['dn']}\n{SERVER['ca_dn']}\n"

    again = grid(grid_ca_file=str(old), grid_ca_sha256=sha256(old), **trusted)
    assert re.search(r"changed=0 .*failed=0", again.stdout), again.stdout[-3000:]

    second = grid(grid_ca_file=str(new), grid_ca_sha256=sha256(new), **trusted)
    assert second.returncode == 0, second.stdout[-3000:]
    assert node("ls /etc/grid-security/certificates/").stdout.split() == [new_name], (
        "the old authority is trusted still"
    )


def test_a_server_that_lacks_something_is_named(
    node: Node, grid: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    server = {key: value for key, value in SERVER.items() if key != "ca_dn"}
    bad = grid(grid_vos=[{"name": "test", "servers": [server]}])
    assert bad.returncode != 0
    assert "a server of test lacks ca_dn" in " ".join(bad.stdout.split()), bad.stdout[-3000:]
    assert node("ls /etc/vomses/test").returncode != 0
