"""How long names and services of the cluster take, seen from every node."""

from __future__ import annotations

from collections.abc import Iterator

from ..rows import Observed, Row, Verdict, most, unmeasured
from ..thresholds import Thresholds

DNS, SERVICE = "DNS", "service"
CAUSES = {
    DNS: "CoreDNS, or the way to it: kube-proxy's rules there, UDP between the nodes (flannel, port 8472)",
    SERVICE: "kube-proxy's rules there, or a busy control plane",
}


def check(observed: Observed, thresholds: Thresholds) -> Iterator[Row]:
    """Two rows for every node that was asked from."""
    services = observed.measured.services
    if services is None:
        return
    for name, found in services.values.items():
        for what, seconds, error, limit in (
            (DNS, found.dns_s, found.dns_error, thresholds.dns_ms_max),
            (SERVICE, found.service_s, found.service_error, thresholds.service_ms_max),
        ):
            if seconds is None:
                yield Row((name,), what, "an answer", error or "none", Verdict.FAILED, f"no answer: {CAUSES[what]}")
            else:
                yield most((name,), what, 1e3 * seconds, "ms", limit, f"slow answers: {CAUSES[what]}", digits=2)
    yield from unmeasured(services, DNS)
