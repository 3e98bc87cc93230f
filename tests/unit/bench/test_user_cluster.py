"""The Dask cluster that a user orders from his notebook: what it is allowed to be, and whose it is."""

from __future__ import annotations

import asyncio
from typing import Any

import dask.config as dask_config
import pytest

from bench import dask
from bench.errors import BenchError

SETTINGS = dask.Settings(
    image="r/analysis@sha256:0",
    namespace="user-alice",
    worker_limit_mib=1500,
    worker_requests={"cpu": "100m", "memory": "500Mi"},
    priority_interactive="interactive",
    priority_batch="batch",
    idle_timeout_s=600,
    datasets_claim="datasets",
    datasets_folder="/data",
)


def order(batch: bool = False, owner: tuple[str, str] | None = ("jupyter-alice", "1234")) -> dict[str, Any]:
    return dask.manifest(3, SETTINGS, name="mine", batch=batch, owner=owner)


def pods(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {part: manifest["spec"][part]["spec"] for part in ("scheduler", "worker")}


def test_the_cluster_goes_with_the_notebook_server() -> None:
    owners = order()["metadata"]["ownerReferences"]
    assert owners == [{"apiVersion": "v1", "kind": "Pod", "name": "jupyter-alice", "uid": "1234"}]
    assert order(owner=None)["metadata"]["ownerReferences"] == []


def test_every_pod_is_as_restricted_as_the_namespace_demands() -> None:
    for part, pod in pods(order()).items():
        assert pod["securityContext"]["runAsNonRoot"] is True, part
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, part
        assert pod["automountServiceAccountToken"] is False, part
        assert not any("hostPath" in volume for volume in pod.get("volumes", [])), part
        for container in pod["containers"]:
            assert container["image"] == SETTINGS.image
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }
            assert all(mount["readOnly"] for mount in container.get("volumeMounts", []))


def priorities(manifest: dict[str, Any]) -> dict[str, str]:
    return {part: pod["priorityClassName"] for part, pod in pods(manifest).items()}


def test_batch_workers_give_way_and_their_scheduler_does_not() -> None:
    assert priorities(order()) == {"scheduler": "interactive", "worker": "interactive"}
    assert priorities(order(batch=True)) == {"scheduler": "interactive", "worker": "batch"}


@pytest.mark.parametrize(("batch", "queue"), [(False, "default"), (True, "waits")])
def test_workers_wait_in_the_facilitys_queue_and_their_scheduler_does_not(batch: bool, queue: str) -> None:
    more = {"priority_scheduler": "scheduler", "queue_interactive": "default", "queue_batch": "waits"}
    made = dask.manifest(3, SETTINGS.model_copy(update=more), name="mine", batch=batch, owner=None)
    assert made["spec"]["worker"]["metadata"] == {"labels": {"kueue.x-k8s.io/queue-name": queue}}
    # labels of the cluster itself would be its scheduler's too
    assert made["metadata"]["labels"] == {}
    assert "metadata" not in made["spec"]["scheduler"]
    assert priorities(made)["scheduler"] == "scheduler"


def test_without_queues_nothing_waits_in_one() -> None:
    assert order()["spec"]["worker"]["metadata"] == {"labels": {}}


def test_a_task_outlives_more_workers_than_dask_would_forgive() -> None:
    """The scheduler's own process reads it from there."""
    (container,) = pods(order())["scheduler"]["containers"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert dask_config.get("distributed.scheduler.allowed-failures", config=dask_config.collect_env(environment)) == 20


def test_workers_have_one_thread_and_stay_below_their_limit() -> None:
    worker = order()["spec"]["worker"]
    arguments = worker["spec"]["containers"][0]["args"]
    assert worker["replicas"] == 3
    assert arguments[arguments.index("--nthreads") + 1] == "1"
    assert arguments[arguments.index("--memory-limit") + 1] == "1400MiB"


@pytest.mark.parametrize("value", [None, "", "{}"])
def test_elsewhere_than_in_a_notebook_it_says_where_it_works(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv(dask.SETTINGS_VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(dask.SETTINGS_VARIABLE, value)
    with pytest.raises(BenchError, match="Use a notebook of the facility's JupyterHub"):
        dask.cluster()


class Cluster:
    """A double of KubeCluster in an event loop, whose `adapt` is to be awaited."""

    limits: tuple[int, int] | None = None

    async def adapt(self, minimum: int, maximum: int) -> None:
        self.limits = (minimum, maximum)


def test_the_dask_tab_has_a_cluster_adapt_without_awaiting_it() -> None:
    async def scaled() -> None:
        cluster = dask.adapting_at_once(Cluster)()
        adapting = cluster.adapt(minimum=1, maximum=3)
        assert (adapting.minimum, adapting.maximum) == (1, 3)
        await adapting
        assert cluster.limits == (1, 3)

    asyncio.run(scaled())
    # what the tab calls a cluster
    assert dask.adapting_at_once(Cluster).__name__ == "Cluster"
