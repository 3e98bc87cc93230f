"""A real XRootD server for the tests, open or behind GSI with a certificate authority of its own.

The program is Debian's `xrootd-server`. Everything lies in one temporary folder that the server's user may read
(pytest's own folders are closed to others, and xrootd refuses to run as root).
"""

from __future__ import annotations

import contextlib
import datetime
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import voms_programs as voms
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

PACKAGE = "xrootd-server"
LIFE = datetime.timedelta(hours=2)
# RFC 3820: a proxy names its policy, here "inherit all rights" (1.3.6.1.5.5.7.21.1), in DER.
PROXY_EXTENSION = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.14")
INHERIT_ALL = bytes.fromhex("300c300a06082b06010505071501")


def why_absent() -> str:
    """Why the server's program is not here and cannot be installed by a test; empty where it is or can."""
    if shutil.which("xrootd") or (os.geteuid() == 0 and shutil.which("apt-get")):
        return ""
    return f"no xrootd here; as root on Debian: apt-get install --no-install-recommends {PACKAGE}"


def install() -> None:
    """Have the server's program here."""
    if shutil.which("xrootd"):
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"]
    for command in ([*apt, "update"], [*apt, "install", "-y", "--no-install-recommends", PACKAGE]):
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr[-1000:]}"


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def distinguished(*common_names: str) -> x509.Name:
    names = [x509.NameAttribute(NameOID.COMMON_NAME, each) for each in common_names]
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "bench"), *names])


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def pem_key(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def usage(signs_certificates: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def written(path: Path, content: bytes, mode: int) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


class Authority:
    """A throw-away certificate authority, a host's and a user's certificate, and proxies of the user's."""

    def __init__(self, folder: Path) -> None:
        self.certificates = folder / "certificates"
        self.certificates.mkdir(parents=True)
        self._key, self._name = new_key(), distinguished("test authority")
        own = self._certificate(self._name, self._key, is_authority=True)
        written(self.certificates / "ca.pem", pem(own), 0o644)
        # OpenSSL finds an authority by a hash of its name.
        subprocess.run(["openssl", "rehash", str(self.certificates)], check=True, capture_output=True)
        key = new_key()
        self.host_certificate = written(
            folder / "host.pem", pem(self._certificate(distinguished("localhost"), key)), 0o644
        )
        self.host_key = written(folder / "host.key", pem_key(key), 0o400)
        self._user_key, self._user_name = new_key(), distinguished("A Physicist")
        self._user = self._certificate(self._user_name, self._user_key)
        self.user_certificate = written(folder / "user.pem", pem(self._user), 0o644)
        self.user_key = written(folder / "user.key", pem_key(self._user_key), 0o400)

    def _certificate(self, name: x509.Name, key: rsa.RSAPrivateKey, is_authority: bool = False) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - LIFE)
            .not_valid_after(now + LIFE)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(usage(signs_certificates=is_authority), critical=True)
            # What signs attributes of VOMS names its issuer by it.
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def proxy(self, path: Path, life: datetime.timedelta = LIFE) -> Path:
        """A proxy certificate of the user's (RFC 3820), with its key and the user's certificate, for so long."""
        now, key, serial = datetime.datetime.now(datetime.UTC), new_key(), 20_000_001
        certificate = (
            x509.CertificateBuilder()
            .subject_name(distinguished("A Physicist", str(serial)))
            .issuer_name(self._user_name)
            .public_key(key.public_key())
            .serial_number(serial)
            .not_valid_before(now - LIFE)
            .not_valid_after(now + life)
            .add_extension(usage(), critical=True)
            .add_extension(x509.UnrecognizedExtension(PROXY_EXTENSION, INHERIT_ALL), critical=True)
            .sign(self._user_key, hashes.SHA256())
        )
        return written(path, pem(certificate) + pem_key(key) + pem(self._user), 0o600)

    def trust(self, vo: str) -> Path:
        """A folder that says: attributes of this organisation are signed by the host of this authority."""
        folder = self.certificates.parent / "vomsdir"
        (folder / vo).mkdir(parents=True, exist_ok=True)
        written(folder / vo / "localhost.lsc", b"/O=bench/CN=localhost\n/O=bench/CN=test authority\n", 0o644)
        return folder

    def voms_proxy(self, path: Path, vo: str, *more: str) -> Path:
        """A proxy of the user's for two hours, with attributes of an organisation for one, as its server signs them."""
        options = {
            "cert": self.user_certificate, "key": self.user_key, "certdir": self.certificates, "out": path, "hours": 2,
            "vomslife": 1, "voms": vo, "uri": "localhost:15000", "hostcert": self.host_certificate,
            "hostkey": self.host_key, "fqan": f"/{vo}/Role=NULL/Capability=NULL",
        }  # fmt: skip
        arguments = [word for name, value in options.items() for word in (f"-{name}", str(value))]
        command = [voms.program("voms-proxy-fake"), "-rfc", "-newformat", *arguments, *more]
        made = subprocess.run(command, env={**os.environ, **voms.environment()}, capture_output=True, text=True)
        assert made.returncode == 0, made.stderr[-500:]
        return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A server that gives out the files of `data`, to members of the virtual organisation `vo` alone if it has one."""

    folder: Path
    authority: Authority | None = None
    vo: str = ""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        return f"root://localhost:{self.port}/"

    def add(self, path: Path, name: str = "") -> str:
        """Put a file there; gives back its address."""
        copy = self.data / (name or path.name)
        shutil.copyfile(path, copy)
        copy.chmod(0o644)
        return f"{self.url}/{copy.name}"

    def start(self) -> None:
        lines = [
            f"xrd.port {self.port}", "xrd.network nodnr", "xrd.protocol xrootd *", f"all.adminpath {self.folder}/admin",
            f"all.pidpath {self.folder}/admin", f"oss.localroot {self.data}", "all.export /", "xrootd.chksum adler32",
            "xrootd.async off",
        ]  # fmt: skip
        environment = dict(os.environ)
        if self.authority:
            gsi = (
                f"sec.protocol gsi -certdir:{self.authority.certificates} -cert:{self.authority.host_certificate}"
                f" -key:{self.authority.host_key} -crl:0 -gmapopt:0 -dlgpxy:0"
            )
            if self.vo:
                gsi += f" -vomsat:require -vomsfun:libXrdVoms.so -vomsfunparms:vos={self.vo}"
                environment |= voms.environment() | {
                    "X509_CERT_DIR": str(self.authority.certificates),
                    "X509_VOMS_DIR": str(self.authority.trust(self.vo)),
                }
            lines += ["xrootd.seclib libXrdSec.so", gsi, "sec.protbind * only gsi"]
        (self.folder / "server.cfg").write_text("\n".join(lines) + "\n")
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("nobody")
            as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            for path in (self.folder / "admin", *([self.authority.host_key] if self.authority else [])):
                os.chown(path, user.pw_uid, user.pw_gid)
        command = ["xrootd", "-c", str(self.folder / "server.cfg"), "-n", f"bench{self.port}"]
        log = (self.folder / "server.log").open("ab")
        self.process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=self.folder / "admin", env=environment, **as_user
        )
        log.close()
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("localhost", self.port), 1):
                return
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")[-3000:]


@contextmanager
def running(gsi: bool = False, vo: str = "") -> Iterator[Server]:
    """A server in a folder of its own, taken away afterwards; with `vo` for members of that organisation alone."""
    folder = Path(mkdtemp(prefix="bench-xrootd-"))
    try:
        folder.chmod(0o755)
        for name in ("data", "admin"):
            (folder / name).mkdir()
        server = Server(folder, Authority(folder / "gsi") if gsi or vo else None, vo)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
