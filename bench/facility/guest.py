"""What a pod on a node sees of it."""

from __future__ import annotations

from .kube import Kube
from .pods import Shape
from .scripted import Found, run_script

MEMINFO, CGROUPS, SCRATCH = "/node/meminfo", "/node/cgroup", "/scratch"
# The pod has processors, memory and control groups of its own to look at: the node's are shown to it, read-only. What
# it writes goes below /var/lib/kubelet, where the node's data volume is, and goes with the pod.
LOOKING = Shape(
    volumes=(
        {"name": "meminfo", "hostPath": {"path": "/proc/meminfo", "type": "File"}},
        {"name": "cgroup", "hostPath": {"path": "/sys/fs/cgroup", "type": "Directory"}},
        {"name": "scratch", "emptyDir": {"sizeLimit": "1Gi"}},
    ),
    mounts=(
        {"name": "meminfo", "mountPath": MEMINFO, "readOnly": True},
        {"name": "cgroup", "mountPath": CGROUPS, "readOnly": True},
        {"name": "scratch", "mountPath": SCRATCH},
    ),
)


class Guest(Found):
    """A node from inside; a limit that is not set is None."""

    cores: int
    memory_bytes: int
    available_bytes: int
    node_quota_cores: float | None = None
    node_limit_bytes: int | None = None
    pods_quota_cores: float | None = None
    pods_limit_bytes: int | None = None
    kernel: str = ""

    @property
    def quota_cores(self) -> float | None:
        """The lowest limit on cores."""
        return min((each for each in (self.node_quota_cores, self.pods_quota_cores) if each is not None), default=None)

    @property
    def limit_bytes(self) -> int | None:
        """The lowest limit on memory."""
        return min((each for each in (self.node_limit_bytes, self.pods_limit_bytes) if each is not None), default=None)


def look(kube: Kube, pod: str) -> Guest:
    """Look from inside a pod that has the shape `LOOKING`."""
    return run_script(kube, pod, Guest, "guest", MEMINFO, CGROUPS)
