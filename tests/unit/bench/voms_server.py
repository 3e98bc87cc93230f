"""A double of an organisation's VOMS server, for the real `voms-proxy-init`.

It says of the authority's user, whoever asks, that he is a member: the attributes are signed by VOMS' own program with
the key of the authority's host. What the client sends is a byte (no delegation) and an HTTP request; when it does not
like the answer, a document of an older protocol.
"""

from __future__ import annotations

import base64
import contextlib
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xrootd_server import Authority


@contextmanager
def running(authority: Authority, vo: str, folder: Path) -> Iterator[Path]:
    """The server; gives a folder that tells clients of it (vomses)."""
    authority.voms_proxy(folder / "unused", vo, "-separate", str(folder / "attributes"))
    lines = (folder / "attributes").read_text().splitlines()
    attributes = base64.b64decode("".join(line for line in lines if not line.startswith("-----")))
    # The client reads base64 in lines only.
    body = b'<?xml version="1.0"?><voms><ac>' + base64.encodebytes(attributes) + b"</ac></voms>"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.host_certificate, authority.host_key)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError), context.wrap_socket(self.request, server_side=True) as stream:
                asked = b""
                while not any(end in asked for end in (b"HTTP/1", b"</voms>")) and (more := stream.recv(4096)):
                    asked += more
                known = f"GET /generate-ac?fqans=/{vo}".encode() in asked
                head = "HTTP/1.1 200 OK" if known else "HTTP/1.1 400 Bad Request"
                stream.sendall(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + (body if known else b""))
                # The client reads until it is told that this is all.
                stream.settimeout(2)
                stream.unwrap()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        address: Any = server.server_address
        vomses = folder / "vomses"
        vomses.mkdir()
        (vomses / vo).write_text(f'"{vo}" "localhost" "{address[1]}" "/O=bench/CN=localhost" "{vo}"\n')
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield vomses
        finally:
            server.shutdown()
            thread.join()
