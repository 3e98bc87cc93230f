"""All services behind one port of this machine: the first part of the path says which."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from . import compute, network, storage
from .state import PROJECT, Answer, Cloud, Request

PATHS = {
    "identity": "identity/v3",
    "compute": "compute/v2.1",
    "network": "network",
    "volumev3": f"volume/v3/{PROJECT}",
    "image": "image",
}


def keystone(_: Cloud, request: Request) -> Any:
    if request.path[-1:] != ["tokens"]:
        link = {"rel": "self", "href": f"{request.base}/identity/v3/"}
        return {"version": {"id": "v3.14", "status": "stable", "links": [link]}}
    domain = {"id": "default", "name": "Default"}
    token = {
        "methods": ["password"],
        "issued_at": "2026-01-01T00:00:00.000000Z",
        "expires_at": "2099-01-01T00:00:00.000000Z",
        "user": {"id": "u", "name": "somebody", "domain": domain},
        "roles": [{"id": "member", "name": "member"}],
        "project": {"id": PROJECT, "name": "physics", "domain": domain},
        "catalog": [service(kind, f"{request.base}/{path}") for kind, path in PATHS.items()],
    }
    if request.method == "POST":
        raise Answer(201, {"token": token})
    return {"token": token}


def service(kind: str, url: str) -> dict[str, Any]:
    """A service in the catalogue."""
    endpoint = {"id": kind, "interface": "public", "region": "one", "region_id": "one", "url": url}
    return {"type": kind, "name": kind, "id": kind, "endpoints": [endpoint]}


SERVICES = {
    "identity": keystone,
    "compute": compute.answer,
    "network": network.answer,
    "volume": storage.volumes,
    "image": storage.images,
}


class Handler(BaseHTTPRequestHandler):
    cloud: Cloud
    protocol_version = "HTTP/1.1"

    def handle_one(self) -> None:
        url, raw = urlsplit(self.path), self.payload()
        service, *path = [unquote(part) for part in url.path.strip("/").split("/")]
        try:
            body = json.loads(raw) if "json" in self.headers.get("Content-Type", "") and raw else raw
            base = f"http://{self.headers['Host']}"
            request = Request(self.command, path, dict(parse_qsl(url.query)), body, base)
            with self.cloud.guard:
                self.cloud.calls.append(f"{self.command} {url.path}")
                status, answer = 200, SERVICES[service](self.cloud, request)
        except Answer as other:
            status, answer = other.status, other.body
        except (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            status, answer = 501, {"error": f"the double does not know {self.command} {self.path}: {error!r}"}
        encoded = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        if status == 201 and service == "identity":
            self.send_header("X-Subject-Token", "token")
        self.end_headers()
        self.wfile.write(encoded)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one

    def payload(self) -> bytes:
        """The request's body; uploads come in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: `calls` has them."""


@contextmanager
def running(clouds: Path) -> Iterator[Cloud]:
    """The double, and a clouds.yaml that leads to it as the clouds `double` and `napoli`."""
    cloud = Cloud()
    handler = type("Bound", (Handler,), {"cloud": cloud})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        auth = {"auth_url": f"http://127.0.0.1:{server.server_port}/identity/v3", "project_name": "physics"}
        auth |= {
            "username": "somebody",
            "password": "x",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        }
        entry = {"auth": auth, "region_name": "one"}
        clouds.write_text(json.dumps({"clouds": {"double": entry, "napoli": entry}}))
        try:
            yield cloud
        finally:
            server.shutdown()
            thread.join()
