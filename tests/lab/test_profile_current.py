"""The profile `current` on a facility of its own beside the standing one: the same tests, with today's versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import second_site
from plays import changes, play
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
    test_the_api_knows_its_version,
    test_typing_it_again_changes_nothing,
)

if TYPE_CHECKING:
    from conftest import Site

pytestmark = [pytest.mark.lab, pytest.mark.long]

NAME = "current"
NODES = """\
  cp0 = { groups = ["controlplane", "etcd", "worker"], flavor = "c2.r4" }
  w0  = { groups = ["worker"], flavor = "c2.r4" }"""


@pytest.fixture(scope="module")
def site(site: Site) -> Iterator[Site]:
    """The facility of that profile, from its order to its destroy."""
    made = second_site.of_profile(site, NAME, NAME, "10.82.0", NODES)
    with second_site.ordered(made):
        changes(play(made, "site"))
        yield made
