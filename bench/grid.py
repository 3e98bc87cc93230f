"""The user's grid proxy: read and judged where it lies, and shared with his Dask workers through a Secret.

Its content is in no message, no log and no `repr`.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import logging
import os
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from .errors import BenchError

PROXY_VARIABLE = "X509_USER_PROXY"
SECRET_KEY = "x509up"
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
LOOK_EVERY_S = 30.0
TIMEOUT_S = 10.0
MAKE_ONE = "Type: voms-proxy-init --voms VO"

PROXY_INFORMATION = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.14")  # RFC 3820
LEGACY_PROXIES = ("proxy", "limited proxy")
# VOMS: attribute certificates in an extension of the proxy, and in them the groups and roles.
ATTRIBUTE_CERTIFICATES = x509.ObjectIdentifier("1.3.6.1.4.1.8005.100.100.5")
GROUPS = bytes.fromhex("2b06010401be45646404")  # 1.3.6.1.4.1.8005.100.100.4 in DER

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Proxy:
    """A proxy that is good now.

    Attributes
    ----------
    content : certificates and key, as they are in the file
    identity : subject of the certificate that it stands for, as grids write it
    vo : virtual organisation that its attributes are of; empty without any
    ends : when the first of its certificates and attributes ends
    """

    path: Path
    content: bytes = field(repr=False)
    identity: str
    vo: str
    ends: datetime.datetime

    def left(self) -> datetime.timedelta:
        """How long it is good from now on."""
        return self.ends - now()


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def proxy_path() -> Path:
    """Where the user's proxy is: where `voms-proxy-init` and XRootD's client have it too."""
    return Path(os.environ.get(PROXY_VARIABLE) or f"/tmp/x509up_u{os.getuid()}")


def load(path: Path | None = None) -> Proxy:
    """Read the user's proxy.

    Raises
    ------
    BenchError
        There is none, others may read it, it holds no certificate or no key, or it has ended.
    """
    path = path or proxy_path()
    try:
        mode = path.stat().st_mode
        content = path.read_bytes()
    except OSError as error:
        raise refused(path, error.strerror or "it cannot be read", MAKE_ONE) from error
    if mode & 0o077:
        why = f"others may read its key (mode {mode & 0o777:04o})"
        raise refused(path, why, f"Delete it, then make another one. {MAKE_ONE}")
    chain = certificates(path, content)
    check_key(path, content, chain[0])
    vo, attributes_end = attributes(chain)
    ends = min([each.not_valid_after_utc for each in chain] + ([attributes_end] if attributes_end else []))
    if ends <= now():
        raise refused(path, f"it expired at {ends:%Y-%m-%d %H:%M} UTC", MAKE_ONE)
    return Proxy(path, content, identity(chain), vo, ends)


def refused(path: Path, why: str, next_step: str) -> BenchError:
    return BenchError(f"grid proxy {path}", why, next_step)


def certificates(path: Path, content: bytes) -> list[x509.Certificate]:
    """The proxy's own certificate first, then those that lead to the authority."""
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:
        raise refused(path, "it holds no certificate in PEM", MAKE_ONE) from None


def check_key(path: Path, content: bytes, certificate: x509.Certificate) -> None:
    """The key is there, without a passphrase, and that of the proxy's certificate."""
    begin = content.find(b"-----BEGIN", content.find(b"-----END CERTIFICATE"))
    try:
        key = serialization.load_pem_private_key(content[begin:] if begin >= 0 else b"", password=None)
    except (ValueError, TypeError):  # of the second kind where a passphrase is wanted
        raise refused(path, "it holds no private key that can be used", MAKE_ONE) from None
    if key.public_key() != certificate.public_key():
        raise refused(path, "its key is not that of its certificate", MAKE_ONE)


def is_proxy(certificate: x509.Certificate) -> bool:
    """Whether it was signed by a user's certificate or by another proxy."""
    names = list(certificate.subject)
    if names and names[-1].value in LEGACY_PROXIES:
        return True
    return any(each.oid == PROXY_INFORMATION for each in certificate.extensions)


def identity(chain: list[x509.Certificate]) -> str:
    """The subject of the first certificate that is no proxy."""
    own = next((each for each in chain if not is_proxy(each)), None)
    return slashed(own.subject if own else chain[-1].issuer)


def slashed(name: x509.Name) -> str:
    """A name as grids write it: /DC=org/CN=A Physicist."""
    return "".join(f"/{each.rfc4514_attribute_name}={each.value}" for each in name)


