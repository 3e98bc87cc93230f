"""How many cores nodes deliver: burn all of them for some seconds, and count the processor time that came.

The script below is sent to the nodes as text, so that it is the same whatever their image holds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from ..errors import BenchError
from .kube import Kube
from .pods import helpers

SECONDS = 3.0
# Time for starting Python and its processes: on a node that has nothing else to do, and while all nodes start theirs.
LEAD_ALONE_S = 1.0
LEAD_TOGETHER_S = 3.0
# A process that begins later than this makes the node look slow when it was only slow to start.
MAX_LATE_S = 0.3

SCRIPT = """
import json, multiprocessing, sys, time

def burn(start, seconds, queue):
    late = time.time() - start
    time.sleep(max(0.0, -late))
    begin, used = time.time(), time.process_time()
    value = 1.0
    while time.time() < start + seconds:
        for _ in range(20000):
            value = value * 1.0000001 + 1e-9
    queue.put((begin, time.time(), time.process_time() - used, late))

processes, lead, seconds = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
start = time.time() + lead
queue = multiprocessing.Queue()
burners = [multiprocessing.Process(target=burn, args=(start, seconds, queue)) for _ in range(processes)]
for burner in burners:
    burner.start()
parts = [queue.get() for _ in burners]
for burner in burners:
    burner.join()
begin, end = min(p[0] for p in parts), max(p[1] for p in parts)
print(json.dumps({"wall_s": end - begin, "cpu_s": sum(p[2] for p in parts), "late_s": max(p[3] for p in parts)}))
"""


@dataclass(frozen=True)
class Delivered:
    """What a node gave to burning processes.

    `cores` is processor seconds over wall seconds, of processes that all began together.
    """

    cores: float
    processes: int
    wall_s: float
    cpu_s: float


class Burner(Protocol):
    """Who can burn the cores of nodes."""

    def burn(self, cores: Mapping[str, int]) -> tuple[dict[str, Delivered], dict[str, Delivered]]:
        """Burn that many cores of each node: one node after the other, then all at once.

        Returns
        -------
        (dict, dict)
            What each node delivered alone, and what it delivered while all others were burning too.
        """
        ...


class PodBurner:
    """Burns in one pod on every node."""

    def __init__(self, kube: Kube, image: str, seconds: float = SECONDS) -> None:
        self._kube = kube
        self._image = image
        self._seconds = seconds

    def burn(self, cores: Mapping[str, int]) -> tuple[dict[str, Delivered], dict[str, Delivered]]:
        with helpers(self._kube, list(cores), self._image, "burn") as pods:
            alone = {node: self._one(pods[node], cores[node], LEAD_ALONE_S) for node in cores}
            together: dict[str, Delivered] = {}
            with ThreadPoolExecutor(len(cores)) as pool:
                begun = time.monotonic()
                # Every node begins the same time after now, by its own clock.
                futures = {
                    node: pool.submit(self._one, pods[node], cores[node], begun + LEAD_TOGETHER_S - time.monotonic())
                    for node in cores
                }
                together = {node: future.result() for node, future in futures.items()}
        return alone, together

    def _one(self, pod: str, processes: int, lead_s: float) -> Delivered:
        command = ["python3", "-c", SCRIPT, str(processes), f"{lead_s:.3f}", str(self._seconds)]
        status, out, err = self._kube.execute(pod, command)
        try:
            found = json.loads(out)
        except ValueError:
            raise BenchError(
                f"the burn in pod {pod}",
                f"it ended with status {status}: {err.strip()[-300:] or out.strip()[-300:] or 'no output'}",
                "Run this again.",
            ) from None
        if found["late_s"] > MAX_LATE_S:
            raise BenchError(
                f"the burn in pod {pod}",
                f"its processes began {found['late_s']:.1f} s too late",
                "Run this again when the nodes are less busy.",
            )
        return Delivered(
            cores=found["cpu_s"] / found["wall_s"], processes=processes, wall_s=found["wall_s"], cpu_s=found["cpu_s"]
        )
