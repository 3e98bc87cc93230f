"""The user's grid proxy: what is refused, what is said of it, and its way to the Dask workers.

The cluster is a double of the API's Secret and of kubelet's volume; the XRootD server, its client and VOMS are real.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import voms_programs
import xrootd_server
from bench_inputs import ZEE
from distributed import Client, LocalCluster
from secret_double import Api, pod
from test_user_cluster import SETTINGS
from typer.testing import CliRunner
from xrootd_server import Authority, running

from bench import dask, grid, grid_worker
from bench.cli import app
from bench.errors import BenchError

NO_VOMS = voms_programs.why_absent()
WITH_GRID = SETTINGS.model_copy(
    update={"grid_claim": "grid", "grid_folder": "/etc/grid-security", "proxy_secret": "grid-proxy"}
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's proxy is looked for."""
    monkeypatch.setenv("X509_USER_PROXY", str(tmp_path / "x509up"))
    return tmp_path / "x509up"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with pod(tmp_path / "account") as standing:
        yield standing


@pytest.fixture
def keeper() -> grid.Keeper:
    return grid.Keeper("user-alice", "grid-proxy")


def shared(api: Api) -> bytes:
    return base64.b64decode(api.data["x509up"])


# --- what is read -------------------------------------------------------------------------------------------------
def test_a_good_proxy_is_told_by_name_and_never_shown(authority: Authority, here: Path) -> None:
    authority.proxy(here, timedelta(minutes=90))
    proxy = grid.load()
    assert proxy.identity == "/O=bench/CN=A Physicist"
    assert proxy.vo == ""
    assert timedelta(minutes=89) < proxy.left() <= timedelta(minutes=90)
    assert "BEGIN" not in repr(proxy)


def test_the_first_certificate_that_ends_counts(authority: Authority, here: Path) -> None:
    authority.proxy(here, timedelta(days=10))
    assert grid.load().left() < xrootd_server.LIFE, "the user's own certificate ends before the proxy"


def test_the_place_is_that_of_the_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("X509_USER_PROXY", raising=False)
    assert grid.proxy_path() == Path(f"/tmp/x509up_u{os.getuid()}")


def spoil(path: Path, how: str, authority: Authority) -> None:
    parts = path.read_text().split("-----END")
    match how:
        case "absent":
            path.unlink()
        case "open":
            path.chmod(0o640)
        case "no PEM":
            path.write_bytes(b"\x30\x82")
        case "no key":
            path.write_text("-----END".join(parts[:1]) + "-----END CERTIFICATE-----\n")
        case "another key":
            path.write_bytes(path.read_bytes().split(b"-----BEGIN RSA")[0] + authority.user_key.read_bytes())
        case "passphrase":
            command = ["openssl", "rsa", "-aes256", "-passout", "pass:x", "-in", authority.user_key]
            key = subprocess.run(command, capture_output=True, check=True).stdout
            path.write_bytes(path.read_bytes().split(b"-----BEGIN RSA")[0] + key)
        case _:
            authority.proxy(path, timedelta(minutes=-1))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("absent", "No such file or directory. Type: voms-proxy-init --voms VO"),
        ("open", r"others may read its key \(mode 0640\). Delete it"),
        ("no PEM", "it holds no certificate in PEM"),
        ("no key", "it holds no private key that can be used"),
        ("passphrase", "it holds no private key that can be used"),
        ("another key", "its key is not that of its certificate"),
        ("expired", "it expired at 20.* UTC. Type: voms-proxy-init"),
    ],
)
def test_what_is_no_good_is_refused_by_name(authority: Authority, here: Path, how: str, words: str) -> None:
    authority.proxy(here)
    spoil(here, how, authority)
    with pytest.raises(BenchError, match=words) as caught:
        grid.load()
    assert str(here) in caught.value.what
    assert caught.value.status == 1
    told = CliRunner().invoke(app, ["proxy"])
    assert isinstance(told.exception, BenchError)
    assert told.exception.what == caught.value.what


