"""The user's certificate, from the file that a browser exports to the two that grid programs read."""

from __future__ import annotations

import datetime
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import voms_programs
import voms_server
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, NoEncryption, pkcs12
from xrootd_server import Authority, distinguished, new_key

from bench import grid
from bench.certificate import install
from bench.datasets import files
from bench.errors import BenchError

pytestmark = pytest.mark.timeout(500)
PASSPHRASE = "correct horse"
KEY = new_key()


def certificate(days: float = 300, name: str = "A Physicist") -> x509.Certificate:
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(distinguished(name))
        .issuer_name(distinguished("test authority"))
        .public_key(KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - datetime.timedelta(days=400))
        .not_valid_after(ends)
        .sign(KEY, hashes.SHA256())
    )


MINE = certificate()


def exported(
    path: Path, held: x509.Certificate | None = MINE, passphrase: str = PASSPHRASE, key: RSAPrivateKey | None = KEY
) -> Path:
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    path.write_bytes(pkcs12.serialize_key_and_certificates(b"mine", key, held, None, encryption))
    return path


@pytest.fixture
def globus(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".globus"


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}


def test_the_key_stays_under_its_passphrase_and_is_its_owners_alone(tmp_path: Path, globus: Path) -> None:
    done = install(exported(tmp_path / "me.p12"), globus, PASSPHRASE)
    assert modes(globus) == {".globus": 0o700, "usercert.pem": 0o644, "userkey.pem": 0o400}
    assert done.identity == "/O=bench/CN=A Physicist"
    assert x509.load_pem_x509_certificate(done.certificate.read_bytes()) == MINE
    key = done.key.read_bytes()
    assert key.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    with pytest.raises(TypeError):
        serialization.load_pem_private_key(key, None)
    assert serialization.load_pem_private_key(key, PASSPHRASE.encode()).public_key() == KEY.public_key()
    # again is no harm
    install(exported(tmp_path / "me.p12"), globus, PASSPHRASE)


def test_an_export_of_an_old_browser_is_read_too(tmp_path: Path, globus: Path) -> None:
    pem = tmp_path / "both.pem"
    key = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(key + MINE.public_bytes(serialization.Encoding.PEM))
    old = ["-legacy", "-in", pem, "-out", tmp_path / "old.p12", "-passout", f"pass:{PASSPHRASE}"]
    subprocess.run(["openssl", "pkcs12", "-export", *old], check=True, capture_output=True)
    assert install(tmp_path / "old.p12", globus, PASSPHRASE).identity == "/O=bench/CN=A Physicist"


def test_what_is_no_good_is_refused_and_nothing_is_written(tmp_path: Path, globus: Path) -> None:
    good = exported(tmp_path / "good.p12")
    broken = tmp_path / "broken.p12"
    broken.write_bytes(good.read_bytes()[:500])
    for source, passphrase, words in (
        (tmp_path / "none.p12", PASSPHRASE, "No such file or directory. Upload the .p12"),
        (good, "wrong", "the passphrase is wrong, or this is no whole PKCS#12 file"),
        (broken, PASSPHRASE, "the passphrase is wrong, or this is no whole PKCS#12 file"),
        (exported(tmp_path / "open.p12", passphrase=""), "", "without a passphrase its key would lie open"),
        (exported(tmp_path / "keyless.p12", key=None), PASSPHRASE, "it holds no certificate with its key"),
        (exported(tmp_path / "late.p12", certificate(-1)), PASSPHRASE, "it expired at 20"),
    ):
        with pytest.raises(BenchError, match=words) as caught:
            install(source, globus, passphrase)
        assert str(source) in caught.value.what
        assert PASSPHRASE not in str(caught.value)
        assert not globus.exists()


def test_another_certificate_is_replaced_only_when_that_is_said(tmp_path: Path, globus: Path) -> None:
    install(exported(tmp_path / "me.p12"), globus, PASSPHRASE)
    other = certificate(name="Somebody Else")
    exported(tmp_path / "other.p12", other)
    with pytest.raises(BenchError, match=r"it is another one: /O=bench/CN=A Physicist, until 20.* add --replace"):
        install(tmp_path / "other.p12", globus, PASSPHRASE)
    assert x509.load_pem_x509_certificate((globus / "usercert.pem").read_bytes()) == MINE
    install(tmp_path / "other.p12", globus, PASSPHRASE, replace=True)
    assert x509.load_pem_x509_certificate((globus / "usercert.pem").read_bytes()) == other
    assert modes(globus) == {".globus": 0o700, "usercert.pem": 0o644, "userkey.pem": 0o400}
    (globus / "usercert.pem").unlink()
    with pytest.raises(BenchError, match="it has no certificate beside it"):
        install(tmp_path / "other.p12", globus, PASSPHRASE)


