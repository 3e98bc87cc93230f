"""A certificate as a browser exports it (PKCS#12), made into the two files that grid programs look for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

from .datasets.files import replacing
from .errors import BenchError
from .grid import now, slashed

CERTIFICATE, KEY = "usercert.pem", "userkey.pem"


@dataclass(frozen=True)
class Installed:
    """What is in the folder now: subject and end of the certificate, and where it and its key are."""

    identity: str
    ends: str
    certificate: Path
    key: Path


def install(source: Path, folder: Path, passphrase: str, *, replace: bool = False) -> Installed:
    """Write usercert.pem (mode 0644) and userkey.pem (0400, under the same passphrase) into a folder (0700).

    Both are written before either gets its name.

    Raises
    ------
    BenchError
        The file or its passphrase is not good, the certificate has expired, or another one is there already.
    """
    what = f"certificate {source}"
    try:
        packed = source.read_bytes()
    except OSError as error:
        raise BenchError(what, error.strerror or "it cannot be read", "Upload the .p12 that you exported.") from error
    if not passphrase:
        why = "without a passphrase its key would lie open in your home"
        raise BenchError(what, why, "Export it from your browser again, with a passphrase.")
    try:
        key, certificate, _ = pkcs12.load_key_and_certificates(packed, passphrase.encode())
    except (ValueError, TypeError):  # it says the same of a wrong passphrase and of a broken file
        why = "the passphrase is wrong, or this is no whole PKCS#12 file"
        raise BenchError(what, why, "Type the passphrase that you gave it when you exported it.") from None
    if key is None or certificate is None:
        raise BenchError(what, "it holds no certificate with its key", "Export your own certificate, with its key.")
    ends = certificate.not_valid_after_utc
    if ends <= now():
        raise BenchError(what, f"it expired at {ends:%Y-%m-%d %H:%M} UTC", "Ask your authority for another one.")
    done = Installed(slashed(certificate.subject), f"{ends:%Y-%m-%d}", folder / CERTIFICATE, folder / KEY)
    if not replace:
        refuse_another(done, certificate)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase.encode()))
    load_pem_private_key(encrypted, passphrase.encode())
    with replacing(done.key, mode=0o400) as new_key, replacing(done.certificate) as new_certificate:
        new_key.write_bytes(encrypted)
        new_certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    return done


def refuse_another(wanted: Installed, certificate: x509.Certificate) -> None:
    """What is there is this certificate, or nothing.

    Raises
    ------
    BenchError
        It is another one, or a key of which nobody can tell whose it is.
    """
    next_step = "Move it away, or add --replace."
    try:
        there = wanted.certificate.read_bytes()
    except FileNotFoundError:
        if not wanted.key.exists():
            return
        raise BenchError(f"{wanted.key} is there already", "it has no certificate beside it", next_step) from None
    try:
        other = x509.load_pem_x509_certificate(there)
    except ValueError:
        raise BenchError(f"{wanted.certificate} is there already", "it is no certificate", next_step) from None
    if other != certificate:
        why = f"it is another one: {slashed(other.subject)}, until {other.not_valid_after_utc:%Y-%m-%d}"
        raise BenchError(f"{wanted.certificate} is there already", why, next_step)
