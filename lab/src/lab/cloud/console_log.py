"""The console log of a guest, and in it the ssh host keys that cloud-init prints at the first boot.

Who has not logged in yet learns the host keys here. Docker turns its log over, so the part with the keys is kept
beside the guest and put in front when the log no longer has it.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from lab import paths
from lab.cloud import docker

BEGIN, END = b"-----BEGIN SSH HOST KEY KEYS-----", b"-----END SSH HOST KEY KEYS-----"
HEAD_BYTES, TAIL_BYTES, TAIL_LINES = 64 * 1024, 256 * 1024, "4000"
WATCH_S = 180

LOG = logging.getLogger(__name__)


def host_key_block(text: bytes) -> bytes | None:
    """The lines from BEGIN to END; None when they are not (all) there."""
    start = text.find(BEGIN)
    end = text.find(END, start)
    return None if start < 0 or end < 0 else text[start : end + len(END)]


def joined(head: bytes, tail: bytes, keys: bytes | None) -> bytes:
    """One log of its beginning and its end, which may overlap, with the host keys in front when both lack them."""
    if len(head) < HEAD_BYTES:
        text = head
    else:
        overlap = tail.find(head[-1024:])
        if overlap >= 0:
            text = head + tail[overlap + 1024 :]
        else:
            text = head[: head.rfind(b"\n") + 1] + b"[... lines left out ...]\r\n" + tail
    if keys and keys not in text:
        text = b"[kept from the first boot]\r\n" + keys + b"\r\n[...]\r\n" + text
    return text


class ConsoleLog:
    """What one guest printed.

    Parameters
    ----------
    container : its name
    folder : where the lab keeps what belongs to this guest
    """

    def __init__(self, container: str, folder: Path) -> None:
        self._container, self._folder = container, folder

    def text(self) -> bytes:
        """The beginning and the end of the log; all of it when it is short."""
        head = self._read(HEAD_BYTES)
        tail = b"" if len(head) < HEAD_BYTES else self._read(None)[-TAIL_BYTES:]
        return joined(head, tail, self._kept() or self._keep(head))

    def keep_host_keys(self) -> None:
        """Watch the first boot in the background until the host keys are printed."""
        threading.Thread(target=self._watch, name=f"console of {self._container}", daemon=True).start()

    def _watch(self) -> None:
        deadline = time.monotonic() + WATCH_S
        try:
            while time.monotonic() < deadline and self._folder.is_dir():
                time.sleep(2)
                if self._keep(self._read(HEAD_BYTES)):
                    return
        except (OSError, docker.DockerError) as error:  # the guest is gone, or the engine
            LOG.info("%s: %s", self._container, error)

    def _read(self, limit: int | None) -> bytes:
        path = f"/containers/{self._container}/logs"
        if limit is None:
            content = docker.request("GET", path, stdout="1", stderr="1", tail=TAIL_LINES)
            return content or b""
        return docker.read(path, limit, stdout="1", stderr="1")

    def _kept(self) -> bytes | None:
        try:
            return (self._folder / "host-keys").read_bytes()
        except OSError:
            return None

    def _keep(self, text: bytes) -> bytes | None:
        keys = host_key_block(text)
        if keys and self._folder.is_dir():
            paths.write_private(self._folder / "host-keys", keys.decode(errors="replace"))
        return keys
