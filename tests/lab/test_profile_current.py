"""The profile `current` on a facility of its own beside the standing one: the same tests, with today's versions."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from test_acceptance import test_a_sound_facility_is_as_ordered

# Tests and their fixtures that ask for a `site`: here they get the one below.
from test_bench import test_the_distributed_result_is_equal_to_the_serial_one
from test_nodes import (
    facility,
    host,
    key,
    test_containerd_runs_with_the_settings_of_the_role,
    test_data_lives_on_the_volume,
    test_docker_and_kubernetes_share_one_containerd,
    test_kubelet_has_name_servers_without_a_loop,
    test_packages_came_through_dnf,
    test_secrets_are_for_root_alone,
    test_services_run_and_start_with_the_node,
    test_the_analysis_image_and_the_folder_for_data_sets_are_there,
    test_the_kernel_forwards_between_pods,
    test_the_node_is_taken_for_rocky,
    test_versions_are_those_of_the_profile,
)
from test_services import (
    claim,
    namespace,
    nodes,
    pods,
    policies,
    shell,
    test_nodes_refuse_what_no_rule_allows,
    test_policies_hold_on_a_node_and_between_nodes,
    test_prometheus_asks_nodes_kubelets_and_the_api,
    test_the_node_exporter_sees_the_node_not_its_pod,
    test_top_shows_every_node,
    test_what_a_pod_wrote_the_next_one_reads,
)
from test_site import (
    api,
    image,
    servers,
    test_a_control_plane_that_is_a_worker_takes_pods,
    test_core_dns_is_healthy_and_no_pod_restarts,
    test_facility_json_says_what_was_ordered,
    test_files_of_the_site_are_for_the_owner_alone,
    test_pods_find_a_service_by_its_name_from_every_node,
    test_pods_reach_each_other_across_nodes,
    test_the_api_is_verified_by_its_floating_address,
    test_typing_it_again_changes_nothing,
)

if TYPE_CHECKING:
    from conftest import Site

pytestmark = [pytest.mark.lab, pytest.mark.long]

NAME = "current"
# The site `lab` with another name and network, and guests in the shape of Rocky 9.
CHANGES = {
    "terraform.tfvars": [
        (r'(?m)^facility = "lab"$', f'facility = "{NAME}"'),
        (r"10\.77\.0\.", "10.82.0."),
        (r'"rocky-8"', '"rocky-9"'),
        (r'"c2\.r6"', '"c2.r4"'),
    ],
    "openstack.yml": [(r"\.facility/lab/", f".facility/{NAME}/"), (r"facility: lab\b", f"facility: {NAME}")],
}


def order(lab: Site, made: Site) -> None:
    """Write the site's folders; a run that was killed may have left its own."""
    for folder in (made.inventory, made.runtime):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(lab.inventory, made.inventory, symlinks=True)
    profile = made.inventory / "group_vars" / "all" / "profile.yml"
    there = profile.readlink()
    profile.unlink()
    profile.symlink_to(there.with_name(f"{NAME}.yml"))
    for name, changes in CHANGES.items():
        text = (made.inventory / name).read_text()
        for old, new in changes:
            text, count = re.subn(old, new, text)
            assert count, f"{name} of the site `lab` has no {old}"
        (made.inventory / name).write_text(text)
    made.runtime.mkdir(mode=0o700)
    for name in ("clouds.yaml", "terraformrc"):
        shutil.copy(lab.runtime / name, made.runtime / name)


@pytest.fixture(scope="module")
def site(site: Site) -> Iterator[Site]:
    """The facility of that profile, from its order to its destroy."""
    made = dataclasses.replace(site, name=NAME)
    order(site, made)
    version = made.profile["kubernetes_version"]
    # The first time they are built: see docs/artifacts.md for the minutes.
    artifacts = made.run("lab", "artifacts", "--kubernetes", version, timeout=3600)
    assert artifacts.returncode == 0, artifacts.stdout[-4000:]
    terraform = "terraform/tf"
    try:
        for words in (("init",), ("apply", "-auto-approve")):
            done = made.run(terraform, NAME, *words)
            assert done.returncode == 0, done.stdout[-4000:] + done.stderr
        done = made.playbook("playbooks/site.yml")
        assert done.returncode == 0, done.stdout[-6000:]
        yield made
    finally:
        done = made.run(terraform, NAME, "destroy", "-auto-approve")
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr
        for folder in (made.inventory, made.runtime):
            shutil.rmtree(folder)
