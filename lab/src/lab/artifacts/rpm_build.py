"""Debian's packages made into RPMs and a dnf repository. Runs inside a container of the guest image.

Of this package nothing is imported, and nothing but Python's own library: the container has only this file.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/lintian", "usr/share/locale", "usr/share/bug")
APT = ("apt-get", "-q", "-y", "--no-install-recommends", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3")


@dataclass
class Package:
    """An RPM to be.

    Attributes
    ----------
    requires : other packages of the repository
    entry : what the table says of it
    """

    name: str
    deb: Path
    fields: dict[str, str]
    requires: list[str] = field(default_factory=list)
    entry: dict[str, Any] = field(default_factory=dict)

    @property
    def architecture(self) -> str:
        return "noarch" if self.fields["Architecture"] == "all" else "x86_64"


def rpm_version(debian: str) -> str:
    """The version of an RPM: upstream's part of Debian's, in characters that RPM allows."""
    upstream = debian.partition(":")[2] if ":" in debian else debian
    if "-" in upstream:
        upstream = upstream.rpartition("-")[0]
    upstream = re.sub(r"\+(dfsg|ds|really).*", "", upstream)
    return re.sub(r"[^A-Za-z0-9._+~^]", ".", upstream)


def spec(package: Package, release: str, root: Path, listed: list[str]) -> str:
    """The spec file: files as they are below `root`, nothing looked up, stripped or compressed again."""
    summary = package.fields["Description"].splitlines()[0].rstrip(".")
    head = [
        f"Name: {package.name}",
        f"Version: {rpm_version(package.fields['Version'])}",
        f"Release: {release}",
        f"Summary: {summary}",
        f"License: see /usr/share/licenses/{package.name}",
        "AutoReqProv: no",
        *(f"Requires: {name}" for name in package.requires),
        *([f"Provides: {package.fields['Package']}"] if package.fields["Package"] != package.name else []),
        f"%description\n{summary}. Made from Debian's {package.fields['Package']} {package.fields['Version']}.",
        f"%install\nmkdir -p %{{buildroot}}\ncp -a {shlex.quote(str(root))}/. %{{buildroot}}/",
    ]
    return "\n".join(head) + "\n%files\n" + "\n".join(listed) + "\n"


def listing(root: Path, shared: Path = Path("/")) -> list[str]:
    """The lines of %files: folders only where the guest has none, so that no package owns /usr/bin."""
    lines = []
    for path in sorted(root.rglob("*")):
        name = f"/{path.relative_to(root)}"
        if path.is_dir() and not path.is_symlink():
            if not (shared / name[1:]).is_dir():
                lines.append(f'%dir "{name}"')
        elif name.startswith("/etc/"):
            lines.append(f'%config(noreplace) "{name}"')
        else:
            lines.append(f'"{name}"')
    return lines


def lay_out(package: Package, root: Path) -> None:
    """Unpack a package below `root` as an EL package would have it."""
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    unpacked = f"dpkg-deb --fsys-tarfile {shlex.quote(str(package.deb))}"
    run("sh", "-ec", f"{unpacked} | tar --keep-directory-symlink -xf - -C {root}")
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).unlink()
    for licence in root.glob("usr/share/doc/*/copyright"):
        kept = root / "usr/share/licenses" / package.name
        kept.mkdir(parents=True, exist_ok=True)
        shutil.copy(licence, kept / "copyright")
    for name in (*UNUSED, *(path.lstrip("/") for path in package.entry.get("drop", []))):
        path = root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for name, text in package.entry.get("files", {}).items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.strip() + "\n")
    for name, target in package.entry.get("links", {}).items():
        path = root / name.lstrip("/")
        path.unlink(missing_ok=True)
        path.symlink_to(target)
    for path in sorted(root.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
            path.rmdir()


def run(*argv: str, **options: Any) -> str:
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        sys.exit(f"{shlex.join(argv)} ended with status {done.returncode}:\n{done.stdout}")
    return done.stdout


def collect(table: dict[str, Any], work: Path) -> list[Package]:
    """The packages of the table and the libraries that this image lacks for each of them, as apt works that out."""
    run(*APT, "update")
    found: dict[str, Package] = {}
    for name, entry in table["package"].items():
        print(f"{name}: Debian's {entry['debian']}", flush=True)
        folder = work / "debs" / name
        (folder / "partial").mkdir(parents=True)
        run(*APT, "-o", f"Dir::Cache::Archives={folder}", "--reinstall", "install", "--download-only", entry["debian"])
        own, others = None, []
        for deb in sorted(folder.glob("*.deb")):
            fields = {
                key: value
                for key in ("Package", "Version", "Architecture", "Description")
                if (value := run("dpkg-deb", "--field", str(deb), key).strip())
            }
            if fields["Package"] == entry["debian"]:
                own = Package(name, deb, fields, entry=entry)
            elif fields["Package"] not in entry.get("without", []):
                others.append(Package(fields["Package"], deb, fields))
        if own is None:
            sys.exit(f"{name}: apt fetched no package {entry['debian']}")
        own.requires = [other.name for other in others]
        for package in (own, *others):
            found.setdefault(package.name, package)
    return list(found.values())


def build(package: Package, release: str, work: Path, out: Path) -> None:
    print(f"{package.name} {rpm_version(package.fields['Version'])}-{release}", flush=True)
    root = work / "roots" / package.name
    root.mkdir(parents=True)
    lay_out(package, root)
    path = work / f"{package.name}.spec"
    path.write_text(spec(package, release, root, listing(root)))
    defines = {
        "_topdir": str(work / "rpmbuild"),
        "_rpmdir": str(out / "Packages"),
        "_build_name_fmt": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
        "_build_id_links": "none",
        "_buildhost": "lab",
        "debug_package": "%{nil}",
        "__os_install_post": "%{nil}",
        "use_source_date_epoch_as_buildtime": "1",
        "clamp_mtime_to_source_date_epoch": "1",
    }
    options = [part for key, value in defines.items() for part in ("--define", f"{key} {value}")]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1600000000"}
    run("rpmbuild", "-bb", "--quiet", "--target", package.architecture, *options, str(path), env=environment)


def check(table: dict[str, Any], out: Path) -> None:
    """Install all of it by dnf out of the repository and run each program."""
    print("dnf installs all of it", flush=True)
    names = list(table["package"])
    run("dnf", "-y", "-q", f"--repofrompath=made,file://{out}", "--repo=made", "--nogpgcheck", "install", *names)
    for name in names:
        run("rpm", "--query", "--verify", name)
        run("sh", "-ec", table["package"][name]["check"])


def main() -> None:
    table: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    out = Path(sys.argv[2])
    work = Path("/var/tmp/rpm-build")
    for package in collect(table, work):
        build(package, table["release"], work, out)
    run("createrepo_c", "--quiet", str(out))
    check(table, out)


if __name__ == "__main__":
    main()
