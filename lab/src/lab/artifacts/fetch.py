"""Downloads from upstream: is the host there at all, go on where it stopped, believe nothing but the sum."""

from __future__ import annotations

import concurrent.futures
import contextlib
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

from lab.artifacts import files
from lab.errors import LabError

PROBE_S = 3
READ_S = 30
BLOCK = 1 << 18
# not files.PART: what was fetched is kept over an interruption
PARTIAL = ".partial"

Show = Callable[[str], None]


class WrongSum(LabError):
    """A file is not what the table says."""

    def __init__(self, source: str, wanted: str, found: str) -> None:
        super().__init__(
            f"{source}: wrong checksum.\n  wanted sha256 {wanted}\n  found  sha256 {found}",
            "The file was not kept. Either somebody changed it on its way, or the table "
            "(lab/src/lab/artifacts/table/) is wrong: find out which before trying again.",
        )
        self.wanted, self.found = wanted, found


def reachable(host: str, timeout_s: float = PROBE_S) -> bool:
    """Whether a host answers within a few seconds; behind a proxy it is the proxy that is asked."""
    proxy = urllib.request.getproxies().get("https")
    if proxy and not urllib.request.proxy_bypass(host):
        request = urllib.request.Request(f"https://{host}/", method="HEAD")
        try:
            urllib.request.urlopen(request, timeout=timeout_s).close()
        except urllib.error.HTTPError as error:
            return error.code not in (403, 407, 502, 503, 504)
        except OSError:
            return False
        return True
    try:
        socket.create_connection((host, 443), timeout_s).close()
    except OSError:
        return False
    return True


def probe(hosts: Iterable[str], ask: Callable[[str], bool] = reachable) -> dict[str, bool]:
    """Host → whether it answers; all are asked at once, and nobody is waited for longer than the probe allows.

    Looking a name up has no time limit of its own, hence the threads.
    """
    wanted = sorted(set(hosts))
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=max(1, len(wanted)))
    asked = {host: pool.submit(ask, host) for host in wanted}
    concurrent.futures.wait(asked.values(), timeout=PROBE_S + 0.5)
    pool.shutdown(wait=False, cancel_futures=True)
    return {host: answer.done() and not answer.exception() and answer.result() for host, answer in asked.items()}


def download(url: str, target: Path, sha256: str, show: Show = lambda _: None, mode: int = 0o644) -> None:
    """Fetch a file; what an interrupted download left is continued.

    Raises
    ------
    WrongSum
        when the whole file has another sum; nothing of it is kept
    LabError
        when it cannot be had
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{sha256[:12]}{PARTIAL}")
    try:
        _fill(url, part, show)
    except (OSError, EOFError) as error:
        raise LabError(
            f"{url} could not be fetched: {error}", f"{_kept(part)}Type the same command again: it goes on."
        ) from error
    found = files.sha256(part)
    if found != sha256:
        part.unlink()
        raise WrongSum(url, sha256, found)
    part.chmod(mode)
    files.settle(part, target)


def _kept(part: Path) -> str:
    return f"{part.stat().st_size / 2**20:.1f} MiB of it are kept. " if part.exists() else ""


def _fill(url: str, part: Path, show: Show) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        reply = urllib.request.urlopen(request, timeout=READ_S)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing is left to fetch
            return
        raise
    with contextlib.closing(reply):
        if reply.status != 206:
            have = 0
        length = int(reply.headers.get("Content-Length") or 0)
        name = urlsplit(url).path.rpartition("/")[2]
        done, total = have, have + length
        with part.open("ab" if have else "wb") as file:
            while block := reply.read(BLOCK):
                file.write(block)
                done += len(block)
                show(f"{name}: {done / 2**20:.0f} of {total / 2**20:.0f} MiB")
    if length and done < total:
        raise EOFError(f"the connection ended after {done} of {total} bytes")
