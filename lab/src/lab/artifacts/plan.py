"""What is missing, in which order it is made, and how long that takes."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.artifacts import build, estimate, fetch, golang, table
from lab.artifacts.build import Workshop
from lab.artifacts.manifest import Artifact
from lab.artifacts.table import Wanted
from lab.console import console, step
from lab.errors import LabError

Show = Callable[[str], None]


@dataclass(frozen=True)
class Step:
    """Something that is made.

    Attributes
    ----------
    name : for people, and under which its time is noted
    seconds : what it usually takes
    talks : whether it shows its progress itself
    """

    name: str
    seconds: float
    action: Callable[[Show], Sequence[Artifact]]
    talks: bool = False


@dataclass(frozen=True)
class Line:
    """A line of the closing table.

    Attributes
    ----------
    seconds : what its making took; None when it was there
    """

    artifact: Artifact
    seconds: float | None = None


@contextmanager
def exclusive(root: Path) -> Iterator[None]:
    """One `lab artifacts` at a time; the kernel releases the lock with the process, however that ends.

    Raises
    ------
    LabError
        naming the process that holds it
    """
    root.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(
                f"`lab artifacts` runs already (process {file.read().strip() or 'unknown'}).",
                "Wait for its end; what it makes serves this one too.",
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def current(shop: Workshop, wanted: Wanted) -> Artifact | None:
    """The artefact as it was made before; None when it has to be made, with the reason said when that is a fault."""
    record = shop.store.record(wanted.key)
    if record is None:
        return None
    if record.recipe != shop.recipe(wanted):
        console.print(
            f"{wanted.name} {wanted.version}: the tables changed, it is made anew", highlight=False, soft_wrap=True
        )
        return None
    if fault := shop.store.fault(record.artifact):
        console.print(f"{wanted.name} {wanted.version} {fault}: it is made anew", highlight=False, soft_wrap=True)
        shop.store.forget(wanted.key)
        return None
    return record.artifact


def steps(shop: Workshop, missing: Sequence[Wanted]) -> list[Step]:
    """What to do for what is missing: downloads first, then each Go program followed by what is made of it.

    What needs most patience comes last of the builds, so that others can start on what is there.
    """
    fetched = [wanted for wanted in missing if shop.from_upstream(wanted)]
    built = [wanted for wanted in missing if not shop.from_upstream(wanted)]
    result = [_artifact(shop, wanted) for wanted in fetched]
    result += [_artifact(shop, wanted) for wanted in built if not wanted.programs]
    waiting = [wanted for wanted in built if wanted.programs]
    programs = {program.name: program for wanted in waiting for program in shop.programs(wanted)}
    there: set[str] = set()
    for name, program in sorted(programs.items(), key=lambda item: item[1].seconds):
        if not golang.built(program):
            result.append(_program(shop, program))
        there.add(name)
        ready = [wanted for wanted in waiting if name in wanted.programs and there >= {*wanted.programs}]
        result += [_artifact(shop, wanted) for wanted in ready]
    return result


def _artifact(shop: Workshop, wanted: Wanted) -> Step:
    name = f"{'image ' if wanted.kind == 'image' else ''}{wanted.name} {wanted.version}"
    return Step(name, wanted.seconds, lambda show: [shop.make(wanted, show)])


def _program(shop: Workshop, program: table.Program) -> Step:
    name = f"{program.name} {program.version} from Go modules"

    def action(_: Show) -> list[Artifact]:
        golang.ensure(program, name, shop.run)
        return []

    return Step(name, program.seconds, action, talks=True)


def run(todo: Sequence[Step], durations: Path, done: Callable[[Artifact, float], None]) -> None:
    """Make what is to be made, one after the other: a Go build uses all cores by itself.

    Parameters
    ----------
    durations : file that keeps what each step took
    done : told of each artefact and its seconds
    """
    took = estimate.read(durations)
    expected, actual = 0.0, 0.0
    for number, item in enumerate(todo, 1):
        rest = estimate.left(((each.name, each.seconds) for each in todo[number - 1 :]), took)
        rest *= estimate.pace(expected, actual)
        console.print(f"[{number}/{len(todo)}, {estimate.spoken(rest)} left]", markup=False, highlight=False)
        started = time.monotonic()
        if item.talks:
            made = item.action(lambda _: None)
        else:
            with step(item.name) as show:
                made = item.action(show)
        seconds = time.monotonic() - started
        expected += took.get(item.name, item.seconds)
        actual += seconds
        estimate.note(durations, item.name, seconds)
        for artifact in made:
            done(artifact, seconds)


def reachable(missing: Sequence[Wanted]) -> dict[str, bool]:
    """Which of upstream's hosts answer; only those are asked that something with a known sum is to come from."""
    hosts = {build.upstream_host(wanted) for wanted in missing if wanted.sha256}
    answers = fetch.probe(hosts)
    if silent := sorted(host for host, answer in answers.items() if not answer):
        console.print(
            f"not reachable, so what is theirs is built here: {', '.join(silent)}", highlight=False, soft_wrap=True
        )
    return answers
