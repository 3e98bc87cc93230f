"""`bench validate` against doubles of all who know something: each wrong is named, with its likely cause."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from site_double import IMAGE, NAMES, ORDER, WORKS, Site, delivered, joined

from bench.errors import BenchError, Exit
from bench.facility.answers import Answers
from bench.facility.clock import Clock
from bench.facility.cloud import Flavor, Server
from bench.facility.declared import OrderedNode, read_order
from bench.facility.disk import Disk
from bench.facility.measured import Plan
from bench.facility.memory import Touched
from bench.facility.network import Link, rounds
from bench.facility.rows import Verdict
from bench.facility.services import Services
from bench.facility.thresholds import Thresholds
from bench.report.validation import RowRecord, ValidateResult, remarks, validation_tables
from bench.report.validation_exports import to_junit
from bench.terminal import Terminal
from bench.validate import exit_status, validate


@pytest.fixture
def look(terminal: Terminal) -> Callable[[Site], ValidateResult]:
    return lambda site: validate("lab", site.observers(), terminal)


Look = Callable[[Site], ValidateResult]


def wrong(result: ValidateResult, verdict: Verdict = Verdict.FAILED) -> list[RowRecord]:
    return [row for row in result.rows if row.verdict is verdict]


def test_all_as_ordered(look: Look, terminal: Terminal, said: io.StringIO) -> None:
    site = Site()
    result = look(site)
    assert result.wrong() == []
    assert result.verdict is Verdict.OK
    assert exit_status(result) == 0
    assert remarks(result) == []
    assert site.plans == [Plan(dict.fromkeys(NAMES, 2), NAMES, IMAGE, quick=False)]
    for table in validation_tables(result):
        terminal.show(table)
    for cell in ("2 (c2.r6)", "1.95", "2000 · 0.30", "1000 · 0.30", "134 MB/s", "+0.002 ± 0.004 s"):
        assert cell in said.getvalue(), cell
    assert "likely cause" not in said.getvalue()
    assert ValidateResult.model_validate_json(result.model_dump_json()) == result


def change_node(site: Site, name: str, **changes: Any) -> None:
    site.nodes = [replace(node, **changes) if node.name == name else node for node in site.nodes]


def find(site: Site, what: str, key: Any, value: Any) -> None:
    """Something else is found on a node, or between two."""
    answers = getattr(site.measured, what)
    assert key in answers.values
    changed = Answers({**answers.values, key: value}, answers.failures)
    site.measured = replace(site.measured, **{what: changed})


def not_built(site: Site) -> None:
    site.servers = site.servers[:-1]
    site.nodes = site.nodes[:-1]


def not_joined(site: Site) -> None:
    site.nodes = site.nodes[:-1]


def not_ready(site: Site) -> None:
    change_node(site, "lab-w1", ready=False, reason="NodeStatusUnknown: Kubelet stopped posting node status.")


def cordoned(site: Site) -> None:
    change_node(site, "lab-w1", schedulable=False, taints=("node.kubernetes.io/unschedulable:NoSchedule",))


def tainted(site: Site) -> None:
    change_node(site, "lab-w1", taints=("node.kubernetes.io/disk-pressure:NoSchedule",))


def fewer_cores_joined(site: Site) -> None:
    change_node(site, "lab-w1", capacity_cores=1, allocatable_cores=1)


def reserved_cores(site: Site) -> None:
    # a flavor of four of which kubelet keeps two
    site.flavors["c2.r6"] = Flavor(4, 6144)
    site.servers = [replace(server, cores=4) if server.flavor == "c2.r6" else server for server in site.servers]
    for name in ("lab-w0", "lab-w1"):
        change_node(site, name, capacity_cores=4, allocatable_cores=4)
        guest = site.measured.guests.values[name]
        find(site, "guests", name, guest.model_copy(update={"cores": 4}))
        for what in ("alone", "together"):
            find(site, what, name, delivered(3.9))
    change_node(site, "lab-w1", allocatable_cores=2)


def another_flavor(site: Site) -> None:
    site.servers[-1] = replace(site.servers[-1], flavor="c1.r2", cores=1, memory_mib=2048)


def another_flavor_of_the_same_size(site: Site) -> None:
    site.servers[-1] = replace(site.servers[-1], flavor="c2.r6.slow")


def shut_off(site: Site) -> None:
    site.servers[-1] = replace(site.servers[-1], status="SHUTOFF")


def extra_server(site: Site) -> None:
    site.servers.append(Server("lab-w1-old", "ACTIVE", 2, "c2.r6", 6144))


def extra_node(site: Site) -> None:
    site.nodes.append(joined("lab-w1-old"))


def extra_both(site: Site) -> None:
    extra_server(site)
    extra_node(site)


def unknown_flavor(site: Site) -> None:
    site.order = site.order.model_copy(
        update={"nodes": {**site.order.nodes, "w1": OrderedNode(flavor="c9.r9", groups=WORKS)}}
    )


def shared_core(site: Site) -> None:
    for what in ("alone", "together"):
        find(site, what, "lab-w1", delivered(1.02))


def cores_stolen(site: Site) -> None:
    find(site, "alone", "lab-w1", replace(delivered(1.6), stolen_cores=0.4))


def limited_cores(site: Site) -> None:
    shared_core(site)
    find(site, "guests", "lab-w1", site.measured.guests.values["lab-w1"].model_copy(update={"node_quota_cores": 1.0}))


def half_the_memory(site: Site) -> None:
    change_node(site, "lab-w1", capacity_memory_bytes=3000 << 20, allocatable_memory_bytes=2900 << 20)
    find(
        site, "guests", "lab-w1", site.measured.guests.values["lab-w1"].model_copy(update={"memory_bytes": 3000 << 20})
    )


def half_the_memory_by_limit(site: Site) -> None:
    guest = site.measured.guests.values["lab-w1"]
    find(site, "guests", "lab-w1", guest.model_copy(update={"pods_limit_bytes": 3072 << 20}))


def no_memory(site: Site) -> None:
    find(site, "touched", "lab-w1", Touched(wanted_mib=512, touched_mib=0, wall_s=1.0))


def slow_disk(site: Site) -> None:
    find(
        site, "disks", "lab-w1",
        Disk(written_bytes=12 << 20, write_s=3.0, read_bytes=128 << 20, read_s=0.5, sync_s=0.002),
    )  # fmt: skip


def link_of(site: Site, one: str, other: str) -> tuple[str, str]:
    return next(pair for pair in site.measured.links.values if set(pair) == {one, other})


def slow_link(site: Site) -> None:
    pair = link_of(site, "lab-w0", "lab-w1")
    link = site.measured.links.values[pair].model_copy(update={"up_bytes": 2_500_000, "down_bytes": 2_500_000})
    find(site, "links", pair, link)


def slow_network_of_a_node(site: Site) -> None:
    for other in ("lab-cp0", "lab-w0"):
        pair = link_of(site, other, "lab-w1")
        link = site.measured.links.values[pair].model_copy(update={"round_trip_s": 0.040})
        find(site, "links", pair, link)


def no_link(site: Site) -> None:
    find(site, "links", link_of(site, "lab-w0", "lab-w1"), Link(error="timed out"))


def version_apart(site: Site) -> None:
    change_node(site, "lab-w1", kubelet="v1.25.9")


def runtime_apart(site: Site) -> None:
    change_node(site, "lab-w1", runtime="containerd://1.7.1")


def role_missing(site: Site) -> None:
    change_node(site, "lab-w1", roles=frozenset())


def role_too_many(site: Site) -> None:
    change_node(site, "lab-w1", roles=frozenset({"worker", "control-plane"}))


def clock_off(site: Site) -> None:
    find(site, "clocks", "lab-w1", Clock(90.0, 0.01))


def no_dns(site: Site) -> None:
    find(site, "services", "lab-w1", Services(dns_error="Temporary failure in name resolution", service_s=0.001))


def slow_service(site: Site) -> None:
    find(site, "services", "lab-w1", Services(dns_s=0.001, service_s=0.9))


def slow_start(site: Site) -> None:
    find(site, "starts", "lab-w1", (1.0, 1.0, 1.0, 1.0, 50.0))


def pod_does_not_start(site: Site) -> None:
    values = {name: 2.0 for name in NAMES[:-1]}
    site.measured = replace(site.measured, started=Answers(values, {"lab-w1": "Pending ImagePullBackOff"}))


@pytest.mark.parametrize(
    ("break_it", "name", "check", "observed", "cause"),
    [
        (not_built, "lab-w1", "built", "none", "ordered, not built"),
        (not_joined, "lab-w1", "joined", "no such node", "built, not joined"),
        (not_ready, "lab-w1", "joined", "NotReady", "NotReady: NodeStatusUnknown: Kubelet stopped posting"),
        (cordoned, "lab-w1", "schedulable", "cordoned", "kubectl uncordon"),
        (tainted, "lab-w1", "schedulable", "disk-pressure", "its disk is nearly full"),
        (fewer_cores_joined, "lab-w1", "cores in Kubernetes", "1", "fewer than the flavor has"),
        (reserved_cores, "lab-w1", "allocatable cores", "2", "kubelet reserves 2 cores"),
        (another_flavor, "lab-w1", "flavor", "c1.r2 (1 cores, 2048 MiB)", "terraform was not applied after a change"),
        (another_flavor_of_the_same_size, "lab-w1", "flavor", "c2.r6.slow", "somebody resized the server"),
        (shut_off, "lab-w1", "built", "SHUTOFF", "it does not run"),
        (extra_server, "lab-w1-old", "built", "ACTIVE", "one node too many: built, but not in terraform.tfvars"),
        (extra_node, "lab-w1-old", "joined", "a node", "one node too many: joined, but neither ordered nor built"),
        (extra_both, "lab-w1-old", "built", "ACTIVE", "one node too many: built and joined"),
        (unknown_flavor, "lab-w1", "flavor", "no such flavor", "the cloud does not have it"),
        (shared_core, "lab-w1", "cores delivered alone", "1.02 of 2", "2 vCPUs share one core: delivered 1.02 of 2"),
        (cores_stolen, "lab-w1", "cores delivered alone", "1.60 of 2, 0.40 stolen", "the hypervisor kept 0.40 cores"),
        (limited_cores, "lab-w1", "cores delivered alone", "1.02 of 2", "a control group limits it to 1.00 cores"),
        (limited_cores, "lab-w1", "limits", "1.00 cores", "to 1.00 cores"),
        (half_the_memory, "lab-w1", "memory in the guest", "3000 MiB", "0.49 of what the flavor has"),
        (half_the_memory, "lab-w1", "memory in Kubernetes", "3000 MiB", "0.49 of what the flavor has"),
        (half_the_memory_by_limit, "lab-w1", "limits", "3072 MiB", "kubelet's settings (systemReserved"),
        (no_memory, "lab-w1", "memory touched", "0 MiB", "the kernel did not give it"),
        (slow_disk, "lab-w1", "disk write", "4 MB/s", "slow disk: a throttle"),
        (slow_link, "lab-w0 → lab-w1", "bandwidth", "20 Mbit/s", "slow link: a limit on a port"),
        (slow_link, "lab-w1 → lab-w0", "bandwidth", "20 Mbit/s", "slow link: a limit on a port"),
        (slow_network_of_a_node, "lab-w1", "round trip", "40.00 ms", "slow link: all links of lab-w1 are"),
        (no_link, "lab-w1", "bandwidth", "timed out", "no link: flannel on either of the two, or UDP 8472"),
        (version_apart, "lab-w1", "kubelet", "1.25.9", "the others have another version"),
        (runtime_apart, "lab-w1", "container runtime", "1.7.1", "the others have another version"),
        (role_missing, "lab-w1", "roles", "none", "it is not labelled worker"),
        (role_too_many, "lab-w1", "roles", "control-plane, worker", "labelled control-plane and was not ordered"),
        (clock_off, "lab-w1", "clock offset", "+90.000 ± 0.010 s", "its clock is 90.0 s ahead of this machine's"),
        (no_dns, "lab-w1", "DNS", "Temporary failure", "no answer: CoreDNS"),
        (slow_service, "lab-w1", "service", "900.00 ms", "slow answers: kube-proxy"),
        (slow_start, "lab-w1", "pod start, p95", "40.2 s", "a slow disk below /var/lib/containerd"),
        (pod_does_not_start, "lab-w1", "a pod starts", "ImagePullBackOff", "the image cannot be pulled"),
    ],
)  # fmt: skip
def test_a_wrong_names_the_node_and_the_cause(
    look: Look, break_it: Callable[[Site], None], name: str, check: str, observed: str, cause: str
) -> None:
    site = Site()
    break_it(site)
    result = look(site)
    assert exit_status(result) == Exit.FAILED == 1
    rows = [row for row in wrong(result) if row.check == check and name in (row.subject, *row.nodes)]
    assert rows, result.wrong()
    assert observed in rows[0].observed
    assert cause in rows[0].cause
    blamed = name.split(" → ")
    assert all(set(row.nodes) & set(blamed) for row in wrong(result)), "a sound node is blamed"
    others = [row for row in result.nodes if row.name not in blamed]
    assert others
    assert all(row.verdict is Verdict.OK for row in others)


def test_one_node_missing_is_told_once(look: Look) -> None:
    for break_it in (not_built, not_joined):
        site = Site()
        break_it(site)
        assert len(look(site).wrong()) == 1


def test_a_node_that_is_not_ready_is_not_measured(look: Look) -> None:
    site = Site()
    not_ready(site)
    look(site)
    assert set(site.plans[0].cores) == {"lab-cp0", "lab-w0"}


def test_no_dask_worker_is_asked_for_on_a_cordoned_node(look: Look) -> None:
    site = Site()
    cordoned(site)
    look(site)
    assert set(site.plans[0].cores) == set(NAMES)
    assert site.plans[0].workers == ("lab-cp0", "lab-w0")


def overcommit(site: Site) -> None:
    """Three nodes of two cores on a host of two."""
    for name in NAMES:
        find(site, "together", name, delivered(0.66))


def test_shared_cores_fail_when_all_burn_and_name_all_nodes(look: Look) -> None:
    site = Site()
    overcommit(site)
    result = look(site)
    assert exit_status(result) == 1
    assert [row.nodes for row in wrong(result)] == [(name,) for name in NAMES]
    assert wrong(result)[0].cause == "nodes share cores of their hosts (overcommit): delivered 0.66 of 2, alone 1.95"


def test_a_site_that_allows_overcommit_is_only_warned(look: Look) -> None:
    site = Site(allow_overcommit=True)
    overcommit(site)
    result = look(site)
    assert result.verdict is Verdict.WARNING
    assert exit_status(result) == 0
    assert len(wrong(result, Verdict.WARNING)) == 3
    assert "allow_overcommit" in remarks(result)[0]


def test_a_flavor_of_more_cores_than_its_host_has_is_a_warning_where_that_is_allowed(look: Look) -> None:
    for allowed, verdict in ((True, Verdict.WARNING), (False, Verdict.FAILED)):
        site = Site(allow_overcommit=allowed)
        find(site, "guests", "lab-w1", site.measured.guests.values["lab-w1"].model_copy(update={"cores": 1}))
        result = look(site)
        assert [(row.check, row.verdict) for row in result.wrong()] == [("cores in a pod", verdict)]


def test_overcommit_excuses_no_missing_node(look: Look) -> None:
    site = Site(allow_overcommit=True)
    not_joined(site)
    assert exit_status(look(site)) == 1


def test_nine_tenths_of_the_cores_are_enough(look: Look) -> None:
    for cores, verdict in ((1.8, Verdict.OK), (1.79, Verdict.FAILED)):
        site = Site()
        find(site, "alone", "lab-w1", delivered(cores))
        assert look(site).verdict is verdict


def test_a_site_has_thresholds_of_its_own(look: Look) -> None:
    site = Site(thresholds=Thresholds(disk_write_mb_s_min=200))
    result = look(site)
    assert [row.check for row in wrong(result)] == ["disk write"] * 3
    assert wrong(result)[0].expected == "≥ 200 MB/s"
    assert result.thresholds.disk_write_mb_s_min == 200


def test_what_has_no_threshold_is_reported_and_not_judged(look: Look) -> None:
    site = Site(thresholds=Thresholds(disk_write_mb_s_min=0, link_mbit_s_min=0, clock_offset_s_max=0))
    slow_disk(site)
    slow_link(site)
    clock_off(site)
    result = look(site)
    assert result.verdict is Verdict.OK
    slow = next(row for row in result.rows if row.check == "disk write" and row.nodes == ("lab-w1",))
    assert (slow.expected, slow.observed) == ("reported, not judged", "4 MB/s")


def test_an_image_that_is_not_there_is_a_warning_unless_it_comes_too_late(look: Look) -> None:
    for limit, verdict in ((0.0, Verdict.WARNING), (1.0, Verdict.FAILED)):
        site = Site(thresholds=Thresholds(image_pull_s_max=limit))
        change_node(site, "lab-w1", images={})
        result = look(site)
        assert result.verdict is verdict
        assert result.wrong()[0].observed == "not there; a pod with it ran after 2.0 s"


def test_dask_workers_that_come_late_or_not_at_all(look: Look) -> None:
    late, never = Answers({"": 61.0}), Answers(dict[str, float](), {"": "3 Dask workers: 2 came in 120 s"})
    for answers, verdict, words in (
        (late, Verdict.FAILED, "the Dask operator is busy"),
        (never, Verdict.UNKNOWN, "2 came"),
    ):
        site = Site()
        site.measured = replace(site.measured, dask_s=answers)
        result = look(site)
        assert [row.subject for row in result.wrong()] == ["facility"]
        assert result.verdict is verdict
        assert words in result.wrong()[0].cause


def test_a_clock_that_all_nodes_agree_against_is_this_machine_s(look: Look) -> None:
    site = Site()
    for name in NAMES:
        find(site, "clocks", name, Clock(-5.0, 0.01))
    causes = {row.cause for row in wrong(look(site))}
    assert causes == {"all nodes agree, 5.0 s behind this machine: this machine's own clock is off"}


def test_a_clock_that_is_too_far_away_to_be_read_is_unknown(look: Look) -> None:
    site = Site()
    find(site, "clocks", "lab-w1", Clock(0.4, 0.8))
    assert exit_status(look(site)) == Exit.CANNOT_TELL


def test_a_control_plane_for_itself_keeps_its_taint(look: Look) -> None:
    alone = OrderedNode(flavor="c2.r4", groups=frozenset({"controlplane", "etcd"}))
    site = Site(order=ORDER.model_copy(update={"nodes": {**ORDER.nodes, "cp0": alone}}))
    taint = "node-role.kubernetes.io/control-plane:NoSchedule"
    change_node(site, "lab-cp0", roles=frozenset({"control-plane", "etcd"}), taints=(taint,))
    assert look(site).verdict is Verdict.OK
    change_node(site, "lab-cp0", taints=())
    assert look(site).wrong()[0].observed == "no taint"


def test_what_could_not_be_measured_is_unknown_and_hides_nothing(look: Look) -> None:
    site = Site()
    values = {name: value for name, value in site.measured.disks.values.items() if name != "lab-w1"}
    why = "disk.py in pod validate-2: it ended with status 1: No space left on device"
    site.measured = replace(site.measured, disks=Answers(values, {"lab-w1": why}))
    result = look(site)
    assert exit_status(result) == Exit.CANNOT_TELL
    assert [(row.nodes, row.cause) for row in result.wrong()] == [(("lab-w1",), why)]


DOWN = BenchError("cloud 'lab' at http://10.0.0.1/v3", "it does not answer", "See that it runs.", Exit.CANNOT_TELL)


@pytest.mark.parametrize("silent", ["flavors", "servers", "nodes", "measured"])
def test_a_silent_source_is_not_a_failure(look: Look, silent: str) -> None:
    site = Site()
    setattr(site, silent, DOWN)
    result = look(site)
    assert exit_status(result) == Exit.CANNOT_TELL == 2
    assert any("http://10.0.0.1/v3" in line and "See that it runs." in line for line in remarks(result))
    assert wrong(result) == []


def test_a_failure_is_one_even_where_not_everything_is_seen(look: Look) -> None:
    site = Site(nodes=DOWN)
    site.servers = site.servers[:-1]
    assert exit_status(look(site)) == 1


def test_a_changed_order_is_noted(look: Look) -> None:
    result = look(Site(order=ORDER.model_copy(update={"sha256": "1" * 64})))
    assert remarks(result) == ["note: terraform.tfvars was changed after the playbook site.yml ran"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"boot_id": "another"}, "lab-w1 was restarted"),
        ({"ready": False, "reason": "KubeletNotReady: x"}, "lab-w1 became NotReady: KubeletNotReady: x"),
        ({"schedulable": False}, "lab-w1 was cordoned"),
    ],
)
def test_a_facility_that_changed_meanwhile_makes_the_run_invalid(
    look: Look, changes: dict[str, Any], words: str
) -> None:
    site = Site()
    site.nodes_later = [*site.nodes[:-1], replace(site.nodes[-1], **changes)]
    result = look(site)
    assert exit_status(result) == Exit.INVALID == 3
    assert remarks(result) == [f"INVALID: while it was looked at, {words}: this result must not be used"]


def test_nodes_that_came_or_went_and_a_changed_order_make_the_run_invalid(look: Look) -> None:
    site = Site(nodes_later=[joined("lab-cp0"), joined("lab-w0"), joined("lab-w9")])
    site.order_later = ORDER.model_copy(update={"sha256": "1" * 64})
    assert set(look(site).disturbed) == {
        "terraform.tfvars was changed",
        "lab-w1 was removed from Kubernetes",
        "lab-w9 joined",
    }


def test_junit_has_a_case_for_every_row(look: Look) -> None:
    site = Site(thresholds=Thresholds(clock_offset_s_max=1))
    slow_disk(site)
    find(site, "clocks", "lab-cp0", Clock(0.4, 0.8))
    change_node(site, "lab-w0", images={})
    result = look(site)
    suite = ElementTree.fromstring(to_junit(result))
    assert suite.get("name") == "bench.validate.lab"
    assert int(suite.get("tests", 0)) == len(result.rows) == len(suite.findall("testcase"))
    assert (suite.get("failures"), suite.get("skipped"), suite.get("errors")) == ("1", "1", "0")
    failed = [case for case in suite.findall("testcase") if case.find("failure") is not None]
    assert [case.get("name") for case in failed] == ["lab-w1: disk write"]
    assert "expected ≥ 10 MB/s, observed 4 MB/s: slow disk" in str(failed[0][0].get("message"))


def test_every_row_that_is_not_ok_is_shown(look: Look, terminal: Terminal, said: io.StringIO) -> None:
    site = Site()
    cordoned(site)
    shared_core(site)
    for table in validation_tables(look(site)):
        terminal.show(table)
    assert "2 vCPUs share one core" in said.getvalue()
    assert "cordoned" in said.getvalue()


def test_pairs_meet_once_and_no_node_is_in_two_at_a_time() -> None:
    for count in range(2, 8):
        names = [f"n{number}" for number in range(count)]
        plan = rounds(names)
        met = [frozenset(pair) for pairs in plan for pair in pairs]
        assert len(met) == len(set(met)) == count * (count - 1) // 2
        for pairs in plan:
            busy = [name for pair in pairs for name in pair]
            assert len(busy) == len(set(busy))
    assert rounds(["alone"]) == [[]]


TFVARS = """
# a comment
facility = "lab"
cloud    = "lab"
nodes = {
  cp0  = { groups = ["controlplane", "etcd", "worker"], flavor = "c2.r4" }
  "w0" = { groups = ["worker"], flavor = "c2.r6", data_volume_gib = 20 }
}
admin_cidrs = ["172.31.250.0/24"]
"""


def test_the_order_is_read_from_terraform_tfvars(tmp_path: Path) -> None:
    path = tmp_path / "terraform.tfvars"
    path.write_text(TFVARS)
    order = read_order(path)
    assert {name: node.flavor for name, node in order.by_name().items()} == {"lab-cp0": "c2.r4", "lab-w0": "c2.r6"}
    assert len(order.sha256) == 64


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "there is no such file"),
        ("nodes = {", "it is no HCL"),
        ('facility = "lab"\ncloud = "lab"\n', "nodes: Field required"),
        ('facility = "lab"\ncloud = "lab"\nnodes = { w0 = { groups = [] } }\n', r"nodes.w0.flavor: Field required"),
    ],
)
def test_an_order_that_cannot_be_read_is_named(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "terraform.tfvars"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BenchError) as caught:
        read_order(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    assert caught.value.status == Exit.CANNOT_TELL
