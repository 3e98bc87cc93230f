"""ATLAS: DAOD_PHYSLITE to a slimmed ntuple, with all variations, by a compiled library.

Objects are selected, overlaps removed and the missing momentum rebuilt for the event as it is and for each shifted
one; an event is kept when one of these passes. Every task writes a part of its own, reads it back, and only then gives
it its name.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..datasets.files import replacing, sha256
from ..errors import BenchError, Exit
from .columns import MissingColumns
from .compiled import Library, library
from .model import CutStep, HistogramSpec, Outcome
from .slimming_variations import CUTS, KEPT, NOMINAL, READ, UNVERIFIED, VARIATIONS, Shift
from .tasks import Chunk, Filled, Part, Partial, TaskWorkload, chunks, merged

if TYPE_CHECKING:
    from ..engines.model import Job

CXX = Path(__file__).parent / "cxx"
SOURCES = tuple(CXX / name for name in ("slimming.cpp", "slimming_columns.hpp", "slimming_objects.hpp"))
# A container's columns lie in its dynamic store, but for those that its class has by itself, which some versions write.
STORES = ("AuxDyn", "Aux")
HISTOGRAMS = (HistogramSpec("met_nominal", "missing transverse momentum", "GeV", 50, 0, 500),)
REMARK = (
    "Shifts of this package's own in place of ATLAS's calibration tools, sizes {source}: no physics result may be "
    "based on the variations"
)
LABELS = {
    "all": "all events",
    "event_clean": "no badly measured jet (eventClean_LooseBad)",
    "vertex": "a primary vertex",
    "kept": "≥ 2 leptons and ≥ 1 jet in any variation: kept",
    "nominal": "≥ 2 leptons and ≥ 1 jet, nominal",
}


@cache
def loaded(shared: Library) -> ctypes.CDLL:
    """The library in this process."""
    found = shared.load()
    # The answer is freed by the library, so it must not be turned into bytes and forgotten.
    found.bench_slim.restype = ctypes.c_void_p
    found.bench_slim.argtypes = [ctypes.c_char_p]
    found.bench_free.restype = None
    found.bench_free.argtypes = [ctypes.c_void_p]
    return found


def present(container: str, column: str, columns: Iterable[str]) -> str | None:
    """Name of a container's column in a file that has the given ones."""
    names = [f"{container}{store}.{column}" for store in STORES]
    return next((name for name in names if name in columns), None)


@dataclass(frozen=True)
class SlimmingTask:
    """A chunk and the file's names for what is read of it."""

    chunk: Chunk
    read: tuple[tuple[str, str], ...]
    kept: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True)
