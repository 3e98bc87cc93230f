"""Docker Engine's HTTP interface on its socket, as far as guests need it.

The command line is not used: it may be newer than the engine and then refuses what the engine can do.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import urllib.parse
from collections.abc import Iterator
from typing import Any

from lab.engine import SOCKET

LABEL = "lab"  # its value is the name of the lab
TIMEOUT_S = 180


class DockerError(Exception):
    """The engine refused a request.

    Attributes
    ----------
    status : HTTP status
    """

    def __init__(self, method: str, path: str, status: int, message: str) -> None:
        super().__init__(f"Docker Engine, {method} {path}: {message}")
        self.status = status


class _Connection(http.client.HTTPConnection):
    def __init__(self) -> None:
        super().__init__("docker", timeout=TIMEOUT_S)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(SOCKET))


def request(method: str, path: str, body: Any = None, /, *, tar: bytes | None = None, **query: str) -> Any:
    """Parsed JSON, or bytes where the answer is none.

    Raises
    ------
    DockerError
        when the engine refuses; OSError when it does not answer
    """
    connection = _Connection()
    try:
        answer = _send(connection, method, path, body, tar, query)
        content = answer.read()
        if answer.headers.get_content_type() == "application/json" and content:
            return json.loads(content)
        return content
    finally:
        connection.close()


def read(path: str, limit: int, /, **query: str) -> bytes:
    """The first `limit` bytes of an answer; the rest is not transferred."""
    connection = _Connection()
    try:
        return _send(connection, "GET", path, None, None, query).read(limit)
    finally:
        connection.close()


def _send(
    connection: _Connection, method: str, path: str, body: Any, tar: bytes | None, query: dict[str, str]
) -> http.client.HTTPResponse:
    content, kind = (tar, "application/x-tar") if tar is not None else (None, "application/json")
    if body is not None:
        content = json.dumps(body).encode()
    url = f"{path}?{urllib.parse.urlencode(query)}" if query else path
    connection.request(method, url, content, {"Content-Type": kind})
    answer = connection.getresponse()
    if answer.status >= 400:
        text = answer.read().decode(errors="replace").strip()
        with contextlib.suppress(ValueError, KeyError, TypeError):
            text = json.loads(text)["message"]
        raise DockerError(method, path, answer.status, text)
    return answer


def find(path: str) -> Any:
    """What is at a path; None when there is nothing."""
    try:
        return request("GET", path)
    except DockerError as error:
        if error.status == 404:
            return None
        raise


def remove(path: str, /, **query: str) -> bool:
    """Delete what is at a path; False when it was not there, is in use, or is being removed already."""
    try:
        request("DELETE", path, **query)
    except DockerError as error:
        if error.status in (403, 404, 409):
            return False
        raise
    return True


def containers(lab: str | None = None) -> list[dict[str, Any]]:
    """The guests of one lab, or of all, running or not."""
    label = LABEL if lab is None else f"{LABEL}={lab}"
    return request("GET", "/containers/json", all="1", filters=json.dumps({"label": [label]}))


def networks(lab: str | None = None) -> list[dict[str, Any]]:
    """The networks of one lab; all networks of the engine without a name."""
    if lab is None:
        return request("GET", "/networks")
    return request("GET", "/networks", filters=json.dumps({"label": [f"{LABEL}={lab}"]}))


def remove_unused_networks(lab: str) -> None:
    """Remove the networks of a lab that none of its guests is on.

    The engine itself would also remove one that stopped guests are on, which then could not start again.
    """
    used = {name for container in containers(lab) for name in container["NetworkSettings"]["Networks"]}
    for network in networks(lab):
        if network["Name"] not in used:
            remove(f"/networks/{network['Id']}")


def subnets() -> Iterator[tuple[str, str, str | None]]:
    """Name, subnet and lab of every network of the engine."""
    for network in networks():
        for pool in (network.get("IPAM") or {}).get("Config") or []:
            if pool.get("Subnet"):
                yield network["Name"], pool["Subnet"], (network.get("Labels") or {}).get(LABEL)


def execute(container: str, *argv: str) -> None:
    """Run a program in a container to its end; nothing when the container does not run."""
    try:
        created = request("POST", f"/containers/{container}/exec", {"Cmd": list(argv)})
        request("POST", f"/exec/{created['Id']}/start", {"Detach": False})
    except DockerError as error:
        if error.status not in (404, 409):
            raise
