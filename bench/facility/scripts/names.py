"""How long a name takes to be resolved, and a connection to the API's service. Arguments: name, port."""

import json
import os
import socket
import sys
import time
from collections.abc import Callable

TIMES = 20
TIMEOUT_S = 5.0


def typical_s(action: Callable[[], object]) -> float:
    """Median of the seconds that an action takes."""
    times: list[float] = []
    for _ in range(TIMES):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return sorted(times)[TIMES // 2]


def main(name: str, port: int) -> None:
    """Measure, and print what was found: seconds, or the error in words."""
    # kubelet tells every pod the address; a name would be resolved first
    address = os.environ["KUBERNETES_SERVICE_HOST"]
    found: dict[str, float | str] = {}
    actions: dict[str, Callable[[], object]] = {
        "dns": lambda: socket.getaddrinfo(name, None, socket.AF_INET),
        "service": lambda: socket.create_connection((address, port), timeout=TIMEOUT_S).close(),
    }
    for what, action in actions.items():
        try:
            found[f"{what}_s"] = typical_s(action)
        except OSError as error:
            found[f"{what}_error"] = str(error)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
