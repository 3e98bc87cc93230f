"""The self-test: all workloads on all engines of one machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench import selftest
from bench.engines.model import Engine, Job
from bench.errors import Exit
from bench.measure.equality import Comparison, compare
from bench.terminal import Terminal
from bench.workloads import WORKLOADS, Outcome


@pytest.mark.long
@pytest.mark.timeout(900)
def test_all_workloads_are_equal_on_all_engines(capsys: pytest.CaptureFixture[str]):
    assert selftest.selftest(Terminal()) is Exit.OK
    lines = capsys.readouterr().out.splitlines()
    for name in WORKLOADS:
        rows = [line for line in lines if f"│ {name} " in line]
        assert [row.split("│")[2].strip() for row in rows] == ["serial", "threads", "dask-local"]
        assert all("equal" in row for row in rows[1:])


def test_one_difference_fails_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def broken(engine: Engine, job: Job, reference: Outcome) -> Comparison:
        found = engine.run(job).outcome
        return compare(reference, replace(found, entries=found.entries - 1), "the serial result")

    monkeypatch.setattr(selftest, "checked", broken)
    monkeypatch.setattr(selftest, "WORKLOADS", {"fcc-zee": WORKLOADS["fcc-zee"]})
    monkeypatch.setattr(selftest, "EVENTS", {"fcc-zee": 100})
    assert selftest.selftest(Terminal()) is Exit.INVALID
    assert "unequal" in capsys.readouterr().out