def test_what_breaks_off_leaves_what_was_there(tmp_path: Path, globus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(exported(tmp_path / "me.p12"), globus, PASSPHRASE)
    before = {path.name: path.read_bytes() for path in globus.iterdir()}
    exported(tmp_path / "other.p12", certificate(name="Somebody Else"))

    def full(path: Path, content: bytes) -> int:
        if "usercert" in path.name:
            raise OSError(28, "No space left on device")
        with path.open("wb") as file:
            return file.write(content)

    monkeypatch.setattr(files.Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        install(tmp_path / "other.p12", globus, PASSPHRASE, replace=True)
    assert {path.name: path.read_bytes() for path in globus.iterdir()} == before


def test_the_command_asks_for_the_passphrase_on_the_terminal(tmp_path: Path, repo: Path) -> None:
    source = exported(tmp_path / "me.p12")
    main, terminal = pty.openpty()
    environment = {**os.environ, "HOME": str(tmp_path), "COLUMNS": "200"}
    # In a session of its own: the passphrase is asked for on this terminal, and not on that of the tests.
    with subprocess.Popen(
        [sys.executable, "-m", "bench", "certificate", str(source)],
        cwd=repo, env=environment, stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    ) as command:  # fmt: skip
        assert command.stdout is not None
        said = ""
        # What is typed before it asks is thrown away.
        while not said.endswith(": ") and (more := command.stdout.read(1)):
            said += more
        os.write(main, f"{PASSPHRASE}\n".encode())
        said += command.communicate(timeout=200)[0]
    os.close(terminal)
    os.close(main)
    assert command.returncode == 0, said
    assert f"Passphrase of {source}" in said
    assert "may be deleted: rm " in said
    assert PASSPHRASE not in said
    assert modes(tmp_path / ".globus") == {".globus": 0o700, "usercert.pem": 0o644, "userkey.pem": 0o400}


NO_VOMS = voms_programs.why_absent()


@pytest.mark.skipif(bool(NO_VOMS), reason=NO_VOMS)
def test_voms_proxy_init_takes_the_two_files_and_no_key_that_others_may_read(tmp_path: Path) -> None:
    """The real program, from an uploaded file to a proxy with an organisation's attributes."""
    authority = Authority(tmp_path / "authority")
    key = serialization.load_pem_private_key(authority.user_key.read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    held = x509.load_pem_x509_certificate(authority.user_certificate.read_bytes())
    done = install(exported(tmp_path / "me.p12", held, key=key), tmp_path / ".globus", PASSPHRASE)
    proxy = tmp_path / "x509up"
    with voms_server.running(authority, "test", tmp_path) as vomses:
        # the variables that the hub sets
        environment = {
            **os.environ,
            **voms_programs.environment(),
            "HOME": str(tmp_path),
            "X509_USER_PROXY": str(proxy),
            "X509_CERT_DIR": str(authority.certificates),
            "X509_VOMS_DIR": str(authority.trust("test")),
            "VOMS_USERCONF": str(vomses),
        }
        # root's pair it would take from elsewhere
        pair = ["-cert", str(done.certificate), "-key", str(done.key)]
        command = [voms_programs.program("voms-proxy-init"), "--voms", "test", "--hours", "1", "-pwstdin", *pair]

        def ask() -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                command, env=environment, input=f"{PASSPHRASE}\n", capture_output=True, text=True, timeout=200
            )

        made = ask()
        assert made.returncode == 0, made.stdout + made.stderr[-500:]
        found = grid.load(proxy)
        assert (found.identity, found.vo) == ("/O=bench/CN=A Physicist", "test")
        # what mounting a home makes of it, and why the hub closes it again at each start
        done.key.chmod(0o660)
        assert ask().returncode != 0
        assert grid.load(proxy) == found
