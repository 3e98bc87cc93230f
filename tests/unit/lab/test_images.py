"""What images are made from, and when they are made again."""

from __future__ import annotations

import io
import json
import re
import shutil
import threading
import time
import urllib.error
from email.message import Message
from pathlib import Path

import pytest
from lab.cloud import seed
from lab.errors import LabError
from lab.images import analysis, apt, base, docker, guest, hub
from lab.images import registry as images_registry

from lab import command

ONE_LINE = """\
# deb http://old.example/debian bookworm main
deb [arch=amd64 signed-by=/x.gpg] http://mirror.example/debian/ bookworm main contrib  # ours
deb-src http://mirror.example/debian bookworm main
deb http://mirror.example/security bookworm-security main
"""
DEB822 = """\
# a comment before the stanza
Types: deb deb-src
# a comment inside
URIs: http://a.example/debian http://b.example/debian/
Suites: bookworm
  bookworm-updates
Components: main
Signed-By: /x.gpg

Types: deb
URIs: http://c.example/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb-src
URIs: http://d.example/debian
Suites: bookworm
Components: main
"""


def test_one_line_format() -> None:
    assert apt.parse_list(ONE_LINE) == [
        apt.Source("http://mirror.example/debian", "bookworm", ("main", "contrib")),
        apt.Source("http://mirror.example/security", "bookworm-security", ("main",)),
    ]


def test_deb822_format() -> None:
    assert [(source.uri, source.suite) for source in apt.parse_deb822(DEB822)] == [
        ("http://a.example/debian", "bookworm"),
        ("http://a.example/debian", "bookworm-updates"),
        ("http://b.example/debian", "bookworm"),
        ("http://b.example/debian", "bookworm-updates"),
    ]


