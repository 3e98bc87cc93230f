"""The command `bench`."""

from __future__ import annotations

import errno
import os
import signal
import sys
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from . import grid_commands
from .datasets.access import Staging
from .errors import BenchError, Exit, Unreadable
from .terminal import Terminal

app = typer.Typer(
    name="bench",
    help="Prove that an analysis facility has what was ordered, and that analyses scale on it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
data = typer.Typer(help="Inputs: list, fetch, describe, generate, cut into small clusters.", no_args_is_help=True)
app.add_typer(data, name="data")
app.add_typer(grid_commands.app)

DEFAULT_SITE = "lab"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class EngineName(StrEnum):
    """Where a workload runs."""

    SERIAL = "serial"
    THREADS = "threads"
    DASK_LOCAL = "dask-local"
    DASK = "dask"
    DASK_KUBERNETES = "dask-kubernetes"
    HTCONDOR = "htcondor"


class Mode(StrEnum):
    """How Dask is used."""

    TUNED = "tuned"
    INFN = "infn"


class SweepName(StrEnum):
    """What a sweep changes from run to run."""

    WORKERS = "workers"
    WEAK = "weak"
    VARIATIONS = "variations"
    BRANCHES = "branches"
    IO = "io"


class StagingStrategy(StrEnum):
    """How a simulated input comes to the nodes."""

    UPLOAD = "upload"
    PULL = "pull"


Site = Annotated[str, typer.Option(help="Name of the site: a folder in inventory/.")]
Out = Annotated[Path | None, typer.Option(help="Folder for the results [default: .facility/SITE/runs/…].")]
Smearings = Annotated[
    int | None, typer.Option(min=0, help="fcc-zee: how many times the energies are smeared [default: 2].")
]


@app.command()
def run(
    workload: Annotated[
        str,
        typer.Argument(
            help="Which analysis: fcc-zee, atlas-stop4body, atlas-slimming, cms-tprime-skim, cms-tprime, "
            "cms-tprime-select, ml-scan."
        ),
    ],
    input: Annotated[
        list[str] | None,
        typer.Option(help="Input: a path, file:// or root:// address; may be repeated [default: the real file]."),
    ] = None,
    engine: Annotated[EngineName, typer.Option(help="Where it runs.")] = EngineName.SERIAL,
    mode: Annotated[Mode, typer.Option(help="tuned, or as the notebooks of INFN Napoli use Dask.")] = Mode.TUNED,
    repeats: Annotated[int, typer.Option(min=1, help="Timed passes of each kind, in turns; the median counts.")] = 5,
    replicas: Annotated[
        int | None, typer.Option(min=1, help="How many times the input is read [default: 2 s of serial work].")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of Dask workers [default: one for each core or node].")
    ] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of the Dask scheduler, for --engine dask.")] = None,
    entries_per_cluster: Annotated[int, typer.Option(min=1, help="Entries in a cluster of the repacked input.")] = 250,
    repack: Annotated[bool, typer.Option(help="Rewrite the input in small clusters before it is read.")] = True,
    staging: Annotated[
        Staging, typer.Option(help="Inputs at root://…: copied to the cache, or read where they lie.")
    ] = Staging.PULL,
    cuts: Annotated[
        str | None, typer.Option(help="atlas-stop4body: 139ifb, 36ifb or a YAML file of cuts [default: 139ifb].")
    ] = None,
    smearings: Smearings = None,
    cold: Annotated[
        bool, typer.Option("--cold", help="Time one more pass of each kind, in processes that have compiled nothing.")
    ] = False,
    site: Site = DEFAULT_SITE,
    out: Out = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the files that the workload writes [default: they are deleted].")
    ] = None,
) -> None:
    """Run an analysis serially and distributed, and compare the results bin by bin."""
    from .commands import RunOptions, run_workload

    options = RunOptions(
        workload=workload,
        inputs=tuple(input or ()),
        engine=str(engine),
        infn=mode is Mode.INFN,
        repeats=repeats,
        replicas=replicas,
        workers=workers,
        scheduler=scheduler,
        entries_per_cluster=entries_per_cluster if repack else None,
        staging=staging,
        cuts=cuts,
        smearings=smearings,
        cold=cold,
        site=site,
        out=out,
        output=output,
    )
    raise typer.Exit(run_workload(options, Terminal()))


