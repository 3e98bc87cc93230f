"""How long it takes until an input lies on all nodes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ..errors import BenchError, Exit

Strategy = Literal["upload", "pull"]
MEGA = 1e6


@dataclass(frozen=True)
class StagingPlan:
    """An input and its way to the nodes.

    `upload` sends it from one place to one node after the other, as the engine dask-kubernetes does. With `pull` all
    nodes fetch it at the same time: each at its own rate, together at no more than the server's.
    """

    data_bytes: float
    strategy: Strategy
    rate_bytes_per_s: float
    server_bytes_per_s: float | None = None
    workers_per_node: int = 1

    def nodes(self, workers: int) -> int:
        """Nodes for so many workers."""
        return math.ceil(workers / self.workers_per_node)

    def seconds(self, workers: int) -> float:
        """Time until the last node has all of it."""
        nodes = self.nodes(workers)
        if self.strategy == "upload":
            return nodes * self.data_bytes / self.rate_bytes_per_s
        server = math.inf if self.server_bytes_per_s is None else self.server_bytes_per_s
        return self.data_bytes / min(self.rate_bytes_per_s, server / nodes)


def staging_plan(
    data_bytes: float | None,
    strategy: Strategy,
    rate_mb_per_s: float | None,
    server_mb_per_s: float | None,
    workers_per_node: int,
) -> StagingPlan | None:
    """The plan from options; None where no input is to be staged.

    Raises
    ------
    BenchError
        Options are missing, or say nothing together.
    """
    if data_bytes is None:
        if rate_mb_per_s is not None or server_mb_per_s is not None:
            why = "a rate without a number of bytes gives no time"
            raise BenchError("--staging-rate", why, "Add --data-bytes, or leave it out.", Exit.CANNOT_TELL)
        return None
    if rate_mb_per_s is None:
        raise BenchError(
            f"--data-bytes {data_bytes:g}", "there is no rate to stage them with: a run records none",
            "Add --staging-rate in MB/s of one node: bench validate measures bandwidth and disk write.",
            Exit.CANNOT_TELL,
        )  # fmt: skip
    if strategy == "pull" and server_mb_per_s is None:
        raise BenchError(
            "--staging pull", "nodes that fetch at the same time share the server, whose rate is not known",
            "Add --server-rate in MB/s.", Exit.CANNOT_TELL,
        )  # fmt: skip
    server = None if server_mb_per_s is None else server_mb_per_s * MEGA
    return StagingPlan(data_bytes, strategy, rate_mb_per_s * MEGA, server, workers_per_node)
