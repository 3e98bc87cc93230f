"""Stands in for an API server: says its address at every path, port 6443 of the address that is given."""

import ssl
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

ADDRESS, NAME = sys.argv[1:]


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(ADDRESS.encode())


server = HTTPServer((ADDRESS, 6443), Answer)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"/etc/kubernetes/pki/{NAME}.crt", f"/etc/kubernetes/pki/{NAME}.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