def test_sources_of_a_machine(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb http://one.example/debian bookworm main\n")
    (tmp_path / "sources.list.d/debian.sources").write_text(DEB822)
    (tmp_path / "sources.list.d/old.list.save").write_text("deb http://saved.example/debian bookworm main\n")
    found = apt.sources(tmp_path)
    assert found[0].uri == "http://one.example/debian"
    assert not [source for source in found if "saved" in source.uri]


def test_debian_proper_is_picked_and_the_first_named_wins() -> None:
    found = [
        apt.Source("cdrom:[Debian]", "bookworm", ("main",)),
        apt.Source("http://docker.example/linux", "bookworm", ("stable",)),
        apt.Source("http://first.example/debian", "bookworm", ("main",)),
        apt.Source("http://second.example/debian", "bookworm", ("main",)),
        apt.Source("http://first.example/security", "bookworm-security", ("main",)),
        apt.Source("http://first.example/debian", "bookworm-backports", ("main",)),
    ]
    assert [source.line for source in apt.debian(found)] == [
        "deb http://first.example/debian bookworm main",
        "deb http://first.example/security bookworm-security main",
    ]


def test_a_machine_without_a_mirror_of_debian_12_is_told_what_to_add() -> None:
    with pytest.raises(LabError, match="no http mirror of Debian 12") as error:
        apt.debian([apt.Source("http://a.example/debian", "trixie", ("main",))])
    assert "deb <mirror> bookworm main" in error.value.fix


# --- hashes ------------------------------------------------------------------------------------------------------
def test_a_digest_tells_contents_names_and_boundaries_apart() -> None:
    digests = {
        docker.digest(parts)
        for parts in (
            [("a", b"xy"), ("b", b"z")],
            [("a", b"x"), ("b", b"yz")],
            [("a", b"xy"), ("c", b"z")],
            [("a", b"xyz")],
        )
    }
    assert len(digests) == 4
    assert docker.digest([("a", b"1"), ("b", b"2")]) == docker.digest([("b", b"2"), ("a", b"1")])


def test_bytecode_does_not_count_and_the_executable_bit_does(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("x")
    plain = docker.digest(docker.files(tmp_path))
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/a.pyc").write_text("x")
    assert docker.digest(docker.files(tmp_path)) == plain
    (tmp_path / "script").chmod(0o755)
    assert docker.digest(docker.files(tmp_path)) != plain


def test_the_mirror_is_part_of_the_base_images_name() -> None:
    one = [apt.Source("http://one.example/debian", "bookworm", ("main",))]
    other = [apt.Source("http://other.example/debian", "bookworm", ("main",))]
    assert base.recipe(one) != base.recipe(other)
    assert base.recipe(one) == base.recipe(list(one))


@pytest.fixture
def checkout(tmp_path: Path, repo: Path) -> Path:
    """A copy of what the analysis image is made from."""
    shutil.copytree(repo / "images/analysis", tmp_path / "images/analysis")
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench/cli.py").write_text("one\n")
    shutil.copy(repo / "pyproject.toml", tmp_path)
    return tmp_path


def test_a_change_of_bench_leaves_the_environment_alone(checkout: Path) -> None:
    folder = checkout / "images/analysis"
    environment = analysis.environment_recipe(folder, "base:1")
    whole = analysis.recipe(checkout, environment)
    (checkout / "bench/cli.py").write_text("two\n")
    assert analysis.environment_recipe(folder, "base:1") == environment
    assert analysis.recipe(checkout, environment) != whole


@pytest.mark.parametrize("name", analysis.ENVIRONMENT_INPUTS)
def test_each_input_of_the_environment_counts(checkout: Path, name: str) -> None:
    folder = checkout / "images/analysis"
    before = analysis.environment_recipe(folder, "base:1")
    with (folder / name).open("a") as file:
        file.write("\n")
    assert analysis.environment_recipe(folder, "base:1") != before
    assert analysis.environment_recipe(folder, "base:2") != analysis.environment_recipe(folder, "base:1")


@pytest.mark.parametrize("name", hub.INPUTS)
def test_each_input_of_the_hub_counts(repo: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "hub"
    shutil.copytree(repo / "images/hub", folder)
    before = hub.recipe(folder, "base:1")
    with (folder / name).open("a") as file:
        file.write("\n")
    assert hub.recipe(folder, "base:1") != before
    assert hub.recipe(folder, "base:2") != hub.recipe(folder, "base:1")


def test_a_change_of_bench_while_it_is_packed_is_seen(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = []

    def install(root: Path, site: Path, _: object) -> None:
        shutil.copytree(root / "bench", site / "bench")
        rounds.append(site)
        if len(rounds) == 1 or always:
            (root / "bench/cli.py").write_text(f"edited {len(rounds)}\n")

    monkeypatch.setattr(analysis, "_install_bench", install)
    always = False
    assert analysis._snapshot(checkout, "e", checkout / "site", command.run) == analysis.recipe(checkout, "e")
    assert len(rounds) == 2
    assert (checkout / "site/bench/cli.py").read_text() == "edited 1\n"
    always = True
    with pytest.raises(LabError, match="changed while"):
        analysis._snapshot(checkout, "e", checkout / "site", command.run)


# --- locks -------------------------------------------------------------------------------------------------------
def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"(?m)^([a-z0-9.-]+)==([^\s;]+)", lock.read_text()))


def test_cluster_and_client_have_the_same_versions(repo: Path) -> None:
    ours, hosts = pins(repo / "images/analysis/requirements.lock"), pins(repo / "requirements.lock")
    assert {"root", "dask", "distributed", "dask-kubernetes", "numpy", "kubernetes"} <= ours.keys()
    assert {name: (version, hosts[name]) for name, version in ours.items() if hosts.get(name, version) != version} == {}


def test_hub_and_servers_have_the_same_versions(repo: Path) -> None:
    ours, servers = pins(repo / "images/hub/requirements.lock"), pins(repo / "images/analysis/requirements.lock")
    assert {"jupyterhub", "jupyterhub-kubespawner", "oauthenticator"} <= ours.keys()
    assert {name: (value, servers[name]) for name, value in ours.items() if servers.get(name, value) != value} == {}


@pytest.mark.parametrize("image", ["analysis", "hub"])
def test_each_requirement_is_locked_with_hashes(repo: Path, image: str) -> None:
    lock = (repo / f"images/{image}/requirements.lock").read_text()
    wanted = re.findall(r"(?m)^([a-z0-9-]+)", (repo / f"images/{image}/requirements.in").read_text())
    assert set(wanted) <= pins(repo / f"images/{image}/requirements.lock").keys()
    assert re.search(r"(?m)^\S+==\S+$", lock) is None, "a line without a hash"


def test_the_proxy_is_locked_with_hashes_and_without_addresses(repo: Path) -> None:
    packages = json.loads((repo / "images/hub/package-lock.json").read_text())["packages"]
    assert "node_modules/configurable-http-proxy" in packages
    assert all("integrity" in each and "resolved" not in each for name, each in packages.items() if name)


def test_the_version_of_uv_comes_from_the_lock(repo: Path, tmp_path: Path) -> None:
    assert analysis.uv_version(repo) == pins(repo / "requirements.lock")["uv"]
    (tmp_path / "requirements.lock").write_text("dask==1\n")
    with pytest.raises(LabError, match="no version of uv"):
        analysis.uv_version(tmp_path)


# --- building only what is needed --------------------------------------------------------------------------------
class Docker:
    """Stands for Docker's command line: a set of images with their recipes."""

    def __init__(self, images: dict[str, str]) -> None:
        self.images, self.calls = images, []

    def __call__(self, argv: list[str], **_: object) -> str:
        self.calls.append(argv)
        if argv[:3] == ["docker", "image", "inspect"]:
            if argv[-1] not in self.images:
                raise command.CommandFailed(argv, 1, [f"Error: No such image: {argv[-1]}"], "")
            return "1048576\n" if "{{.Size}}" in argv else f"{self.images[argv[-1]]}\n"
        if argv[:2] == ["docker", "build"]:
            tag = next(word for word in argv if word.startswith("--tag=")).removeprefix("--tag=")
            recipe = next(word for word in argv if "facility.recipe=" in word).rpartition("=")[2]
            self.images[tag] = recipe
        if argv[:3] == ["docker", "image", "save"]:
            Path(argv[argv.index("--output") + 1]).write_text("tar")
        if argv[:3] == ["docker", "image", "load"]:
            self.images[guest.TAG] = guest.recipe("base:1")
        return ""

    def did(self, *words: str) -> bool:
        return any(all(word in call for word in words) for call in self.calls)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(base, "tag", lambda: "base:1")
    monkeypatch.setattr(base, "ensure", lambda run=None: "base:1")
    return tmp_path / "facility-testbed/images"


def test_an_up_to_date_guest_image_is_left_alone(cache: Path) -> None:
    run = Docker({guest.TAG: guest.recipe("base:1")})
    assert guest.ensure(run) == guest.TAG
    assert len(run.calls) == 1


def test_a_guest_image_of_another_recipe_is_built_and_kept(cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "guest-000000000000.tar").write_text("old")
    run = Docker({guest.TAG: "0" * 64})
    guest.ensure(run)
    assert run.did("docker", "build")
    assert [path.name for path in cache.glob("guest-*")] == [f"guest-{guest.recipe('base:1')[:12]}.tar"]


def test_an_emptied_engine_gets_the_guest_image_from_the_cache(cache: Path) -> None:
    guest.ensure(Docker({}))
    run = Docker({})
    guest.ensure(run)
    assert run.did("docker", "load")
    assert not run.did("docker", "build")


def test_a_broken_copy_in_the_cache_is_thrown_away(cache: Path) -> None:
    class Broken(Docker):
        def __call__(self, argv: list[str], **options: object) -> str:
            if "load" in argv:
                raise command.CommandFailed(argv, 1, ["unexpected EOF"], "")
            return super().__call__(argv, **options)

    guest.ensure(Docker({}))
    run = Broken({})
    guest.ensure(run)
    assert run.did("docker", "build")


def test_two_at_once_build_an_image_once(cache: Path) -> None:
    images: dict[str, str] = {}

    class Slow(Docker):
        def __call__(self, argv: list[str], **options: object) -> str:
            if argv[:2] == ["docker", "build"]:
                time.sleep(0.2)
            return super().__call__(argv, **options)

    runs = [Slow(images), Slow(images)]
    threads = [threading.Thread(target=guest.ensure, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [run.did("docker", "build") for run in runs].count(True) == 1


def test_the_newer_guest_is_a_layer_on_the_other_and_follows_it(cache: Path) -> None:
    run = Docker({guest.TAG: guest.recipe("base:1")})
    assert guest.ensure_all(run) == [guest.TAG, guest.NEWER_TAG]
    assert run.did("docker", "build", f"--build-arg=GUEST={guest.TAG}", f"--tag={guest.NEWER_TAG}")
    again = Docker(run.images)
    guest.ensure_all(again)
    assert not again.did("docker", "build")
    assert guest.newer_recipe("base:1") != guest.newer_recipe("base:2")
    # what is kept of the older one is not this one's
    guest.ensure(Docker({}))
    assert [path.name for path in cache.glob("*.tar")] == [f"guest-{guest.recipe('base:1')[:12]}.tar"]


def test_the_cloud_has_an_image_for_every_guest() -> None:
    assert [tag for tag, _ in seed.IMAGES.values()] == [guest.TAG, guest.NEWER_TAG]
    releases = [release for _, release in seed.IMAGES.values()]
    assert releases[0] in (guest.CONTEXT / "files/etc/os-release.guest").read_text()
    assert releases[1] in guest.NEWER_DOCKERFILE.read_text()


def test_an_engine_that_fails_is_not_taken_for_a_missing_image() -> None:
    def broken(argv: list[str], **_: object) -> str:
        raise command.CommandFailed(argv, 1, ["Cannot connect to the Docker daemon"], "")

    with pytest.raises(command.CommandFailed):
        docker.recipe_of("any:1", broken)


# --- the registry ------------------------------------------------------------------------------------------------
class Reply(io.BytesIO):
    def __init__(self, manifest: object, digest: str) -> None:
        super().__init__(json.dumps(manifest).encode())
        self.headers = {"Docker-Content-Digest": digest}


def registry(monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    def urlopen(*_: object, **__: object) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(images_registry.urllib.request, "urlopen", urlopen)


def test_an_image_of_the_registry_is_named_by_its_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    registry(monkeypatch, Reply({"layers": [{"size": 3}, {"size": 4}]}, "sha256:abc"))
    assert images_registry.find("facility/analysis", "1") == images_registry.Pushed("facility/analysis", "1", "abc", 7)


def test_what_the_registry_lacks_is_none_and_its_errors_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    registry(monkeypatch, urllib.error.HTTPError("u", 404, "", Message(), None))
    assert images_registry.find("facility/analysis", "1") is None
    registry(monkeypatch, urllib.error.HTTPError("u", 500, "", Message(), None))
    with pytest.raises(LabError, match="500"):
        images_registry.find("facility/analysis", "1")
    registry(monkeypatch, ConnectionRefusedError("refused"))
    with pytest.raises(LabError, match="does not answer") as error:
        images_registry.find("facility/analysis", "1")
    assert "lab artifacts" in error.value.fix
