"""Container images without an engine: layers as plain tar files, pushed to and copied between registries over HTTP."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.artifacts import files
from lab.artifacts.fetch import WrongSum
from lab.errors import LabError

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
# not compressed: the images travel over one machine's loopback, and every node would pay for the unpacking
LAYER = "application/vnd.docker.image.rootfs.diff.tar"
LISTS = ("application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json")
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MANIFESTS = (MANIFEST, OCI_MANIFEST)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TIMEOUT_S = 60

# the lab's own registry is on this machine: a proxy meant for the world outside has no part in that
_here = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

Show = Callable[[str], None]


@dataclass(frozen=True)
class Layer:
    """A file system layer: a tar file, and its sha256."""

    path: Path
    sha256: str

    @property
    def size(self) -> int:
        return self.path.stat().st_size


def layer(path: Path, members: Iterable[files.Member]) -> Layer:
    with path.open("wb") as target:
        files.tar(target, members)
    return Layer(path, files.sha256(path))


def config(layers: Sequence[Layer], entrypoint: Sequence[str]) -> bytes:
    """The configuration of an image; without times, so that the same programs make the same image."""
    described: dict[str, Any] = {
        "architecture": "amd64",
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Env": [f"PATH={PATH}"], **({"Entrypoint": list(entrypoint)} if entrypoint else {})},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{item.sha256}" for item in layers]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "lab artifacts"} for _ in layers],
    }
    return json.dumps(described, sort_keys=True).encode()


@dataclass(frozen=True)
class Registry:
    """A registry that speaks HTTP.

    Attributes
    ----------
    url : e.g. http://127.0.0.1:5055
    """

    url: str

    def digest(self, repository: str, reference: str) -> str | None:
        """The sha256 of an image's manifest; None when there is none, or the registry does not answer."""
        request = urllib.request.Request(
            f"{self.url}/v2/{repository}/manifests/{reference}",
            method="HEAD",
            headers={"Accept": ", ".join(MANIFESTS)},
        )
        try:
            with _here(request, timeout=TIMEOUT_S) as reply:
                return reply.headers["Docker-Content-Digest"].removeprefix("sha256:")
        except (OSError, http.client.HTTPException):
            return None

    def manifest(self, repository: str, reference: str) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.url}/v2/{repository}/manifests/{reference}", headers={"Accept": ", ".join(MANIFESTS)}
        )
        with _asked(request) as reply:
            return json.load(reply)

    def push(self, repository: str, tag: str, layers: Sequence[Layer], configuration: bytes) -> tuple[str, int]:
        """Push an image; returns the sha256 of its manifest and the bytes of its layers."""
        for item in layers:
            with item.path.open("rb") as content:
                self.blob(repository, item.sha256, content, item.size)
        config_sha256 = hashlib.sha256(configuration).hexdigest()
        self.blob(repository, config_sha256, configuration, len(configuration))
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "size": len(configuration), "digest": f"sha256:{config_sha256}"},
            "layers": [{"mediaType": LAYER, "size": item.size, "digest": f"sha256:{item.sha256}"} for item in layers],
        }
        return self.put(repository, tag, json.dumps(manifest).encode(), MANIFEST), sum(item.size for item in layers)

    def blob(self, repository: str, sha256: str, content: Any, size: int) -> None:
        """Upload a blob that is not there; the registry itself refuses one whose sum is not the given one."""
        if self.has(repository, f"sha256:{sha256}"):
            return
        with _asked(urllib.request.Request(f"{self.url}/v2/{repository}/blobs/uploads/", method="POST")) as reply:
            place = urllib.parse.urljoin(self.url, reply.headers["Location"])
        mark = "&" if "?" in place else "?"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        upload = urllib.request.Request(
            f"{place}{mark}digest=sha256:{sha256}", data=content, method="PUT", headers=headers
        )
        with _asked(upload):
            pass

    def has(self, repository: str, digest: str) -> bool:
        """Whether a blob is there."""
        try:
            with _asked(urllib.request.Request(f"{self.url}/v2/{repository}/blobs/{digest}", method="HEAD")):
                return True
        except Refused as error:
            if error.status != 404:
                raise
            return False

    @contextmanager
    def read(self, repository: str, digest: str) -> Iterator[Any]:
        """A blob, to be read."""
        with _asked(urllib.request.Request(f"{self.url}/v2/{repository}/blobs/{digest}")) as reply:
            yield reply

    def put(self, repository: str, tag: str, manifest: bytes, media_type: str) -> str:
        request = urllib.request.Request(
            f"{self.url}/v2/{repository}/manifests/{tag}",
            data=manifest,
            method="PUT",
            headers={"Content-Type": media_type},
        )
        with _asked(request):
            return hashlib.sha256(manifest).hexdigest()


