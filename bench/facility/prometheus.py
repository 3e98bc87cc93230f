"""What a site's Prometheus has gathered, asked through the Kubernetes API: no port of it is open to anybody else."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ..errors import BenchError, Exit

NAMESPACE, SELECTOR, PORT = "metrics", "app=prometheus", 9090
# A connection to a port of the first pod with a label: sends bytes, gives back all that comes until its end.
Exchange = Callable[[str, str, int, bytes], bytes]


@dataclass(frozen=True)
class Sample:
    """One value, with its labels."""

    labels: Mapping[str, str]
    value: float


class Prometheus:
    """Asks by an exchange such as `Kube.exchange`."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def query(self, expression: str) -> list[Sample]:
        """The present value of an expression.

        Raises
        ------
        BenchError
            It does not answer, or refuses the expression; status 2.
        """
        path = "/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        question = f"GET {path} HTTP/1.0\r\nHost: prometheus\r\n\r\n".encode()
        answer = self._exchange(NAMESPACE, SELECTOR, PORT, question)
        try:
            found = json.loads(answer.partition(b"\r\n\r\n")[2])
            if found["status"] != "success":
                raise ValueError(found.get("error", "refused"))
            return [Sample(each["metric"], float(each["value"][1])) for each in found["data"]["result"]]
        except (ValueError, KeyError, TypeError) as error:
            raise BenchError(
                f"Prometheus, asked for {expression}",
                str(error) or "it gave no answer",
                f"See that its pod runs: kubectl -n {NAMESPACE} get pods.",
                Exit.CANNOT_TELL,
            ) from error


def by(label: str, samples: Iterable[Sample]) -> dict[str, float]:
    """Values by one of their labels."""
    return {each.labels.get(label, ""): each.value for each in samples}