@pytest.mark.skipif(bool(NO_VOMS), reason=NO_VOMS)
def test_the_organisation_is_read_and_its_end_counts(authority: Authority, here: Path) -> None:
    authority.voms_proxy(here, "test")
    proxy = grid.load()
    assert (proxy.vo, proxy.identity) == ("test", "/O=bench/CN=A Physicist")
    assert proxy.left() < timedelta(hours=1)
    said = CliRunner().invoke(app, ["proxy"]).output
    assert "VO        test\n" in said
    assert "left      0 h 59 min" in said or "left      0 h 58 min" in said


def test_attributes_that_cannot_be_read_are_no_attributes() -> None:
    for broken in (b"", b"\x30", b"\x30\x05\x30\x03\x30\x01\x02", b"\x30\x84\xff"):
        with pytest.raises((ValueError, IndexError, StopIteration)):
            grid.first_attributes(broken)


# --- to the workers -----------------------------------------------------------------------------------------------
def test_a_proxy_is_shared_again_when_it_is_renewed_and_withdrawn_when_it_is_gone(
    authority: Authority, here: Path, api: Api, keeper: grid.Keeper
) -> None:
    keeper.look()
    assert (api.patches, api.data) == (0, {}), "who has no proxy is left alone"
    authority.proxy(here)
    keeper.look()
    assert shared(api) == here.read_bytes()
    keeper.look()
    assert api.patches == 1
    authority.proxy(here)
    keeper.look()
    assert (api.patches, shared(api)) == (2, here.read_bytes())
    here.unlink()
    keeper.look()
    assert api.data == {}


