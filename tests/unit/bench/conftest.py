"""Inputs and places for the tests of `bench`: nothing outside pytest's folders is written."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench_inputs import ZEE
from rich.console import Console

from bench.datasets.locate import find
from bench.datasets.repack import Repacked, repack
from bench.datasets.standin import make_stand_in
from bench.engines.dask import Dask, local_cluster
from bench.terminal import Terminal


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of the tests' own."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def in_own_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests cache goes there; other tests of the same session see the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))


@pytest.fixture(scope="session")
def real_file() -> Path:
    source = find(ZEE)
    if source is None:
        pytest.skip(f"{ZEE.file_name} is neither in $BENCH_DATA nor in shared/data beside the checkout")
    return source.path


@pytest.fixture(scope="session")
def repacked(real_file: Path, cache: Path) -> Repacked:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        return repack(real_file, ZEE.sha256, ZEE.tree)


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_stand_in(tmp_path_factory.mktemp("stand-in"), "fcc-zee", 2000)


class Running(Dask):
    """An engine that is left running when a run enters and leaves it."""

    def __init__(self, engine: Dask) -> None:
        self.__dict__.update(engine.__dict__)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        return None


@pytest.fixture(scope="session")
def two_workers(cache: Path) -> Iterator[Dask]:
    """Two Dask workers, for all tests that leave them as they are."""
    with pytest.MonkeyPatch.context() as patch:
        # What the workers' processes start with.
        patch.setenv("XDG_CACHE_HOME", str(cache))
        engine = Dask("dask-local", local_cluster(2), 2).__enter__()
    try:
        yield Running(engine)
    finally:
        engine.__exit__(None, None, None)


@pytest.fixture
def said() -> io.StringIO:
    """What was said on the terminal."""
    return io.StringIO()


@pytest.fixture
def terminal(said: io.StringIO) -> Terminal:
    return Terminal(Console(file=said, highlight=False))