class AtlasSlimming(TaskWorkload):
    """DAOD_PHYSLITE → slimmed ntuple.

    Pickled, it carries the compiled library, so that workers need no compiler.
    """

    variations: tuple[Shift, ...] = VARIATIONS

    name: str = "atlas-slimming"
    title: str = "ATLAS DAOD_PHYSLITE → slimmed ntuple (variations unverified)"
    tree: str = "CollectionTree"
    mass_histogram: str = "met_nominal"
    # Most of the 1,500 branches are of classes without a dictionary, which cannot be copied; clusters are small anyway.
    repackable: bool = False
    writes: bool = True
    # Compiled when it is first asked for.
    shipped: list[Library] = field(default_factory=list[Library], compare=False, repr=False)

    def library(self) -> Library:
        """The compiled C++."""
        if not self.shipped:
            self.shipped.append(library("slimming", SOURCES))
        return self.shipped[0]

    def attachments(self) -> tuple[Path, ...]:
        return (self.library().path(),)

    def with_attachments(self, paths: Sequence[Path]) -> AtlasSlimming:
        return replace(self, shipped=[Library.of(path) for path in paths])

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "shipped": [self.library()]}

    def warm_up(self) -> None:
        loaded(self.library())

    def tasks(self, job: Job, slots: int) -> Sequence[SlimmingTask]:
        columns = set(job.columns)
        read = {name: present(*where, columns) for name, where in READ.items()}
        kept = [(each, present(each.container, each.column, columns)) for each in KEPT]
        missing = {".".join(READ[name]) for name, column in read.items() if column is None}
        missing |= {f"{each.container}.{each.column}" for each, column in kept if each.needed and column is None}
        if missing:
            raise MissingColumns(f"{self.name}, as `<container>AuxDyn.<name>`,", sorted(missing), job.columns)
        reads = tuple((name, column) for name, column in read.items() if column)
        keeps = tuple((each.object, column, each.kind, each.name) for each, column in kept if column)
        return [SlimmingTask(chunk, reads, keeps) for chunk in chunks(job, slots)]

    def process(self, task: SlimmingTask, folder: Path) -> Partial:
        chunk = task.chunk
        final = folder / f"part-{chunk.number:05}.root"
        try:
            with replacing(final, suffix=".root") as temporary:
                answer = self.call(self.config(task, temporary, final.name))
                part = Part(final.name, answer.kept, temporary.stat().st_size, sha256(temporary))
        except (RuntimeError, OSError) as error:
            raise BenchError(
                f"{chunk.file}, entries {chunk.first} to {chunk.last}, written to {final}",
                str(error),
                "See that the input can be read and that the output's disk is not full.",
                Exit.CANNOT_TELL,
            ) from error
        return Partial(answer.entries, answer.cutflow, answer.tallies, answer.histograms, (part,))

    def combine(self, partials: Sequence[Partial]) -> Outcome:
        return merged(partials)

    def remarks(self) -> Mapping[str, str]:
        texts = {"variations": REMARK.format(source=UNVERIFIED)}
        texts |= {
            shift.name: f"{shift.target} {shift.size:+g}, |eta| in {shift.eta}, side {shift.side:+d}: {shift.source}"
            for shift in self.variations
        }
        texts |= {f"cut {name}": f"{cut.value:g}: {cut.source}" for name, cut in CUTS.items()}
        return texts

    def config(self, task: SlimmingTask, target: Path, name: str) -> str:
        """What the library is told: a setting a line, its fields parted by tabs."""
        chunk = task.chunk
        lines: list[tuple[object, ...]] = [
            ("input", chunk.file, chunk.tree, chunk.first, chunk.last),
            ("output", target, name),
            *(("remark", f"{key}: {text}") for key, text in self.remarks().items()),
            *(("cut", key, repr(cut.value)) for key, cut in CUTS.items()),
            *(("column", *each) for each in task.read),
            *(("keep", *each) for each in task.kept),
            *(
                ("variation", each.name, each.target, repr(each.size), *map(repr, each.eta), each.side, stream(each))
                for each in self.variations
            ),
            *(("histogram", each.name, each.n_bins, each.low, each.high) for each in HISTOGRAMS),
        ]
        return "\n".join("\t".join(map(str, line)) for line in lines)

    def call(self, config: str) -> Answer:
        """Have the library do one chunk.

        Raises
        ------
        RuntimeError
            It says what it could not do.
        """
        shared = loaded(self.library())
        pointer = shared.bench_slim(config.encode())
        try:
            text = ctypes.string_at(pointer).decode()
        finally:
            shared.bench_free(pointer)
        if text.startswith("error\t"):
            raise RuntimeError(text.removeprefix("error\t").strip())
        return Answer.parsed(text)


def stream(shift: Shift) -> int:
    """Number of the random numbers of a resolution: that of its name without the direction, so that up and down smear
    alike."""
    bases = list(dict.fromkeys(each.name.removesuffix("__1up").removesuffix("__1down") for each in VARIATIONS))
    return bases.index(shift.name.removesuffix("__1up").removesuffix("__1down"))


@dataclass(frozen=True)
class Answer:
    """What the library says of a chunk; `kept` counts the events written."""

    entries: int
    kept: int
    cutflow: tuple[CutStep, ...]
    tallies: Mapping[str, int]
    histograms: tuple[Filled, ...]

    @classmethod
    def parsed(cls, text: str) -> Answer:
        """Read it."""
        events: dict[str, int] = {}
        tallies: dict[str, int] = {}
        histograms: list[Filled] = []
        for line in text.splitlines():
            word, *fields = line.split("\t")
            if word == "cut":
                events[fields[0]] = int(fields[1])
            elif word == "content":
                events["kept"], tallies["content_low"], tallies["content_high"] = map(int, fields)
            elif word == "passes":
                tallies[f"events_{fields[0]} ({UNVERIFIED})" if fields[0] != NOMINAL.name else "events_nominal"] = int(
                    fields[1]
                )
            elif word == "histogram":
                numbers = [float(each) for each in fields]
                contents = np.array(numbers[5:])
                spec = HISTOGRAMS[len(histograms)]
                histograms.append(Filled(spec, contents, contents, int(numbers[0]), np.array(numbers[1:5])))
        events["nominal"] = tallies["events_nominal"]
        cutflow = tuple(CutStep(name, label, events[name]) for name, label in LABELS.items())
        return cls(events["all"], events["kept"], cutflow, tallies, tuple(histograms))