def test_what_cannot_be_shared_is_said_once_and_without_the_key(
    authority: Authority, here: Path, api: Api, keeper: grid.Keeper, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    authority.proxy(here)
    api.refusal = 422
    keeper.look()
    keeper.look()
    (record,) = [each for each in caplog.records if each.name == "bench.grid"]
    assert "the cluster refuses the proxy (HTTP 422)" in record.getMessage()
    api.refusal = 0
    keeper.look()
    assert shared(api) == here.read_bytes(), "it is tried again"
    here.chmod(0o644)
    keeper.look()
    assert "others may read its key" in caplog.text
    for line in here.read_text().splitlines():
        assert line not in caplog.text


def test_no_cluster_is_an_error_in_words(
    authority: Authority, here: Path, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = grid.load(authority.proxy(here))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    with pytest.raises(BenchError, match="the Secret grid-proxy of user-alice: the cluster cannot be asked"):
        grid.share(proxy, "user-alice", "grid-proxy")


def test_a_thread_keeps_it_shared(authority: Authority, here: Path, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "LOOK_EVERY_S", 0.05)
    grid.keeper.cache_clear()
    first, again = (grid.keeper("user-alice", "grid-proxy") for _ in range(2))
    assert first is again
    authority.proxy(here)
    deadline = grid.now() + timedelta(seconds=20)
    while not api.data and grid.now() < deadline:
        os.sched_yield()
    assert shared(api) == here.read_bytes()
    monkeypatch.setattr(grid, "LOOK_EVERY_S", 3600.0)


def test_the_command_shares_where_the_facility_has_a_grid(
    authority: Authority, here: Path, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.proxy(here)
    monkeypatch.setenv(dask.SETTINGS_VARIABLE, SETTINGS.model_dump_json())
    said = CliRunner().invoke(app, ["proxy"])
    assert said.exit_code == 0
    assert "the facility's administrator has not set up the grid" in said.output
    assert not api.data
    monkeypatch.setenv(dask.SETTINGS_VARIABLE, WITH_GRID.model_dump_json())
    assert "shared    with your Dask workers" in CliRunner().invoke(app, ["proxy"]).output
    assert shared(api) == here.read_bytes()


# --- on a worker --------------------------------------------------------------------------------------------------
def test_the_workers_copy_is_its_owners_alone_and_follows(
    authority: Authority, here: Path, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume, target = tmp_path / "volume", tmp_path / "shm" / "x509up"
    source = volume / "x509up"
    old_umask = os.umask(0)
    try:
        grid_worker.copy(source, target)
        assert not target.exists(), "no volume yet"
        api.mount(volume)
        grid_worker.copy(source, target)
        assert not target.exists(), "the Secret is empty"
        for _ in range(2):
            grid.share(grid.load(authority.proxy(here)), "user-alice", "grid-proxy")
            api.mount(volume)
            grid_worker.copy(source, target)
            assert target.read_bytes() == here.read_bytes()
            assert stat.S_IMODE(target.stat().st_mode) == 0o600
            assert list(target.parent.iterdir()) == [target], "nothing is left beside it"
        inode = target.stat().st_ino
        grid_worker.copy(source, target)
        assert target.stat().st_ino == inode, "what is the same is not written again"
        grid.share(None, "user-alice", "grid-proxy")
        api.mount(volume)
        grid_worker.copy(source, target)
        assert not target.exists()
    finally:
        os.umask(old_umask)


def test_a_copy_that_breaks_off_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "source", tmp_path / "copy" / "x509up"
    source.write_bytes(b"old")
    grid_worker.copy(source, target)
    source.write_bytes(b"new")

    def full(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[:1])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, "half a key is nobody else's either"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        grid_worker.copy(source, target)
    assert target.read_bytes() == b"old"
    assert list(target.parent.iterdir()) == [target]


def test_workers_have_proxy_and_authorities_where_the_facility_says_so() -> None:
    def worker(settings: dask.Settings) -> tuple[dict[str, object], list[str], dict[str, str]]:
        made = dask.manifest(1, settings, name="mine", batch=False, owner=None)
        pod = made["spec"]["worker"]["spec"]
        (container,) = pod["containers"]
        assert all(mount["readOnly"] for mount in container["volumeMounts"])
        environment = {each["name"]: each.get("value", "") for each in container["env"]}
        return {each["name"]: each for each in pod["volumes"]}, container["args"], environment

    volumes, arguments, environment = worker(WITH_GRID)
    secret = {"secretName": "grid-proxy", "optional": True, "defaultMode": 0o440}
    assert volumes["grid-proxy"] == {"name": "grid-proxy", "secret": secret}
    assert volumes["grid"] == {"name": "grid", "persistentVolumeClaim": {"claimName": "grid", "readOnly": True}}
    assert arguments[arguments.index("--preload") + 1] == "bench.grid_worker"
    assert environment["X509_CERT_DIR"] == "/etc/grid-security/certificates"
    assert environment["X509_USER_PROXY"].startswith("/dev/shm/"), "a key on a node's disk"
    assert environment["FACILITY_PROXY"] == "/run/grid-proxy/x509up"
    volumes, arguments, environment = worker(SETTINGS)
    assert set(volumes) == {"datasets"}
    assert "--preload" not in arguments
    assert not {"X509_USER_PROXY", "X509_CERT_DIR", "FACILITY_PROXY"} & set(environment)


def test_settings_of_an_older_hub_are_read_still() -> None:
    old = SETTINGS.model_dump(exclude={"grid_claim", "grid_folder", "proxy_secret"})
    assert dask.Settings.model_validate(old) == SETTINGS


def test_dask_brings_the_proxy_before_the_first_task(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real Dask: a worker's process, started with what the manifest says."""
    source, target = authority.proxy(tmp_path / "volume"), tmp_path / "shm" / "x509up"
    arguments = dask.manifest(1, WITH_GRID, name="x", batch=False, owner=None)["spec"]["worker"]["spec"]["containers"][
        0
    ]["args"]
    module = arguments[arguments.index("--preload") + 1]
    monkeypatch.setenv("FACILITY_PROXY", str(source))
    monkeypatch.setenv("X509_USER_PROXY", str(target))

    def look() -> tuple[int, str]:
        copy = Path(os.environ["X509_USER_PROXY"])
        return stat.S_IMODE(copy.stat().st_mode), hashlib.sha256(copy.read_bytes()).hexdigest()

    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", preload=[module]) as cluster,
        Client(cluster) as client,
    ):
        (found,) = client.run(look).values()
    assert found == (0o600, hashlib.sha256(source.read_bytes()).hexdigest())


# --- all the way, with a real server --------------------------------------------------------------------------------
# In a process of its own, as a worker starts, which has the proxy's copy and nothing else of the user's.
READ = """
import os, sys
from bench import grid_worker
grid_worker.dask_setup(None)
from bench.cli import main
sys.argv = ["bench", "data", "describe", sys.argv[1], "--tree", sys.argv[2]]
main()
"""


@pytest.mark.timeout(300)
@pytest.mark.skipif(bool(xrootd_server.why_absent() or NO_VOMS), reason=xrootd_server.why_absent() or NO_VOMS)
def test_a_shared_proxy_opens_a_file_that_only_an_organisation_may_read(
    real_file: Path, here: Path, api: Api, tmp_path: Path, repo: Path
) -> None:
    xrootd_server.install()
    volume, target = tmp_path / "volume", tmp_path / "worker" / "x509up"
    with running(vo="test") as closed:
        assert closed.authority is not None
        url = closed.add(real_file)
        certificates = str(closed.authority.certificates)

        def read() -> subprocess.CompletedProcess[str]:
            api.mount(volume)
            kept = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "XDG_CACHE_HOME", "LANG")
            environment = {name: os.environ[name] for name in kept if name in os.environ}
            environment |= {
                "HOME": str(tmp_path),
                "FACILITY_PROXY": str(volume / "x509up"),
                "X509_USER_PROXY": str(target),
                "X509_CERT_DIR": certificates,
            }
            command = [sys.executable, "-c", READ, url, ZEE.tree]
            return subprocess.run(command, cwd=repo, env=environment, capture_output=True, text=True, timeout=120)

        def share() -> None:
            here_now = grid.load()
            here_now.path.rename(tmp_path / "moved")  # the worker must not find it in the user's place
            grid.share(here_now, "user-alice", "grid-proxy")

        nothing = read()
        assert nothing.returncode == 2
        assert f"grid proxy {target}: No such file or directory" in nothing.stderr

        closed.authority.proxy(here)
        share()
        outsider = read()
        assert outsider.returncode == 2, outsider.stdout
        assert f"shown was {target}: /O=bench/CN=A Physicist, without a VO" in outsider.stderr

        closed.authority.voms_proxy(here, "test")
        share()
        member = read()
        assert member.returncode == 0, member.stderr
        assert "5,000" in member.stdout
        assert stat.S_IMODE(target.stat().st_mode) == 0o600

        closed.authority.proxy(here, timedelta(minutes=-1))
        with pytest.raises(BenchError, match="it expired at"):
            share()
        # one that has expired since it was shared
        api.data["x509up"] = base64.b64encode(here.read_bytes()).decode()
        api.patches += 1
        late = read()
        assert late.returncode == 2
        assert f"grid proxy {target}: it expired at" in late.stderr
        assert "Traceback" not in late.stderr


OPEN = """
import sys
import ROOT
for _ in sys.stdin:
    try:
        file = ROOT.TFile.Open(sys.argv[1])
        print("opened", file.Get(sys.argv[2]).GetEntries(), flush=True)
    except OSError:
        print("refused", flush=True)
"""


@pytest.mark.timeout(300)
@pytest.mark.skipif(bool(xrootd_server.why_absent()), reason=xrootd_server.why_absent())
def test_a_process_that_goes_on_reads_again_with_a_renewed_proxy(real_file: Path, here: Path) -> None:
    """As a worker's does: XRootD's client looks at the file again when what it has is no longer good."""
    xrootd_server.install()
    with running(gsi=True) as closed:
        assert closed.authority is not None
        url = closed.add(real_file)
        environment = {**os.environ, "X509_CERT_DIR": str(closed.authority.certificates)}
        command = [sys.executable, "-W", "ignore", "-c", OPEN, url, ZEE.tree]
        with subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as worker:

            def read() -> str:
                # Who is logged in stays so: a new server asks again.
                closed.stop()
                closed.start()
                worker.stdin.write("again\n")
                worker.stdin.flush()
                return worker.stdout.readline().strip()

            assert read() == "refused"
            closed.authority.proxy(here, timedelta(seconds=15))
            ends = grid.load().ends
            assert read() == "opened 5000"
            time.sleep(max(0.0, (ends - grid.now()).total_seconds()) + 1)
            assert read() == "refused"
            closed.authority.proxy(here)
            assert read() == "opened 5000"
            worker.stdin.close()
