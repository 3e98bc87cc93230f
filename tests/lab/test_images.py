"""The images as the standing lab has them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("demo")]

GUEST, NEWER = "facility-guest:rocky-8", "facility-guest:rocky-9"
# what roles have to bring; in the image it would hide that a role forgot it
BROUGHT_BY_ROLES = (
    *("chronyd", "conntrack", "ethtool", "ipset", "iptables", "nft", "socat", "xfs_repair"),
    *("containerd", "crictl", "dockerd", "kubeadm", "kubectl", "kubelet", "runc"),
)
SITE = "/opt/env/lib/python3.11/site-packages"
READ_ONLY = ("--read-only", "--tmpfs=/tmp", "--tmpfs=/home/jovyan:uid=1000")
DASK = """
import ROOT
from distributed import Client, LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        frame = ROOT.RDataFrame(1000, executor=client, npartitions=2)
        histogram = frame.Define("x", "rdfentry_ * 1.0").Histo1D(("h", "h", 10, 0.0, 1000.0), "x")
        print("RESULT", histogram.GetEntries(), histogram.GetMean())
"""


def in_image(image: str, *argv: str, options: tuple[str, ...] = (), stdin: str | None = None) -> str:
    command = ["docker", "run", "--rm", "--interactive", "--network=none", *options, image, *argv]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{' '.join(argv)}:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def analysis_image(facility_dir: Path) -> str:
    """The image of the cluster, by the address that this machine pushes to."""
    reference = json.loads((facility_dir / "facility.json").read_text())["analysis_image"]
    return "127.0.0.1:5055/" + reference.partition("/")[2]


# --- the guest ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("image", "version"), [(GUEST, "8.6"), (NEWER, "9.7")])
def test_the_guest_says_what_it_is_shaped_like_and_that_it_is_not_that(image: str, version: str) -> None:
    release = dict(re.findall(r'(?m)^(\w+)="(.*)"$', in_image(image, "cat", "/etc/os-release")))
    assert (release["ID"], release["VERSION_ID"]) == ("rocky", version)
    assert release["PLATFORM_ID"] == f"platform:el{version[0]}"
    assert "not Rocky" in release["PRETTY_NAME"]
    assert version in in_image(image, "cat", "/etc/redhat-release")
    # what dnf puts into a repository's address
    asked = "import dnf; print(dnf.rpm.detect_releasever('/'))"
    assert in_image(image, "python3", "-c", asked).strip() == version[0]


def test_the_newer_guest_shares_all_layers_of_the_other() -> None:
    command = ["docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", GUEST, NEWER]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    layers, more = map(json.loads, shown.splitlines())
    assert more[: len(layers)] == layers


def test_the_guest_brings_nothing_that_roles_install() -> None:
    script = f"for p in {' '.join(BROUGHT_BY_ROLES)}; do command -v $p; done; true"
    assert in_image(GUEST, "sh", "-c", script) == ""


def test_the_guest_image_has_no_identity() -> None:
    assert in_image(GUEST, "sh", "-c", "cat /etc/machine-id; ls /etc/ssh | grep host_key; true") == ""


def test_no_mark_of_debian_that_ansible_finds() -> None:
    assert in_image(GUEST, "sh", "-c", "ls /etc/debian_version /etc/lsb-release 2>/dev/null; true") == ""


def test_a_booted_guest_is_running_and_configured(repo: Path, facility_dir: Path) -> None:
    script = "systemctl is-system-running; cloud-init status; sudo -n id -un; sudo rpm -q --whatprovides system-release"
    done = subprocess.run(
        ["ssh", "-F", str(facility_dir / "ssh_config"), "lab-cp0", script],
        cwd=repo,
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = done.stdout.split("\n")
    assert lines[:3] == ["running", "status: done", "root"], done.stdout + done.stderr
    assert lines[3].startswith("lab-guest-release-8.6")


# --- the analysis image ------------------------------------------------------------------------------------------


def test_root_and_dask_give_a_result_as_a_plain_user(analysis_image: str) -> None:
    # a file, since Dask's workers import the main program
    script = "id -u; cat > /tmp/t.py; python3 -W ignore /tmp/t.py"
    out = in_image(analysis_image, "bash", "-c", script, options=READ_ONLY, stdin=DASK)
    assert out.startswith("1000\n")
    assert out.rpartition("RESULT")[2].split() == ["1000.0", "499.5"], out[-3000:]


def test_site_packages_are_compiled_and_not_writable(analysis_image: str) -> None:
    for folder in ("bench", "distributed", "ROOT"):
        script = f"ls {SITE}/{folder}/__pycache__/__init__.*.pyc && test ! -w {SITE}/{folder}"
        assert in_image(analysis_image, "sh", "-c", script)


@pytest.mark.parametrize(
    "argv",
    [
        ("dask", "scheduler", "--help"),
        ("dask", "worker", "--help"),
        ("kopf", "run", "--help"),
        ("bench", "--help"),
        ("python3", "-c", "import dask_kubernetes.operator.controller, dask_kubernetes.operator"),
    ],
    ids=lambda argv: argv[0],
)
def test_the_programs_of_the_cluster_start(analysis_image: str, argv: tuple[str, ...]) -> None:
    assert in_image(analysis_image, *argv, options=READ_ONLY) is not None


def test_a_picture_can_be_written(analysis_image: str) -> None:
    code = "import ROOT; ROOT.gROOT.SetBatch(True); c = ROOT.TCanvas(); c.SaveAs('/tmp/c.png')"
    script = f'python3 -W ignore -c "{code}" && test -s /tmp/c.png'
    in_image(analysis_image, "bash", "-c", script, options=READ_ONLY)


def test_certificates_of_this_machine_stay_here(analysis_image: str) -> None:
    assert in_image(analysis_image, "sh", "-c", "find / -xdev -name 'ca-bundle*' 2>/dev/null; true") == ""


def test_client_and_cluster_have_the_same_versions(repo: Path, analysis_image: str) -> None:
    names = ["root", "dask", "distributed", "dask-kubernetes", "numpy", "kubernetes"]
    code = f"import importlib.metadata as m; print(*map(m.version, {names}))"
    host = subprocess.run([str(repo / ".venv/bin/python"), "-c", code], capture_output=True, text=True, check=True)
    assert in_image(analysis_image, "python3", "-c", code) == host.stdout
