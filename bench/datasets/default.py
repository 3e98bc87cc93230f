"""The input of a workload for which none is named: the real file, or generated events where there is no public one."""

from __future__ import annotations

from ..errors import BenchError, Exit
from ..terminal import STAND_IN, Terminal
from .catalogue import CATALOGUE
from .files import sha256
from .generate import DEFAULT_SEED, GENERATORS, generate
from .locate import Source, data_cache, locate


def default_inputs(workload: str, terminal: Terminal) -> tuple[Source, ...]:
    """The files that are read when the user names none.

    Raises
    ------
    BenchError
        There are none; status 2.
    """
    if workload in CATALOGUE:
        return (locate(CATALOGUE[workload], terminal),)
    if workload not in GENERATORS:
        raise BenchError(
            f"bench run {workload}",
            "no input is named, and neither the catalogue nor a generator has one for it",
            "Name files with --input; for both second steps of cms-tprime those that "
            "bench run cms-tprime-skim --output DIR writes.",
            Exit.CANNOT_TELL,
        )
    events = GENERATORS[workload].events
    terminal.mark = STAND_IN
    terminal.say("Generated events are read: no public file of this kind is known by an address.")
    with terminal.step(f"{events:,} generated events"):
        files = generate(workload, data_cache() / STAND_IN / f"{workload}-{events}-seed{DEFAULT_SEED}", events)
    return tuple(Source(path, sha256(path), "generated", stand_in=True) for path in files)
