"""All that is measured on a facility's nodes, in one set of pods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ..terminal import Terminal
from .answers import Answers, ask_each
from .burn import Delivered, burn_alone, burn_together
from .clock import Clock, read_clock
from .disk import Disk, measure_disk
from .guest import LOOKING, Guest, look
from .kube import Kube, PodState
from .memory import Touched, touch
from .network import Link, Pair, measure_links, serving
from .pods import Helpers, each_helper
from .services import Services, measure_services
from .starts import measure_starts

PURPOSE = "validate"
Value = TypeVar("Value")


@dataclass(frozen=True)
class Plan:
    """What to measure: nodes with the cores that were ordered, those for analyses, and whether to burn only."""

    cores: Mapping[str, int]
    workers: tuple[str, ...]
    image: str
    quick: bool


@dataclass(frozen=True)
class Measured:
    """What was found on each node; None: it was not looked for."""

    started: Answers[str, float] | None = None
    guests: Answers[str, Guest] | None = None
    clocks: Answers[str, Clock] | None = None
    alone: Answers[str, Delivered] | None = None
    together: Answers[str, Delivered] | None = None
    touched: Answers[str, Touched] | None = None
    disks: Answers[str, Disk] | None = None
    links: Answers[Pair, Link] | None = None
    services: Answers[str, Services] | None = None
    starts: Answers[str, tuple[float, ...]] | None = None
    dask_s: Answers[str, float] | None = None


class Prober(Protocol):
    """Who can measure nodes."""

    def measure(self, plan: Plan, terminal: Terminal) -> Measured:
        """Measure; a node on which something cannot be measured does not hide the others."""
        ...


# Seconds until one Dask worker on each of these nodes is there, asked by that pod.
DaskWorkers = Callable[[Kube, PodState, tuple[str, ...], str], float]


class PodProber:
    """Measures in one pod on every node."""

    def __init__(self, kube: Kube, dask_workers: DaskWorkers) -> None:
        self._kube = kube
        self._dask_workers = dask_workers

    def measure(self, plan: Plan, terminal: Terminal) -> Measured:
        terminal.say(f"  one pod on each of {', '.join(plan.cores)}")
        with each_helper(self._kube, list(plan.cores), plan.image, PURPOSE, serving(LOOKING)) as helpers:
            return self._in_pods(plan, helpers, terminal)

    def _in_pods(self, plan: Plan, helpers: Helpers, terminal: Terminal) -> Measured:
        kube, pods = self._kube, helpers.pods
        names = {node: pod.name for node, pod in pods.items()}
        cores = {node: plan.cores[node] for node in pods}
        started = Answers(helpers.started_s, helpers.failures)
        if not pods:
            return Measured(started=started)
        terminal.say("  what each sees")
        guests = ask_each(pods, lambda node: look(kube, names[node]))
        clocks = ask_each(pods, lambda node: read_clock(kube, names[node]))
        terminal.say(f"  burning {sum(cores.values())} cores, each node alone")
        alone = burn_alone(kube, names, cores)
        terminal.say("  burning, all nodes at once")
        together = burn_together(kube, names, cores)
        if plan.quick:
            return Measured(started, guests, clocks, alone, together)
        terminal.say("  memory and disks, one node after the other")
        touched = ask_each(guests.values, lambda node: touch(kube, names[node], guests.values[node]), at_a_time=1)
        disks = ask_each(pods, lambda node: measure_disk(kube, names[node]), at_a_time=1)
        terminal.say("  names and services, and the network between every pair")
        services = ask_each(pods, lambda node: measure_services(kube, names[node]), at_a_time=1)
        links = measure_links(kube, pods)
        terminal.say("  starts of pods")
        starts = measure_starts(kube, list(pods), plan.image)
        dask_s = None
        workers = tuple(node for node in plan.workers if node in pods)
        if workers:
            terminal.say("  start of Dask workers")
            dask_s = ask_each([""], lambda _: self._dask_workers(kube, pods[workers[0]], workers, plan.image))
        return Measured(started, guests, clocks, alone, together, touched, disks, links, services, starts, dask_s)
