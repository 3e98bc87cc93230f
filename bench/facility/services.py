"""How long names and services of the cluster take to answer, from a pod on a node."""

from __future__ import annotations

from .kube import Kube
from .scripted import Found, run_script

# Every cluster has this service: its own API.
NAME = "kubernetes.default.svc.cluster.local"
PORT = 443


class Services(Found):
    """Medians of twenty; of each either the seconds or the error."""

    dns_s: float | None = None
    dns_error: str | None = None
    service_s: float | None = None
    service_error: str | None = None


def measure_services(kube: Kube, pod: str) -> Services:
    """Resolve the API's name and connect to its service address, both from the pod."""
    return run_script(kube, pod, Services, "names", NAME, PORT)