@app.command()
def validate(
    site: Site = DEFAULT_SITE,
    quick: Annotated[bool, typer.Option("--quick", help="Of what is measured only the burn of all cores.")] = False,
    out: Out = None,
) -> None:
    """Compare a site with what was ordered. Status 1: it is not that, 2: could not tell, 3: it changed meanwhile."""
    from .commands import validate_site

    raise typer.Exit(validate_site(site, out, quick, Terminal()))


@app.command()
def accept(
    site: Site = DEFAULT_SITE,
    quick: Annotated[
        bool, typer.Option("--quick", help="One analysis, and of the nodes only the burn of all cores.")
    ] = False,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Timed passes of each kind for each analysis [default: 5; --quick: 3].")
    ] = None,
    out: Out = None,
) -> None:
    """Is a site what was ordered, and do analyses scale on it? Status 0: yes, 1: no, 2: could not tell, 3: invalid."""
    from .accepting import accept as accept_site

    raise typer.Exit(accept_site(site, out, quick, repeats, Terminal()))


@app.command()
def scale(
    workload: Annotated[str, typer.Argument(help="Which analysis, as for bench run.")],
    workers: Annotated[
        str | None,
        typer.Option(help="Numbers of workers, as 1,2,4 [default: in powers of two, up to the cores delivered]."),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Timed passes of each kind for each number, in turns.")] = 5,
    site: Site = DEFAULT_SITE,
    out: Out = None,
) -> None:
    """Count the cores of a site, then run an analysis with more and more workers. Status 1: below the site's floor."""
    from .accepting import numbers
    from .accepting import scale as scale_on_site

    raise typer.Exit(scale_on_site(site, out, workload, numbers(workers), repeats, Terminal()))


@app.command()
def selftest(
    speed: Annotated[
        bool,
        typer.Option(
            "--speed", help="Measure ratios of times instead: many minutes, on a machine that nobody else uses."
        ),
    ] = False,
) -> None:
    """Run every workload, small, on every engine of this machine, and compare the results. Status 3: one differs."""
    if speed:
        from .speed import speed as measure_all

        raise typer.Exit(measure_all(Terminal()))
    from .selftest import selftest as compare_all

    raise typer.Exit(compare_all(Terminal()))


@app.command()
def show(folders: Annotated[list[Path], typer.Argument(help="Folders of results, as given with --out.")]) -> None:
    """Show results of earlier commands again."""
    from .commands import show_results

    show_results(folders, Terminal())


@app.command("train-tagger")
def train_tagger_command(
    out: Annotated[Path, typer.Option(help="Folder for the networks.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of events and weights.")] = 4,
) -> None:
    """Train the top tagger of cms-tprime-skim again; the default seed gives the weights that are shipped."""
    from .training import train_tagger

    train_tagger(out, seed, Terminal())


@app.command()
def compare(
    earlier: Annotated[Path, typer.Argument(help="Folder of a run or of bench accept, as given with --out.")],
    later: Annotated[
        Path, typer.Argument(help="Folder of another one, of the same workload on the same input, or of the same site.")
    ],
    threshold: Annotated[float, typer.Option(min=0, help="Share by which a figure may become worse.")] = 0.1,
) -> None:
    """Say what differs between two runs, or two results of bench accept, and not by chance. Status 1: a regression."""
    from .comparing import compare_runs
    from .comparing_acceptance import compare_acceptances, is_acceptance

    both = compare_acceptances if is_acceptance(earlier) and is_acceptance(later) else compare_runs
    raise typer.Exit(both(earlier, later, threshold, Terminal()))


@app.command()
def history(folder: Annotated[Path, typer.Argument(help="Folder with runs somewhere below it.")]) -> None:
    """List runs, oldest first, and say where a time changed, and not by chance."""
    from .comparing import history as show_history

    show_history(folder, Terminal())


@app.command("compare-modes")
def compare_modes(
    workload: Annotated[str, typer.Argument(help="Which analysis: fcc-zee, atlas-stop4body or cms-tprime.")],
    input: Annotated[list[str] | None, typer.Option(help="Input, as for bench run.")] = None,
    engine: Annotated[EngineName, typer.Option(help="dask-local, or dask.")] = EngineName.DASK_LOCAL,
    repeats: Annotated[int, typer.Option(min=1, help="Timed passes of each mode, in turns; the median counts.")] = 5,
    replicas: Annotated[
        int | None, typer.Option(min=1, help="How many times the input is read [default: 2 s of serial work].")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Number of workers [default: one for each core].")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of the Dask scheduler, for --engine dask.")] = None,
    entries_per_cluster: Annotated[int, typer.Option(min=1, help="Entries in a cluster of the repacked input.")] = 250,
    cuts: Annotated[str | None, typer.Option(help="Cuts of atlas-stop4body, as for bench run.")] = None,
    smearings: Smearings = None,
    site: Site = DEFAULT_SITE,
    out: Out = None,
) -> None:
    """Run the modes tuned and infn on the same input. Status 3, and no ratio: yields differ, or times are disturbed."""
    from .commands import RunOptions
    from .modes import compare_modes as run_both

    options = RunOptions(
        workload=workload,
        inputs=tuple(input or ()),
        engine=str(engine),
        repeats=repeats,
        replicas=replicas,
        workers=workers,
        scheduler=scheduler,
        entries_per_cluster=entries_per_cluster,
        cuts=cuts,
        smearings=smearings,
        site=site,
        out=out,
    )
    raise typer.Exit(run_both(options, Terminal()))