def attributes(chain: list[x509.Certificate]) -> tuple[str, datetime.datetime | None]:
    """Virtual organisation, and when the attributes of it end; nothing where there are none that can be read."""
    for certificate in chain:
        for extension in certificate.extensions:
            if extension.oid == ATTRIBUTE_CERTIFICATES and isinstance(extension.value, x509.UnrecognizedExtension):
                with contextlib.suppress(ValueError, IndexError, StopIteration):
                    return first_attributes(extension.value.value)
    return "", None


def first_attributes(extension: bytes) -> tuple[str, datetime.datetime]:
    """Of the first attribute certificate (RFC 5755): the organisation of its first group, and its end."""
    information = first(first(first(first(extension))))
    # version, holder, issuer, algorithm, serial number, validity, attributes
    parts = [content for _, content in elements(information)]
    end = [content for _, content in elements(parts[5])][1].decode()
    ends = datetime.datetime.strptime(end, "%Y%m%d%H%M%SZ").replace(tzinfo=datetime.UTC)
    for _, attribute in elements(parts[6]):
        kind, values = (content for _, content in elements(attribute))
        if kind == GROUPS:
            # who says so, then the groups: /VO/group/Role=…/Capability=…
            _, groups = (content for _, content in elements(first(values)))
            return first(groups).decode().split("/")[1], ends
    return "", ends


def elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements of DER one after the other: tag and content."""
    at = 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            digits = length & 0x7F
            length, at = int.from_bytes(data[at : at + digits]), at + digits
        yield tag, data[at : at + length]
        at += length


def first(data: bytes) -> bytes:
    """Content of the first element."""
    return next(elements(data))[1]


def state() -> str:
    """What this process would show a server, in a line: the proxy, or what is wrong with it."""
    try:
        mine = load()
    except BenchError as error:
        return f"{error.what}: {error.why}"
    member = f"in VO {mine.vo}" if mine.vo else "without a VO"
    return f"shown was {mine.path}: {mine.identity}, {member}, until {mine.ends:%Y-%m-%d %H:%M} UTC"


# --- to the workers -----------------------------------------------------------------------------------------------
def share(proxy: Proxy | None, namespace: str, secret: str) -> None:
    """Write a proxy into the user's Secret, from which kubelet brings it to his workers; None takes it out.

    Raises
    ------
    BenchError
        The cluster does not take it.
    """
    what = f"the Secret {secret} of {namespace}"
    again = "Try again; if it stays so, stop your server and start it again, then tell an administrator."
    change = {"data": {SECRET_KEY: base64.b64encode(proxy.content).decode() if proxy else None}}
    try:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        token = (ACCOUNT / "token").read_text().strip()
        with httpx.Client(
            verify=ssl.create_default_context(cafile=ACCOUNT / "ca.crt"), timeout=TIMEOUT_S, trust_env=False
        ) as client:
            answer = client.patch(
                f"https://{host}:{port}/api/v1/namespaces/{namespace}/secrets/{secret}",
                json=change,
                headers={"Authorization": f"Bearer {token}", "Content-Type": "application/merge-patch+json"},
            )
    except (KeyError, OSError, httpx.HTTPError) as error:
        raise BenchError(what, f"the cluster cannot be asked ({type(error).__name__})", again) from None
    if answer.status_code >= 400:
        # Its message may quote what was sent.
        raise BenchError(what, f"the cluster refuses the proxy (HTTP {answer.status_code})", again)


class Keeper:
    """Keeps the Secret what the file is: renewed, and gone.

    Parameters
    ----------
    namespace, secret : where it is shared
    """

    def __init__(self, namespace: str, secret: str) -> None:
        self._where = namespace, secret
        self._seen: tuple[object, ...] | None = None
        self._told = ""
        self._lock = threading.Lock()

    def look(self) -> None:
        """Share the proxy if it is another one than at the last look; what is wrong with it is logged once."""
        with self._lock:
            try:
                self._look()
                self._told = ""
            except BenchError as error:
                if str(error) != self._told:
                    log.warning("%s", error)
                self._told = str(error)

    def _look(self) -> None:
        path = proxy_path()
        try:
            status = path.stat()
            found = str(path), status.st_ino, status.st_mtime_ns, status.st_size, status.st_mode
        except OSError:
            found = None
        if found == self._seen:
            return
        try:
            proxy = load(path) if found else None
        except BenchError:
            self._seen = found  # it stays as bad until it changes
            raise
        share(proxy, *self._where)
        self._seen = found

    def run(self) -> None:
        """Look for ever."""
        pause = threading.Event()
        while not pause.wait(LOOK_EVERY_S):
            self.look()


@cache
def keeper(namespace: str, secret: str) -> Keeper:
    """The one of this process, which has begun to look; it ends with the process."""
    made = Keeper(namespace, secret)
    threading.Thread(target=made.run, name="grid-proxy", daemon=True).start()
    return made
