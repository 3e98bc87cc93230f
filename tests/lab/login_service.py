"""A login service in the lab: an OpenID Connect provider as a process on a node, since pods do not reach this machine.

Its users' claims are given; who says a name is believed to be him, which is what such a provider is for. The hub asks
it by the node's address, a browser on this machine by a forwarded port.
"""

from __future__ import annotations

import io
import json
import shlex
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

# Of the node ports, which the cloud's rules let pass between nodes; the node's own firewall opens it for the while.
PORT = 30940
OPENED = f"--zone=facility --add-port={PORT}/tcp"
CLOSED = f"--zone=facility --remove-port={PORT}/tcp"
FOLDER = "/var/lib/test-login-service"
UNIT = "test-login-service"


def distributions(name: str) -> dict[str, metadata.Distribution]:
    """An installed package and all that it needs."""
    found: dict[str, metadata.Distribution] = {}
    todo = [name]
    while todo:
        each = metadata.distribution(todo.pop())
        if each.name in found:
            continue
        found[each.name] = each
        needs = [Requirement(text) for text in each.requires or []]
        todo += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return found


def archive() -> bytes:
    """The provider and all that it needs, to be laid into a folder of a node."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for each in distributions("oidc-provider-mock").values():
            for file in each.files or []:
                path = Path(str(each.locate_file(file)))
                if ".." not in file.parts and "__pycache__" not in file.parts and path.is_file():
                    tar.add(path, str(file))
    return buffer.getvalue()


@contextmanager
def running(ssh: Sequence[str], address: str, claims: Sequence[Mapping[str, object]]) -> Iterator[dict[str, str]]:
    """The provider on a node while the block runs; yields its addresses for the hub and for a browser here.

    Parameters
    ----------
    ssh : command that runs another one on the node
    address : of the node, for the hub
    claims : of the users, each with `sub`
    """

    def on_node(script: str, data: bytes | None = None) -> None:
        command = [*ssh, f"sudo sh -c {shlex.quote(script)}"]
        done = subprocess.run(command, input=data, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr.decode()

    users = " ".join(f"--user-claims {shlex.quote(json.dumps(each))}" for each in claims)
    on_node(f"systemctl stop {UNIT} 2>/dev/null; rm -rf {FOLDER} && mkdir {FOLDER} && tar xzf - -C {FOLDER}", archive())
    on_node(
        f"systemd-run --quiet --unit={UNIT} --setenv=PYTHONPATH={FOLDER} --setenv=PYTHONDONTWRITEBYTECODE=1"
        f" /usr/bin/python3 -m oidc_provider_mock --host {address} --port {PORT} {users}"
        f" && firewall-cmd -q {OPENED}"
    )
    forward = subprocess.Popen([*ssh[:-1], "-q", "-N", "-L", f"127.0.0.1:{PORT}:{address}:{PORT}", ssh[-1]])
    try:
        wait_for(PORT)
        browser, hub = f"http://127.0.0.1:{PORT}", f"http://{address}:{PORT}"
        yield {
            "jupyterhub_oidc_authorize_url": f"{browser}/oauth2/authorize",
            "jupyterhub_oidc_token_url": f"{hub}/oauth2/token",
            "jupyterhub_oidc_userdata_url": f"{hub}/userinfo",
        }
    finally:
        forward.terminate()
        forward.wait()
        on_node(f"systemctl stop {UNIT}; rm -rf {FOLDER}; firewall-cmd -q {CLOSED}")


def wait_for(port: int, timeout_s: float = 30) -> None:
    """Wait until the provider itself answers through the forwarded port."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 2) as connection:
                connection.sendall(b"GET /.well-known/openid-configuration HTTP/1.0\r\n\r\n")
                if connection.recv(16).startswith(b"HTTP/1.1 200"):
                    return
        except OSError:
            pass
        assert time.monotonic() < deadline, "the login service does not answer"
        time.sleep(0.2)
