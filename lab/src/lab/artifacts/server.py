"""A small web server for the mirror's files: threads, ranges, no writing.

Started by lab.artifacts.mirror as a process of its own.
"""

from __future__ import annotations

import argparse
import re
import shutil
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any

TIMEOUT_S = 60


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte that a Range header asks for; None when it asks for all, or in a way not served.

    Raises
    ------
    ValueError
        when nothing of the file is in the range
    """
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header or "")
    if not match or match[1] == match[2] == "":
        return None
    if match[1] == "":
        first, last = max(0, size - int(match[2])), size - 1
    else:
        first, last = int(match[1]), min(int(match[2] or size - 1), size - 1)
    if first > last or first >= size:
        raise ValueError(header)
    return first, last


class Handler(SimpleHTTPRequestHandler):
    """Files and folders below one root."""

    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT_S
    _length: int | None = None

    def send_head(self) -> Any:
        self._length = None
        path = Path(self.translate_path(self.path))
        # what is being written, and what a link leads out of the root to, is not there for anybody
        root = Path(self.directory).resolve()
        hidden = any(part.startswith(".") for part in path.relative_to(self.directory).parts)
        if hidden or not path.resolve().is_relative_to(root):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        if not self.headers.get("Range") or not path.is_file():
            return super().send_head()
        return self._part(path)

    def _part(self, path: Path) -> IO[bytes] | None:
        file = path.open("rb")
        size = path.stat().st_size
        try:
            wanted = byte_range(self.headers["Range"], size)
        except ValueError:
            file.close()
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        if wanted is None:
            file.close()
            return super().send_head()
        first, last = wanted
        self.send_response(HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        file.seek(first)
        self._length = last - first + 1
        return file

    def copyfile(self, source: Any, outputfile: Any) -> None:
        if self._length is None:
            shutil.copyfileobj(source, outputfile, 1 << 20)
            return
        left = self._length
        while left and (block := source.read(min(left, 1 << 20))):
            outputfile.write(block)
            left -= len(block)

    def end_headers(self) -> None:
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True)
    parser.add_argument("--bind", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--lab", help="the lab that it belongs to, by which it is found among all processes")
    options = parser.parse_args()
    with Server((options.bind, options.port), partial(Handler, directory=options.root)) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
