"""What `terraform/tf` does before and around Terraform."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
from tfsite import environment, order, program, quota, root, site
from tfsite.errors import Problem

REPO = Path(__file__).resolve().parents[2]
VARIABLES = order.declared(REPO / "terraform")
SOUND = """\
facility = "test"
cloud    = "none"
nodes = {
  cp0 = { groups = ["controlplane", "etcd"], flavor = "medium" } # a comment
  w0  = { groups = ["worker"], flavor = "large", data_volume_gib = 100 }
}
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with one site."""
    (tmp_path / "terraform").mkdir()
    (tmp_path / "terraform" / "cloud").mkdir()
    for path in (*(REPO / "terraform").glob("*.tf"), REPO / "terraform" / "cloud" / "main.tf"):
        (tmp_path / path.relative_to(REPO)).write_text(path.read_text())
    (tmp_path / "inventory" / "test").mkdir(parents=True)
    (tmp_path / "inventory" / "test" / "terraform.tfvars").write_text(SOUND)
    return tmp_path


@pytest.fixture
def a_site(checkout: Path) -> site.Site:
    return site.find("test", checkout)


def check(tmp_path: Path, text: str) -> None:
    path = tmp_path / "terraform.tfvars"
    path.write_text(text)
    order.check(path, "inventory/test/terraform.tfvars", VARIABLES)


# --- terraform.tfvars ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", sorted(path.parent.name for path in REPO.glob("inventory/*/terraform.tfvars")))
def test_shipped_sites_are_sound(name: str) -> None:
    shipped = site.find(name)
    order.check(shipped.tfvars, shipped.shown(shipped.tfvars), VARIABLES)


def test_a_sound_order_passes(tmp_path: Path) -> None:
    check(tmp_path, SOUND)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SOUND.replace("w0  =", "cp0 ="), ["name in nodes 'cp0'", "lines 4 and 5"]),
        (SOUND.replace("w0  =", '"cp0" ='), ["name in nodes 'cp0'", "lines 4 and 5"]),
        (SOUND.replace("w0  =", "CP0 ="), ["name in nodes 'CP0'", "lines 4 and 5"]),
        (SOUND + 'cloud = "other"\n', ["variable 'cloud'", "lines 2 and 7"]),
        (SOUND.replace('flavor = "large"', 'flavor = "large", flavor = "x"'), ["attribute of nodes.w0 'flavor'"]),
        (SOUND.replace("data_volume_gib", "data_volume_gb"), ["line 5", "data_volume_gb", "'data_volume_gib'"]),
        (SOUND.replace("facility =", "facilty ="), ["line 1", "'facilty'", "Did you mean 'facility'?"]),
        (SOUND + "xyz = 1\n", ["line 7", "'xyz'", "There are admin_cidrs"]),
        (
            SOUND + 'existing = { network = "a", subnett = "b" }\n',
            ["line 7", "attribute of existing 'subnett'", "'subnet'"],
        ),
        (
            SOUND + 'existing = { security_groups = { node = "a", control = "b" } }\n',
            ["attribute of existing.security_groups 'control'", "'controlplane'"],
        ),
        (
            SOUND.replace("data_volume_gib = 100", "volumes = { scratch = 1, scratch = 2 }"),
            ["name in nodes.w0.volumes 'scratch'", "lines 5 and 5"],
        ),
        (SOUND[:-2], ["cannot be read"]),
        ("nodes = { cp0 = }\n", ["cannot be read", "line 1, column 17"]),
    ],
)
def test_an_order_that_means_something_else_is_refused(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(Problem) as error:
        check(tmp_path, text)
    assert "inventory/test/terraform.tfvars" in str(error.value)
    for word in words:
        assert word in str(error.value)


# --- the site's own files -----------------------------------------------------------------------------------------
def test_a_site_that_is_not_there_names_those_that_are(checkout: Path) -> None:
    with pytest.raises(Problem, match="There are test"):
        site.find("tset", checkout)
    with pytest.raises(Problem):
        site.find("../inventory/test", checkout)


def test_root_follows_the_module_and_keeps_its_state_beside_it(a_site: site.Site) -> None:
    root.prepare(a_site)
    assert (a_site.root / "network.tf").read_text() == (a_site.module / "network.tf").read_text()
    assert (a_site.root / "terraform.tfvars").resolve() == a_site.tfvars
    assert '"../terraform.tfstate"' in (a_site.root / "backend.tf").read_text()
    assert (a_site.root / "cloud" / "main.tf").samefile(a_site.module / "cloud" / "main.tf")
    (a_site.module / "quota.tf").unlink()
    (a_site.module / "cloud" / "main.tf").unlink()
    root.prepare(a_site)
    assert not (a_site.root / "quota.tf").is_symlink()
    assert not (a_site.root / "cloud").is_symlink()
    assert stat.S_IMODE(a_site.runtime.stat().st_mode) == 0o700


def test_a_backend_of_the_site_comes_in_place_of_the_local_one_and_goes_again(a_site: site.Site) -> None:
    own = a_site.inventory / "backend.tf"
    own.write_text('terraform {\n  backend "http" {}\n}\n')
    root.prepare(a_site)
    assert (a_site.root / "backend.tf").read_text() == own.read_text()
    own.unlink()
    root.prepare(a_site)
    assert "local" in (a_site.root / "backend.tf").read_text()


def test_a_key_is_made_once_for_its_owner_only(a_site: site.Site) -> None:
    root.prepare(a_site)
    root.make_key(a_site)
    private, public = a_site.key.read_text(), Path(f"{a_site.key}.pub").read_text()
    assert stat.S_IMODE(a_site.key.stat().st_mode) == 0o600
    Path(f"{a_site.key}.pub").unlink()
    root.make_key(a_site)
    assert a_site.key.read_text() == private
    assert Path(f"{a_site.key}.pub").read_text().split()[:2] == public.split()[:2]


def test_init_runs_again_where_a_module_is_new(a_site: site.Site) -> None:
    root.prepare(a_site)
    provider = a_site.root / ".terraform" / "providers" / "x" / "terraform-provider-openstack_v1"
    provider.parent.mkdir(parents=True)
    provider.touch()
    assert not root.initialised(a_site)
    listed = a_site.root / ".terraform" / "modules" / "modules.json"
    listed.parent.mkdir()
    listed.write_text(json.dumps({"Modules": [{"Key": ""}, {"Key": "cloud"}]}))
    assert root.initialised(a_site)
    provider.unlink()
    assert not root.initialised(a_site)


def state(facility: str) -> str:
    network = {
        "mode": "managed",
        "type": "openstack_networking_network_v2",
        "instances": [{"attributes": {"name": facility}}],
    }
    return json.dumps({"resources": [network], "outputs": {}})


def test_the_state_of_another_facility_is_refused(a_site: site.Site) -> None:
    root.prepare(a_site)
    root.own_state(a_site, "test")
    a_site.state.write_text(state("test"))
    root.own_state(a_site, "test")
    a_site.state.write_text(state("other"))
    with pytest.raises(Problem, match="state of facility 'other', but facility is 'test'"):
        root.own_state(a_site, "test")
    a_site.state.write_text("{")
    with pytest.raises(Problem, match="cannot be read"):
        root.own_state(a_site, "test")


def test_an_empty_state_is_anybodys(a_site: site.Site) -> None:
    root.prepare(a_site)
    a_site.state.write_text(json.dumps({"resources": [], "outputs": {"facility": {"value": "other"}}}))
    root.own_state(a_site, "test")


# --- the environment ----------------------------------------------------------------------------------------------
def test_credentials_of_the_site_leave_no_others(a_site: site.Site) -> None:
    root.prepare(a_site)
    given = {"OS_CLOUD": "x", "OS_AUTH_URL": "http://elsewhere", "TF_CLI_CONFIG_FILE": "/nowhere", "TF_DATA_DIR": "/x"}
    env = environment.build(a_site, given)
    assert env["OS_AUTH_URL"] == "http://elsewhere"
    assert "TF_CLI_CONFIG_FILE" not in env
    assert "TF_DATA_DIR" not in env
    a_site.clouds.write_text("clouds: {none: {}}\n")
    a_site.cli_config.write_text("")
    env = environment.build(a_site, given)
    assert {name: value for name, value in env.items() if name.startswith("OS_")} == {
        "OS_CLIENT_CONFIG_FILE": str(a_site.clouds)
    }
    assert env["TF_CLI_CONFIG_FILE"] == str(a_site.cli_config)


def test_missing_and_wrong_credentials_are_named(a_site: site.Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(a_site.checkout))
    with pytest.raises(Problem, match=r"no credentials for cloud 'none'.*clouds.yaml"):
        environment.check_credentials(a_site, "none", {})
    root.prepare(a_site)
    a_site.clouds.write_text("clouds: {other: {}}\n")
    env = environment.build(a_site, {})
    with pytest.raises(Problem, match=r"cloud is 'none'.*has other"):
        environment.check_credentials(a_site, "none", env)
    a_site.clouds.write_text("clouds: [\n")
    with pytest.raises(Problem, match="cannot be read"):
        environment.check_credentials(a_site, "none", env)


def test_programs_in_order_of_preference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(program.VARIABLE, raising=False)
    assert program.find() == program.WHEEL
    for name in ("tofu", "terraform"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
        assert program.find() == [str(tmp_path / name)]
    monkeypatch.setenv(program.VARIABLE, "tofu")
    assert program.find() == [str(tmp_path / "tofu")]
    monkeypatch.setenv(program.VARIABLE, "wheel")
    assert program.find() == program.WHEEL
    monkeypatch.setenv(program.VARIABLE, "pulumi")
    with pytest.raises(Problem, match="'pulumi', and there is no such program"):
        program.find()


# --- quota --------------------------------------------------------------------------------------------------------
FLAVORS = {"small": (2, 4096), "large": (12, 65536)}


def change(kind: str, before: dict[str, object] | None, after: dict[str, object] | None) -> dict[str, object]:
    return {"mode": "managed", "type": kind, "change": {"before": before, "after": after, "actions": ["update"]}}


def test_only_what_is_new_is_asked_for() -> None:
    plan = {
        "resource_changes": [
            change("openstack_compute_instance_v2", None, {"flavor_id": "small"}),
            change("openstack_compute_instance_v2", {"flavor_id": "small"}, {"flavor_id": "small"}),
            change("openstack_compute_instance_v2", {"flavor_id": "small"}, {"flavor_id": "large"}),
            change("openstack_blockstorage_volume_v3", {"size": 20}, {"size": 50}),
            change("openstack_networking_port_v2", {"name": "p"}, None),
            change(
                "openstack_compute_instance_v2",
                None,
                {"flavor_id": "small", "block_device": [{"destination_type": "volume", "volume_size": 40}]},
            ),
        ]
    }
    wanted = {what: number for what, number in quota.added(plan, FLAVORS).items() if number}
    assert wanted == {
        "instances": 2, quota.CORES: 14, quota.MEMORY: 2 * 4096 + 61440, "volumes": 1, quota.VOLUME_SIZE: 70,
        "ports": -1,
    }  # fmt: skip


def test_too_little_is_said_in_three_numbers() -> None:
    quotas = {quota.CORES: quota.Quota(38, 40), "ports": quota.Quota(5, -1), "volumes": quota.Quota(2, 10)}
    assert quota.exceeded({quota.CORES: 4, "ports": 100, "volumes": 8}, quotas) == [
        "cores: 38 used, 4 more asked, 40 allowed"
    ]
    assert quota.exceeded({quota.CORES: 2}, quotas) == []
    # A project over its quota may still be made smaller.
    assert quota.exceeded({quota.CORES: -4}, {quota.CORES: quota.Quota(60, 40)}) == []


# --- the command --------------------------------------------------------------------------------------------------
def test_the_command_ends_with_2_and_says_why() -> None:
    done = subprocess.run([REPO / "terraform" / "tf", "nowhere", "plan"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "no site 'nowhere'" in done.stderr
    assert "Traceback" not in done.stderr
    shown = subprocess.run([REPO / "terraform" / "tf", "--help"], capture_output=True, text=True, env=dict(os.environ))
    assert shown.returncode == 0
    assert "terraform/tf SITE COMMAND" in shown.stdout
