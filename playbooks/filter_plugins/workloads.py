"""What Kubernetes says of the DaemonSets and Deployments that roles applied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def unready(resources: Iterable[Mapping[str, Any]]) -> list[str]:
    """Those whose pods are not all of the newest kind and ready, as "kind namespace/name (ready of wanted)"."""
    result = []
    for resource in resources:
        meta, status = resource["metadata"], resource.get("status", {})
        if resource["kind"] == "DaemonSet":
            wanted = status.get("desiredNumberScheduled")
            updated, ready = status.get("updatedNumberScheduled", 0), status.get("numberReady", 0)
        else:
            wanted = resource["spec"].get("replicas", 1)
            updated, ready = status.get("updatedReplicas", 0), status.get("readyReplicas", 0)
        seen = status.get("observedGeneration", 0) >= meta.get("generation", 0)
        # a DaemonSet that wants no pod has not been looked at yet: every facility has nodes
        if not seen or (resource["kind"] == "DaemonSet" and not wanted) or min(updated, ready) < (wanted or 0):
            result.append(f"{resource['kind']} {meta['namespace']}/{meta['name']} ({ready} of {wanted or '?'})")
    return result


class FilterModule:
    def filters(self) -> dict[str, Callable[..., list[str]]]:
        return {"unready": unready}
