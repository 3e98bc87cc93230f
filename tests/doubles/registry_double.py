"""A web server of the tests' own, and a double of a registry on it."""

from __future__ import annotations

import hashlib
import http.server
import threading
from typing import Any


def serve(handler: Any) -> tuple[http.server.ThreadingHTTPServer, str]:
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    return running, f"http://127.0.0.1:{running.server_port}"


class FakeRegistry(http.server.BaseHTTPRequestHandler):
    """As much of a registry as images need: blobs and manifests in a dictionary, sums checked as the real one does."""

    protocol_version = "HTTP/1.1"
    content: dict[str, tuple[bytes, str]]

    def log_message(self, *_: object) -> None:
        pass

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self) -> None:
        found = self.content.get(self.path)
        if found is None:
            return self.reply(404)
        digest = f"sha256:{hashlib.sha256(found[0]).hexdigest()}"
        return self.reply(200, found[0], Content_Type=found[1], Docker_Content_Digest=digest)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self.reply(202, Location=f"{self.path}1?_state=s")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        if "/blobs/uploads/" in self.path:
            if not self.path.endswith(f"digest={digest}"):
                return self.reply(400)
            self.content[self.path.partition("uploads/")[0] + digest] = (body, "application/octet-stream")
        else:
            kind = self.headers["Content-Type"]
            self.content[self.path] = (body, kind)
            self.content[self.path.rpartition("/")[0] + f"/{digest}"] = (body, kind)
        return self.reply(201)
