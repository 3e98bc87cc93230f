"""The flavor that was ordered against the one that a server has."""

from __future__ import annotations

from collections.abc import Iterator

from ..rows import Observed, Row, Verdict
from ..thresholds import Thresholds

CHECK = "flavor"


def check(observed: Observed, _: Thresholds) -> Iterator[Row]:
    """A row for every server that was ordered, and for every flavor that cannot be."""
    for name, declared in observed.declared.items():
        if declared.size is None and observed.flavors_known:
            cause = "the cloud does not have it, or does not show it to this project"
            yield Row((name,), CHECK, declared.flavor, "no such flavor", Verdict.FAILED, cause)
            continue
        server = (observed.servers or {}).get(name)
        if server is None:
            continue
        size = declared.size
        # a flavor of the same name may have been made anew, of another size, since the server was built
        same = server.flavor == declared.flavor and (size is None or (server.cores, server.memory_mib) == tuple(size))
        if same:
            yield Row((name,), CHECK, declared.flavor, server.flavor)
            continue
        wanted = f" ({size.cores} cores, {size.memory_mib} MiB)" if size else ""
        cause = "terraform was not applied after a change, or somebody resized the server"
        yield Row(
            (name,),
            CHECK,
            f"{declared.flavor}{wanted}",
            f"{server.flavor} ({server.cores} cores, {server.memory_mib} MiB)",
            Verdict.FAILED,
            cause,
        )