@app.command()
def sweep(
    kind: Annotated[
        SweepName,
        typer.Argument(
            help="workers: more for the same input; weak: more for more input; variations: more of them; "
            "branches: a larger share, only read; io: more workers that only read."
        ),
    ],
    workload: Annotated[str, typer.Argument(help="Which analysis, as for bench run.")],
    at: Annotated[
        list[float] | None, typer.Option(help="A value to take; may be repeated [default: what suits the sweep].")
    ] = None,
    input: Annotated[list[str] | None, typer.Option(help="Input, as for bench run.")] = None,
    engine: Annotated[EngineName, typer.Option(help="Where it runs.")] = EngineName.DASK_LOCAL,
    repeats: Annotated[int, typer.Option(min=1, help="Timed passes of each kind for each value, in turns.")] = 5,
    replicas: Annotated[
        int | None, typer.Option(min=1, help="How many times the input is read, in the first run.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Number of workers, where that is not changed.")] = None,
    entries_per_cluster: Annotated[int, typer.Option(min=1, help="Entries in a cluster of the repacked input.")] = 250,
    cuts: Annotated[str | None, typer.Option(help="Cuts of atlas-stop4body, as for bench run.")] = None,
    site: Site = DEFAULT_SITE,
    out: Out = None,
) -> None:
    """Run an analysis again and again with one thing changed, and say how it scales. Status 3: a run is invalid."""
    from .commands import RunOptions
    from .sweeping import sweep as run_sweep

    options = RunOptions(
        workload=workload,
        inputs=tuple(input or ()),
        engine=str(engine),
        repeats=repeats,
        replicas=replicas,
        workers=workers,
        entries_per_cluster=entries_per_cluster,
        cuts=cuts,
        site=site,
        out=out,
    )
    raise typer.Exit(run_sweep(kind.value, options, at or (), Terminal()))


@app.command()
def simulate(
    result: Annotated[Path, typer.Argument(help="Folder or JSON file of a measured bench run or bench sweep workers.")],
    workers: Annotated[
        str | None, typer.Option(help="Numbers of workers, as 1,2,4,1000 [default: in powers of two up to 32].")
    ] = None,
    input_times: Annotated[int, typer.Option(min=1, help="An input that is so many times as long.")] = 1,
    cores: Annotated[
        float | None, typer.Option(min=1, help="Cores that the measured workers had together [default: as recorded].")
    ] = None,
    data_bytes: Annotated[float | None, typer.Option(min=1, help="Size of an input to bring to all nodes.")] = None,
    staging: Annotated[
        StagingStrategy, typer.Option(help="upload: to one node after the other; pull: all nodes fetch it at a time.")
    ] = StagingStrategy.UPLOAD,
    staging_rate: Annotated[float | None, typer.Option(min=1e-3, help="MB/s of one node.")] = None,
    server_rate: Annotated[
        float | None, typer.Option(min=1e-3, help="MB/s of the server that nodes pull from, all together.")
    ] = None,
    workers_per_node: Annotated[int, typer.Option(min=1, help="Workers that share a node's copy.")] = 1,
    repeats: Annotated[int, typer.Option(min=1, help="Simulated passes for each number; the median counts.")] = 3,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    site: Site = DEFAULT_SITE,
    out: Out = None,
) -> None:
    """Predict a measured analysis on more workers, with Dask's own scheduler. Status 2: measured points deny it."""
    from .accepting import numbers
    from .simulating import SimulateOptions
    from .simulating import simulate as simulate_run
    from .simulation.staging import staging_plan

    options = SimulateOptions(
        result=result,
        workers=numbers(workers),
        input_times=input_times,
        cores=cores,
        staging=staging_plan(data_bytes, staging.value, staging_rate, server_rate, workers_per_node),
        repeats=repeats,
        as_json=json,
        site=site,
        out=out,
    )
    raise typer.Exit(simulate_run(options, Terminal()))


