"""Smearing of fcc-zee: the same numbers in every partition and engine, and those that an own generator gives."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest
from bench_inputs import ZEE

from bench.datasets.files import sha256
from bench.datasets.inspect import layout
from bench.datasets.repack import Repacked, file_number, repack
from bench.engines.dask import Dask
from bench.engines.local import Threads
from bench.engines.model import Job, local_pass
from bench.measure.equality import Physics, compare
from bench.workloads import FccZee, Outcome
from bench.workloads.fcc_zee import PARTICLE_COLUMNS, REFERENCE_COLUMNS, smeared_histogram
from bench.workloads.root import load, open_file

CUT_FLOW = {"all": 5000, "two_electrons": 2918, "pt": 2820, "pair": 2820, "mass": 2783}
THREE = FccZee(n_smearings=3)


@pytest.fixture(scope="module")
def two_files(
    real_file: Path, repacked: Repacked, tmp_path_factory: pytest.TempPathFactory, cache: Path
) -> tuple[Path, Path]:
    """The real file and another one, of some of its events, in clusters of different sizes."""
    other = tmp_path_factory.mktemp("other") / "other.root"
    with open_file(str(real_file)) as source:
        out = load().TFile(str(other), "RECREATE")
        # As podio writes; ROOT's default for what is not split can only be compared with itself.
        before = load().TVirtualStreamerInfo.SetStreamMemberWise(False)
        source.Get("events").CopyTree("", "", 1200, 700).Write()
        load().TVirtualStreamerInfo.SetStreamMemberWise(before)
        out.Close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        return repacked.path, repack(other, sha256(other), "events", 70).path


@pytest.fixture(scope="module")
def serial(two_files: tuple[Path, Path]) -> Outcome:
    return local_pass(Job.over(THREE, two_files)).outcome


def test_threads_and_replicas_give_the_same(serial: Outcome, two_files: tuple[Path, Path]) -> None:
    with Threads(2) as engine:
        found = engine.run(replace(Job.over(THREE, two_files), replicas=2)).outcome
    compared = compare(serial, found, "serial", 2)
    assert compared.verdict is Physics.EQUAL, compared.differences[:3]


@pytest.mark.parametrize("n_partitions", [1, 2, 5, 11])
def test_any_number_of_partitions_gives_the_same(
    serial: Outcome, two_files: tuple[Path, Path], two_workers: Dask, n_partitions: int
) -> None:
    job = Job.over(THREE, two_files)
    booking = two_workers.book(job, {"events": n_partitions})
    two_workers.trigger(booking, job)
    compared = compare(serial, booking.collect(), "serial")
    assert compared.verdict is Physics.EQUAL, compared.differences[:3]
    assert compared.numbers_compared > 7 * 100


def test_other_order_and_other_clusters_of_the_files_give_the_same(
    serial: Outcome, two_files: tuple[Path, Path]
) -> None:
    again = repack(two_files[0], sha256(two_files[0]), "events", 333).path
    found = local_pass(Job.over(THREE, (two_files[1], again))).outcome
    assert compare(serial, found, "the other order").verdict is Physics.EQUAL


def test_repetitions_files_and_samples_draw_other_numbers(serial: Outcome, repacked: Repacked, real_file: Path) -> None:
    found = local_pass(Job.over(THREE, (repacked.path,))).outcome
    contents = {found.histogram(smeared_histogram(i)).contents for i in (1, 2, 3)}
    assert len(contents) == 3
    for changed in (
        Job.over(replace(THREE, sample="another"), (repacked.path,)),
        Job.over(THREE, (repack(real_file, "f" * 64, "events", 250).path,)),
    ):
        other = local_pass(changed).outcome
        assert other.histogram("m_ee") == found.histogram("m_ee")
        assert other.histogram(smeared_histogram(1)).contents not in contents


def test_yields_do_not_depend_on_the_smearing(repacked: Repacked, real_file: Path) -> None:
    for n, path in ((0, repacked.path), (3, repacked.path), (3, real_file)):
        outcome = local_pass(Job.over(FccZee(n_smearings=n), (path,))).outcome
        assert {cut.name: cut.events for cut in outcome.cutflow} == CUT_FLOW
        # The original has nothing that identifies its events.
        smeared = [each for each in outcome.histograms if "smeared" in each.name]
        assert len(smeared) == (n if path == repacked.path else 0)
        assert all(sum(each.contents) == CUT_FLOW["mass"] for each in smeared)


def mixed(z: int) -> int:
    """Reference implementation of one step of splitmix64."""
    mask = 2**64 - 1
    z = (z + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def normal(*key: int) -> float:
    state = 0
    for word in key:
        state = mixed(state ^ word)
    return NormalDist().inv_cdf(((state >> 11) + 0.5) * 2**-53)


def test_a_plain_loop_smears_to_the_same_histogram(repacked: Repacked) -> None:
    """Event by event in Python, with four-vectors and the standard library's inverse of the normal distribution."""
    columns = [REFERENCE_COLUMNS[0], *PARTICLE_COLUMNS]
    frame = load().RDataFrame("events", str(repacked.path)).Alias("references", columns[0])
    taken = [
        frame.Take["ROOT::VecOps::RVec<int>"]("references"),
        *(frame.Take["ROOT::VecOps::RVec<float>"](name) for name in PARTICLE_COLUMNS),
    ]
    events: Any = zip(*(each.GetValue() for each in taken), strict=True)
    sample = int.from_bytes(hashlib.sha256(b"ee_Z_ee").digest()[:8], "big")
    file = file_number(ZEE.sha256)
    filled: Counter[int] = Counter()
    for entry, (references, *members) in enumerate(events):
        particles: list[tuple[float, ...]] = [tuple(map(float, each)) for each in zip(*members, strict=True)]
        found = [int(i) for i in references if 0 <= i < len(particles)]
        hard = [i for i in found if math.hypot(particles[i][1], particles[i][2]) > 10]
        pairs = [(i, j) for i, j in combinations(hard, 2) if particles[i][4] * particles[j][4] < 0]
        if not pairs:
            continue
        pair = min(pairs, key=lambda pair: abs(mass(particles[pair[0]], particles[pair[1]]) - 91.1876))
        if not 80 < mass(particles[pair[0]], particles[pair[1]]) < 100:
            continue
        smeared = [
            tuple(x * (1 + 2 / p[0] * normal(sample, file, entry, i, 2)) for x in p)
            for i, p in ((i, particles[i]) for i in pair)
        ]
        filled[math.floor((mass(*smeared) - 84) / 0.28)] += 1
    histogram = local_pass(Job.over(THREE, (repacked.path,))).outcome.histogram(smeared_histogram(2))
    assert [filled[i] for i in range(50)] == list(histogram.contents[1:-1])