class Refused(LabError):
    """A registry's answer that is not the wanted one."""

    def __init__(self, what: str, status: int) -> None:
        super().__init__(what, "Look at the registry's log in the lab's state folder (mirror/); then type it again.")
        self.status = status


@contextmanager
def _asked(request: urllib.request.Request) -> Iterator[Any]:
    try:
        with _here(request, timeout=TIMEOUT_S) as reply:
            yield reply
    except urllib.error.HTTPError as error:
        said = error.read(300).decode(errors="replace")
        raise Refused(f"{request.get_method()} {request.full_url}: status {error.code} {said}", error.code) from error
    except (OSError, http.client.HTTPException) as error:
        raise LabError(
            f"{request.get_method()} {request.full_url}: {error}", "Type the same command again: it goes on."
        ) from error


# --- upstream ----------------------------------------------------------------------------------------------------
class Upstream:
    """A public registry, read without an account.

    Parameters
    ----------
    name : host/repository
    scheme : http only in tests
    """

    def __init__(self, name: str, scheme: str = "https") -> None:
        self.host, _, self.repository = name.partition("/")
        self.root = f"{scheme}://{self.host}/v2/{self.repository}"
        self._token = ""

    def copy(
        self, digest: str, target: Registry, repository: str, tag: str, work: Path, show: Show = lambda _: None
    ) -> tuple[str, int]:
        """Copy the amd64 image of the list with this digest; returns the sha256 of its manifest and its bytes.

        Parameters
        ----------
        work : folder for one part of it at a time

        Raises
        ------
        WrongSum
            when anything on the way is not what its digest says
        """
        raw = self._checked("manifests", digest)
        described = json.loads(raw)
        if "manifests" in described:
            chosen = next(
                entry["digest"].removeprefix("sha256:")
                for entry in described["manifests"]
                if (entry["platform"]["os"], entry["platform"]["architecture"]) == ("linux", "amd64")
            )
            raw = self._checked("manifests", chosen)
        image = json.loads(raw)
        parts = [image["config"], *image["layers"]]
        for number, part in enumerate(parts, 1):
            show(f"{self.repository}: part {number} of {len(parts)}, {part['size'] / 2**20:.0f} MiB")
            sha256 = part["digest"].removeprefix("sha256:")
            path = work / "blob"
            self._blob(sha256, path)
            with path.open("rb") as content:
                target.blob(repository, sha256, content, path.stat().st_size)
        media_type = image.get("mediaType", MANIFESTS[1])
        return target.put(repository, tag, raw, media_type), sum(part["size"] for part in image["layers"])

    def _checked(self, kind: str, sha256: str) -> bytes:
        url = f"{self.root}/{kind}/sha256:{sha256}"
        with self._open(url, {"Accept": ", ".join((*LISTS, *MANIFESTS))}) as reply:
            content: bytes = reply.read()
        if (found := hashlib.sha256(content).hexdigest()) != sha256:
            raise WrongSum(url, sha256, found)
        return content

    def _blob(self, sha256: str, path: Path) -> None:
        url = f"{self.root}/blobs/sha256:{sha256}"
        with self._open(url, {}) as reply, path.open("wb") as file:
            while block := reply.read(1 << 20):
                file.write(block)
        if (found := files.sha256(path)) != sha256:
            raise WrongSum(url, sha256, found)

    @contextmanager
    def _open(self, url: str, headers: Mapping[str, str]) -> Iterator[Any]:
        try:
            try:
                reply = self._request(url, headers)
            except urllib.error.HTTPError as error:
                if error.code != 401 or self._token:
                    raise
                self._token = self._login(error.headers.get("WWW-Authenticate", ""))
                reply = self._request(url, headers)
            with reply:
                yield reply
        except (OSError, http.client.HTTPException, KeyError, ValueError) as error:
            raise LabError(f"{url}: {error}", "Type the same command again: it goes on.") from error

    def _request(self, url: str, headers: Mapping[str, str]) -> Any:
        request = urllib.request.Request(url, headers=dict(headers))
        if self._token:
            # not sent on to where a blob's storage is elsewhere
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        return urllib.request.urlopen(request, timeout=TIMEOUT_S)

    def _login(self, challenge: str) -> str:
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        query = urllib.parse.urlencode(
            {"service": fields.get("service", ""), "scope": f"repository:{self.repository}:pull"}
        )
        with urllib.request.urlopen(f"{fields['realm']}?{query}", timeout=TIMEOUT_S) as reply:
            answer = json.load(reply)
        return answer.get("token") or answer["access_token"]
