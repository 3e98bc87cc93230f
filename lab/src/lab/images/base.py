"""`facility-base:12-<hash>`: a small Debian 12 that the other images start from."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lab import command, engine, paths
from lab.console import step
from lab.images import apt, docker
from lab.images.docker import Runner

REPOSITORY = "facility-base"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# What no container looks at. Copyright files stay: they are the packages' licences.
DPKG_EXCLUDES = """\
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-include=/usr/share/locale/locale.alias
path-exclude=/usr/share/lintian/*
"""
APT_CONF = """\
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "3";
DPkg::Options:: "--force-unsafe-io";
"""
APT_CA = "etc/apt/ca-bundle.crt"

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

FINISH = r"""
set -e
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
apt-get update -q
apt-get dist-upgrade -y -q
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/lib/dpkg/*-old
find /usr/share/doc -depth -type f ! -name copyright -delete
find /usr/share/doc -depth \( -type l -o -type d -empty \) -delete
rm -rf /usr/share/man /usr/share/info /usr/share/lintian
find /usr/share/locale -mindepth 1 -maxdepth 1 ! -name locale.alias -exec rm -rf {} +
find /var/log -type f -delete
rm -f /etc/resolv.conf /etc/hostname
: > /etc/machine-id
"""


def recipe(sources: Sequence[apt.Source]) -> str:
    """The hash that names the image: of the mirrors and of all that this module puts into it."""
    parts = {"sources": "\n".join(source.line for source in sources), "dpkg": DPKG_EXCLUDES, "apt": APT_CONF}
    return docker.digest((name, text.encode()) for name, text in {**parts, "finish": FINISH}.items())


def tag() -> str:
    """The tag that the base image of this machine has, built or not."""
    return f"{REPOSITORY}:12-{recipe(apt.debian(apt.sources()))[:12]}"


def ensure(run: Runner = command.run) -> str:
    """The base image in the engine; returns its tag."""
    sources = apt.debian(apt.sources())
    wanted = recipe(sources)
    name = tag()
    if docker.recipe_of(name, run) is not None:
        return name
    with docker.alone("base"):
        tarball = paths.cache() / "images" / f"base-12-{wanted[:12]}.tar"
        if not tarball.exists():
            _make(tarball, sources, run)
        if docker.recipe_of(name, run) is None:
            changes = [f"--change=LABEL {docker.RECIPE_LABEL}={wanted}", f"--change=ENV PATH={SEARCH_PATH}"]
            run(["docker", "import", *changes, str(tarball), name], title=f"import of {name}")
    return name


def _make(tarball: Path, sources: Sequence[apt.Source], run: Runner) -> None:
    """Build the root file system and leave it as a tarball, under its name only when complete."""
    engine.packages(["debootstrap", "debian-archive-keyring"], why="builds the images' base system", run=run)
    tarball.parent.mkdir(parents=True, exist_ok=True)
    for stale in tarball.parent.glob(".base-*"):
        shutil.rmtree(stale)
    work = Path(tempfile.mkdtemp(prefix=".base-", dir=tarball.parent))
    root = work / "root"
    # Namespaces of its own, ended with this process: however this ends, no mount and no process of it stays.
    private = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation=private"]
    private += ["--pid", "--fork", "--kill-child"]
    try:
        run(
            [
                *private,
                "debootstrap",
                "--variant=minbase",
                f"--keyring={KEYRING}",
                apt.CODENAME,
                str(root),
                sources[0].uri,
            ],
            title="Debian 12 by debootstrap",
            fix=f"See whether {sources[0].uri} answers (it is this machine's apt mirror), then type the same again.",
        )
        configure(root, sources)
        run([*private, "chroot", str(root), "/bin/sh", "-c", FINISH], title="updates of the base image")
        with step("tarball of the base image"):
            part = work / "part.tar"
            run(
                [
                    "tar",
                    "--sort=name",
                    "--numeric-owner",
                    "--one-file-system",
                    "--exclude=./dev/*",
                    "-C",
                    str(root),
                    "-cf",
                    str(part),
                    ".",
                ]
            )
            part.replace(tarball)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def configure(root: Path, sources: Sequence[apt.Source]) -> None:
    """Write apt's and dpkg's settings into the root file system."""
    etc = root / "etc"
    (etc / "apt/sources.list").write_text("".join(f"{source.line}\n" for source in sources))
    (etc / "apt/apt.conf.d/90facility").write_text(APT_CONF)
    (etc / "dpkg/dpkg.cfg.d/90facility").write_text(DPKG_EXCLUDES)
    if any(source.uri.startswith("https:") for source in sources):
        shutil.copy(docker.ca_bundle(), root / APT_CA)
        (root / APT_CA).chmod(0o644)
        with (etc / "apt/apt.conf.d/90facility").open("a") as conf:
            conf.write(f'Acquire::https::CaInfo "/{APT_CA}";\n')
    # apt asks for proxies by environment variables of the build; the mirror's own setting comes from the host
    for conf in Path("/etc/apt/apt.conf.d").glob("*proxy*"):
        shutil.copy(conf, etc / "apt/apt.conf.d" / conf.name)