def mass(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    energy, *momentum = (x + y for x, y in zip(a[:4], b[:4], strict=True))
    return math.sqrt(max(0.0, energy**2 - sum(p**2 for p in momentum)))


def test_the_generator_is_normal_in_every_part_of_its_key() -> None:
    load().gInterpreter.Declare(THREE.code)
    drawn: Any = load().bench.fcc_zee.Normal
    for position in range(5):
        keys = [[7, 8, 9, 1, 1] for _ in range(4000)]
        for i, key in enumerate(keys):
            key[position] = i
        values = [drawn(key) for key in keys]
        assert values[:5] == pytest.approx([normal(*key) for key in keys[:5]], rel=1e-9)
        # Five standard errors.
        assert abs(math.fsum(values)) / 4000 < 5 / math.sqrt(4000)
        assert abs(math.fsum(v * v for v in values) / 4000 - 1) < 5 * math.sqrt(2 / 4000)
        assert abs(math.fsum(a * b for a, b in pairwise(values))) / 4000 < 5 / math.sqrt(4000)


@pytest.fixture(scope="module")
def newer_names(repacked: Repacked, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real file with the names that newer versions of podio give to its columns."""
    target = tmp_path_factory.mktemp("newer") / "newer.root"
    root = load()
    with open_file(str(repacked.path)) as source:
        out = root.TFile(str(target), "RECREATE")
        tree = source.Get("events").CloneTree(-1, "fast")
        top = tree.GetBranch("Electron#0")
        for each in (top, *top.GetListOfBranches()):
            for named in (each, *each.GetListOfLeaves()):
                named.SetName(str(named.GetName()).replace("Electron#0", "Electron_objIdx"))
        tree.Write()
        out.Close()
    return target


def test_newer_names_of_the_columns_give_the_same(newer_names: Path, repacked: Repacked, two_workers: Dask) -> None:
    names = layout(newer_names, "events").columns
    assert [name in names for name in REFERENCE_COLUMNS] == [False, True]
    older = local_pass(Job.over(THREE, (repacked.path,))).outcome
    assert {cut.name: cut.events for cut in older.cutflow} == CUT_FLOW
    job = Job.over(THREE, (newer_names,))
    for found in (local_pass(job).outcome, two_workers.run(job).outcome):
        compared = compare(older, found, "the older names")
        assert compared.verdict is Physics.EQUAL, compared.differences[:3]