@app.command()
def status(
    site: Site = DEFAULT_SITE,
    page: Annotated[Path | None, typer.Option(help="Write it as an HTML page too.")] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Who uses a site now: cores promised and used, users, what waits, and how long its certificates are good."""
    from .status import show_status

    raise typer.Exit(show_status(site, page, json, Terminal()))


@app.command("in-cluster", hidden=True)
def in_cluster() -> None:
    """The part of --engine dask-kubernetes that runs in the cluster."""
    from .engines import incluster

    incluster.main()


@data.command("list")
def data_list() -> None:
    """What inputs are known, and where they are on this machine."""
    from .commands import list_data

    list_data(Terminal())


@data.command("fetch")
def data_fetch(name: Annotated[str, typer.Argument(help="Name in `bench data list`.")]) -> None:
    """Make an input available on this machine, with its checksum checked."""
    from .commands import fetch_data

    fetch_data(name, Terminal())


@data.command("describe")
def data_describe(
    inputs: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Names in `bench data list`, paths, file:// or root://.")
    ],
    tree: Annotated[str | None, typer.Option(help="Only this tree [default: all].")] = None,
    slots: Annotated[
        int | None, typer.Option(min=1, help="Tasks at a time that there should be clusters for [default: cores].")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON, every branch.")] = False,
    all_branches: Annotated[bool, typer.Option("--all-branches", help="List every branch.")] = False,
) -> None:
    """What is in a file: entries, branches, compression, clusters; and whether these are enough for the slots."""
    from .commands import describe_data

    describe_data(inputs, tree, slots, json, all_branches, Terminal())


@data.command("generate")
def data_generate(
    dataset: Annotated[str, typer.Argument(help="fcc-zee, atlas-stop4body, atlas-slimming or cms-tprime-skim.")],
    folder: Annotated[Path, typer.Option(help="Where a folder with the files is made.")] = Path(),
    events: Annotated[int | None, typer.Option(min=1, help="How many [default: as many as the real files].")] = None,
    gigabytes: Annotated[float | None, typer.Option(min=1e-6, help="How much, instead (10⁹ bytes).")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 1,
    processes: Annotated[int | None, typer.Option(min=1, help="Files written at a time [default: cores].")] = None,
) -> None:
    """Generate files with the columns of real ones, for where these cannot be had: no real physics."""
    from .generating import generate_data

    generate_data(dataset, folder, events, gigabytes, seed, processes, Terminal())


@data.command("repack")
def data_repack(
    input: Annotated[str, typer.Argument(help="Name in `bench data list`, or a file.")],
    entries_per_cluster: Annotated[int, typer.Option(min=1, help="Entries in a cluster.")] = 250,
    tree: Annotated[str, typer.Option(help="Name of the tree.")] = "events",
) -> None:
    """Rewrite an input in small clusters, with a column that numbers its entries."""
    from .commands import repack_data

    repack_data(input, entries_per_cluster, tree, Terminal())


def end_on_signal(number: int, _frame: FrameType | None) -> None:
    """End as if by an exception, with the status that a shell gives such an end: no verdict's."""
    sys.exit(128 + number)


def main() -> None:
    """Entry point: errors are told in words, not as a traceback."""
    # A request to end unwinds the stack, so that what was started is taken back: here and in the cluster's Job.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end_on_signal)
    try:
        app()
    except BenchError as error:
        print(f"bench: {error.what}\n  why: {error.why}\n  next: {error.next_step}", file=sys.stderr)
        if isinstance(error, Unreadable):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(error.status)
        sys.exit(error.status)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        what = f"bench: {error.filename or 'the result'} cannot be written"
        print(f"{what}\n  why: {error.strerror}\n  next: Make room on that disk, or write elsewhere.", file=sys.stderr)
        sys.exit(Exit.CANNOT_TELL)
