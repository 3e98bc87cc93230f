"""Whether the analysis image lies on every node, and how long it took to come where it did not."""

from __future__ import annotations

from collections.abc import Iterator

from ..rows import Observed, Row, Verdict
from ..thresholds import Thresholds

CHECK = "analysis image"


def check(observed: Observed, thresholds: Thresholds) -> Iterator[Row]:
    """A row for every node that has joined; kubelet tells its largest images, of which this is one."""
    if not observed.image:
        return
    started = observed.measured.started
    for name, _, node in observed.joined():
        size = node.images.get(observed.image)
        if size is not None:
            yield Row((name,), CHECK, "there", f"there, {size / 1e9:.2f} GB")
            continue
        # the pod that looks at the node pulls it
        seconds = started.values.get(name) if started else None
        limit = thresholds.image_pull_s_max
        too_long = bool(limit) and seconds is not None and seconds > limit
        cause = "nobody pulled it there since the node was made, or kubelet removed it for lack of room on the disk"
        yield Row(
            (name,),
            CHECK,
            f"there, or pulled in {limit:g} s" if limit else "there",
            "not there" if seconds is None else f"not there; a pod with it ran after {seconds:.1f} s",
            Verdict.FAILED if too_long else Verdict.WARNING,
            f"the registry, or the network to it, is slow; {cause}" if too_long else cause,
            seconds,
            "s",
        )
