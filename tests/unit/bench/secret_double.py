"""A double of the cluster where a user's proxy passes through it: the API's Secret, and kubelet's volume of it.

HTTPS with an authority of its own, as a pod meets it. It takes a merge patch of one Secret, from one token.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from xrootd_server import LIFE, distinguished, new_key, pem, pem_key, written

from bench import grid

TOKEN = "the-token-of-the-pod"
PATH = "/api/v1/namespaces/user-alice/secrets/grid-proxy"


class Api(ThreadingHTTPServer):
    """The API.

    Attributes
    ----------
    data : of the Secret
    patches : how many were taken
    refusal : status that is answered instead; 0 for none
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.data: dict[str, str] = {}
        self.patches = 0
        self.refusal = 0
        key, now = new_key(), datetime.datetime.now(datetime.UTC)
        own = (
            x509.CertificateBuilder()
            .subject_name(distinguished("api"))
            .issuer_name(distinguished("api"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - LIFE)
            .not_valid_after(now + LIFE)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        written(folder / "ca.crt", pem(own), 0o644)
        written(folder / "api.key", pem_key(key), 0o600)
        written(folder / "token", TOKEN.encode(), 0o600)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "ca.crt", folder / "api.key")
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def mount(self, volume: Path) -> None:
        """Bring the Secret into a folder as kubelet does: all files of a version at once, behind a link."""
        volume.mkdir(exist_ok=True)
        version = volume / f"..{self.patches}"
        version.mkdir()
        for name, content in self.data.items():
            written(version / name, base64.b64decode(content), 0o440)
            link = volume / name
            if not link.is_symlink():
                link.symlink_to(Path("..data", name))
        (volume / "..data_tmp").symlink_to(version.name)
        (volume / "..data_tmp").replace(volume / "..data")


class Handler(BaseHTTPRequestHandler):
    server: Api  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_PATCH(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.server.refusal
        if not status:
            good = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/merge-patch+json"}
            status = (
                200 if self.path == PATH and all(self.headers[name] == value for name, value in good.items()) else 403
            )
        if status == 200:
            self.server.patches += 1
            merged: dict[str, Any] = {**self.server.data, **body["data"]}
            self.server.data = {name: value for name, value in merged.items() if value is not None}
        # A refusal quotes what was sent, as the real one may.
        answer = json.dumps({"status": status, "message": body}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        return None


@contextmanager
def pod(folder: Path) -> Iterator[Api]:
    """This process is in a pod of alice's for a while."""
    folder.mkdir()
    with Api(folder) as api, pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid, "ACCOUNT", folder)
        patch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        patch.setenv("KUBERNETES_SERVICE_PORT", str(api.server_port))
        thread = threading.Thread(target=api.serve_forever, daemon=True)
        thread.start()
        try:
            yield api
        finally:
            api.shutdown()
            thread.join()
