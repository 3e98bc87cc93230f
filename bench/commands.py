"""What the commands do, apart from the reading of their options."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from .datasets.access import Staging
from .datasets.catalogue import CATALOGUE
from .datasets.describe import FileDescription, describe
from .datasets.files import sha256
from .datasets.generate import GENERATORS
from .datasets.inspect import layout
from .datasets.locate import Source, download, find, locate, own_input
from .datasets.remote import on_this_machine
from .datasets.repack import repack
from .engines.dask import Dask, local_cluster, scheduler
from .engines.htcondor import htcondor_cluster
from .engines.infn import DESCRIPTION as INFN_DESCRIPTION
from .engines.infn import InfnDask
from .engines.kubernetes import Request, check_operator, run_in_cluster
from .engines.local import Serial, Threads
from .engines.model import Engine
from .errors import BenchError, Exit
from .facility.kube import Kube
from .facility.site import kubeconfig_path, load_facility
from .measure.phases import Phases
from .report.acceptance import AcceptResult, analyses_table, verdict_words
from .report.description import description_tables
from .report.exports import to_csv, to_junit, to_openmetrics
from .report.model import RunResult
from .report.page import run_page
from .report.read import read_result
from .report.tables import physics_table, time_table, yields_table
from .report.validation import ValidateResult, remarks, validation_tables
from .report.validation_exports import to_junit as validation_junit
from .report.write import ACCEPT_FILE, RUN_FILE, VALIDATE_FILE, run_folder, write_json, write_texts
from .run import TUNED, exit_status, judge, prepare, run_here
from .terminal import STAND_IN, Terminal
from .validate import exit_status as validate_status
from .validate import observers, validate
from .workloads import WORKLOADS, FccZee, Stop4Body, TaskWorkload, Workload
from .workloads.stop4body_cuts import read_cuts
from .workloads.stop4body_yields import region_yields


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of `bench run`; those with a default are not asked for by every command that runs a workload."""

    workload: str
    inputs: tuple[str, ...]
    engine: str
    repeats: int
    replicas: int | None
    workers: int | None
    entries_per_cluster: int | None
    cuts: str | None
    site: str
    out: Path | None
    infn: bool = False
    scheduler: str | None = None
    staging: Staging = Staging.PULL
    output: Path | None = None
    cold: bool = False
    smearings: int | None = None

    @property
    def mode(self) -> str:
        """The mode in words."""
        return INFN_DESCRIPTION if self.infn else TUNED


def run_workload(options: RunOptions, terminal: Terminal) -> Exit:
    """Run, write, and say what came out."""
    workload = chosen_workload(options)
    result = execute(workload, options, terminal)
    report(result, workload, run_folder(options.out, options.site, "run"), terminal)
    return exit_status(result)


def execute(workload: Workload | TaskWorkload, options: RunOptions, terminal: Terminal) -> RunResult:
    """Run a workload where and how the options say."""
    if options.infn and not options.engine.startswith("dask"):
        raise BenchError(
            f"--mode infn with --engine {options.engine}",
            "the mode is a way to use Dask",
            "Choose --engine dask-local, dask or dask-kubernetes.",
            Exit.CANNOT_TELL,
        )
    if options.infn and isinstance(workload, TaskWorkload):
        raise BenchError(
            f"bench run {workload.name} --mode infn",
            "the mode is a way to run a graph, and this workload is a list of tasks",
            "Leave --mode out.",
            Exit.CANNOT_TELL,
        )
    if options.output and not (isinstance(workload, TaskWorkload) and workload.writes):
        raise BenchError(
            f"bench run {workload.name} --output {options.output}",
            "this workload writes no files",
            "Leave --output out; results go into the folder of --out.",
            Exit.CANNOT_TELL,
        )
    if options.cold and options.engine == "dask":
        raise BenchError(
            f"--cold with --engine {options.engine}",
            "the workers of a running scheduler may have compiled the graph before",
            "Choose an engine that starts workers of its own.",
            Exit.CANNOT_TELL,
        )
    if options.engine == "dask-kubernetes":
        if options.output:
            raise BenchError(
                f"--output {options.output} with --engine dask-kubernetes",
                "the workers' pods share no volume that could be seen from here",
                "Leave --output out: parts are then written, checked and deleted where they are.",
                Exit.CANNOT_TELL,
            )
        return run_on_site(workload, options, terminal)
    return run_here(
        workload,
        options.inputs,
        make_engine(options),
        options.repeats,
        options.replicas,
        terminal,
        options.entries_per_cluster,
        options.mode,
        options.staging,
        options.output,
        options.cold,
    )


def run_on_site(workload: Workload | TaskWorkload, options: RunOptions, terminal: Terminal) -> RunResult:
    """A whole run whose measuring part is a Job in the site's Kubernetes."""
    started, phases = datetime.now(UTC), Phases()
    # Asked before any work is done on the input.
    facility = load_facility(options.site)
    kube = Kube(kubeconfig_path(facility))
    check_operator(facility, kube)
    prepared = prepare(workload, options.inputs, terminal, phases, options.entries_per_cluster, options.staging)
    here = [on_this_machine(path, "--engine dask-kubernetes") for path in prepared.job.paths]
    files = dict(zip(here, prepared.read_sha256, strict=True))
    attached = workload.attachments() if isinstance(workload, TaskWorkload) else ()
    request = Request(
        workload.name,
        files,
        options.repeats,
        options.replicas,
        options.workers,
        options.infn,
        {path: sha256(path) for path in attached},
        options.smearings,
        options.cold,
    )
    measurement = run_in_cluster(request, facility, kube, terminal, phases)
    return judge(
        prepared,
        measurement,
        started,
        phases,
        options.engine,
        options.mode,
        options.site,
        image=facility.analysis_image,
    )


def known_workload(name: str) -> Workload | TaskWorkload:
    """The workload of that name."""
    if name not in WORKLOADS:
        raise BenchError(
            f"bench run {name}", "there is no such workload", f"Known: {', '.join(WORKLOADS)}.", Exit.CANNOT_TELL
        )
    return WORKLOADS[name]


def chosen_workload(options: RunOptions) -> Workload | TaskWorkload:
    """The workload of that name, with the cuts and the smearings that were asked for.

    Raises
    ------
    BenchError
        There is none, or it has not what was to be others; status 2.
    """
    workload = known_workload(options.workload)
    if options.smearings is not None:
        workload = with_smearings(workload, options.smearings)
    return workload if options.cuts is None else with_cuts(workload, options.cuts, options.engine)


def with_smearings(workload: Workload | TaskWorkload, smearings: int) -> Workload:
    """The workload with another number of smearings."""
    if not isinstance(workload, FccZee):
        raise BenchError(
            f"--smearings {smearings} for {workload.name}", "only fcc-zee smears", "Leave it out.", Exit.CANNOT_TELL
        )
    return replace(workload, n_smearings=smearings)


def with_cuts(workload: Workload | TaskWorkload, cuts: str, engine: str) -> Workload:
    """The workload with another set of cuts."""
    if not isinstance(workload, Stop4Body):
        raise BenchError(
            f"--cuts {cuts} for {workload.name}", "only atlas-stop4body reads its cuts from a file", "Leave it out.",
            Exit.CANNOT_TELL,
        )  # fmt: skip
    if engine == "dask-kubernetes":
        raise BenchError(
            f"--cuts {cuts} with --engine {engine}",
            "the Job in the cluster knows the default set only",
            "Leave it out, or choose another engine.",
            Exit.CANNOT_TELL,
        )
    return replace(workload, cuts=read_cuts(cuts))


def make_engine(options: RunOptions) -> Engine:
    """The engine for the options, not yet started."""
    kind = InfnDask if options.infn else Dask
    cores = len(os.sched_getaffinity(0))
    if options.engine == "threads":
        return Threads(options.workers)
    if options.engine == "dask-local":
        workers = options.workers or cores
        return kind(options.engine, local_cluster(workers), workers)
    if options.engine == "dask":
        if not options.scheduler:
            raise BenchError(
                "--engine dask", "no scheduler is named", "Add --scheduler tcp://host:port.", Exit.CANNOT_TELL
            )
        return kind(options.engine, scheduler(options.scheduler), options.workers)
    if options.engine == "htcondor":
        if not options.workers:
            why = "a pool has no number of its own"
            raise BenchError("--engine htcondor", why, "Say how many jobs with --workers.", Exit.CANNOT_TELL)
        return kind(options.engine, htcondor_cluster(options.workers), options.workers)
    return Serial()


def report(result: RunResult, workload: Workload | TaskWorkload, folder: Path, terminal: Terminal) -> None:
    """Write the result and show it."""
    path = write_run(result, folder)
    show_run(result, workload, terminal)
    terminal.say(f"result: {path}; page: {path.with_suffix('.html')}")


def write_run(result: RunResult, folder: Path) -> Path:
    """Write the result in all its formats; the path of the JSON."""
    path = folder / RUN_FILE
    write_json(path, result)
    write_texts(
        folder,
        {
            "run.csv": to_csv(result),
            "run.xml": to_junit(result),
            "run.prom": to_openmetrics(result),
            "run.html": run_page(result),
        },
    )
    return path


def show_run(result: RunResult, workload: Workload | TaskWorkload, terminal: Terminal) -> None:
    """Show the result of a run."""
    terminal.mark = STAND_IN if result.input.stand_in else terminal.mark
    terminal.show(physics_table(result, workload.mass_histogram))
    if isinstance(workload, Stop4Body):
        terminal.show(yields_table(region_yields(result.yields), workload.cuts.provenance))
    as_it_is = not result.input.repacked
    if isinstance(workload, FccZee) and as_it_is and result.fit and result.fit.histogram == workload.mass_histogram:
        terminal.say("not smeared: the input has not the columns that identify events (bench data repack writes them)")
    terminal.show(time_table(result))
    for comparison in result.measurement.comparisons:
        for difference in comparison.differences[:10]:
            terminal.say(f"against {comparison.compared_with}: {difference}")
        if len(comparison.differences) > 10:
            terminal.say(f"… and {len(comparison.differences) - 10} more")
    if not result.valid:
        terminal.say("INVALID: this result must not be used")


def validate_site(site: str, out: Path | None, quick: bool, terminal: Terminal) -> Exit:
    """Look at a site, write what was found, and say it."""
    result = validate(site, observers(site), terminal, quick)
    path = write_validation(result, run_folder(out, site, "validate"))
    show_validation(result, terminal)
    terminal.say(f"result: {path}")
    return validate_status(result)


def write_validation(result: ValidateResult, folder: Path) -> Path:
    """Write what was found on a site; the path of the JSON."""
    path = folder / VALIDATE_FILE
    write_json(path, result)
    write_texts(folder, {"validate.xml": validation_junit(result)})
    return path


def show_validation(result: ValidateResult, terminal: Terminal) -> None:
    """Show what was found on a site."""
    for table in validation_tables(result):
        terminal.show(table)
    for line in remarks(result):
        terminal.say(line)


def show_acceptance(result: AcceptResult, terminal: Terminal) -> None:
    """Show what was found on a site, and what analyses made of it."""
    show_validation(result.validation, terminal)
    terminal.show(analyses_table(result))
    for line in verdict_words(result):
        terminal.say(line)


def show_results(folders: Sequence[Path], terminal: Terminal) -> None:
    """Show results that were written before."""
    for folder in folders:
        found = False
        if (path := folder / ACCEPT_FILE).is_file():
            found = True
            show_acceptance(read_result(path, AcceptResult), terminal)
        if (path := folder / VALIDATE_FILE).is_file():
            found = True
            show_validation(read_result(path, ValidateResult), terminal)
        if (path := folder / RUN_FILE).is_file():
            found = True
            result = read_result(path, RunResult)
            show_run(result, known_workload(result.workload), terminal)
        if not found:
            raise BenchError(
                f"{folder} cannot be shown",
                f"it holds neither {RUN_FILE} nor {VALIDATE_FILE} nor {ACCEPT_FILE}",
                "Name a folder that --out has filled.",
                Exit.CANNOT_TELL,
            )
        terminal.say(f"result: {folder}")


def list_data(terminal: Terminal) -> None:
    """Show the catalogue."""
    table = Table(title="inputs", title_justify="left")
    for column in ("name", "what", "entries", "bytes", "where", "sha256"):
        table.add_column(column, overflow="fold")
    for dataset in CATALOGUE.values():
        source = find(dataset)
        where = f"{source.path} ({source.origin})" if source else f"not here: {dataset.url}"
        table.add_row(
            dataset.name, dataset.title, f"{dataset.entries:,}", f"{dataset.size_bytes:,}", where, dataset.sha256
        )
    for name, each in GENERATORS.items():
        size = f"about {each.events * each.bytes_per_event:,}"
        table.add_row(name, f"{each.title}: stand-in", f"{each.events:,}", size, f"bench data generate {name}", "")
    terminal.show(table)


def describe_data(
    inputs: Sequence[str], tree: str | None, slots: int | None, as_json: bool, all_branches: bool, terminal: Terminal
) -> None:
    """Show what is in files, or print it as a JSON array."""
    found: list[FileDescription] = []
    for named in inputs:
        if named in CATALOGUE:
            # The file itself or an error: a description of generated events would be taken for the file's.
            source = find(CATALOGUE[named]) or download(CATALOGUE[named], terminal)
        else:
            source = own_input(named, Staging.REMOTE, terminal)
        slots = slots or len(os.sched_getaffinity(0))
        found.append(describe(source.path, source.origin, source.checksum, slots, tree))
    if as_json:
        print(json.dumps([each.model_dump() for each in found], indent=2))
        return
    for each in found:
        for table in description_tables(each, all_branches):
            terminal.show(table)
        for remark in each.remarks:
            terminal.say(f"{each.file}: {remark}")


def fetch_data(name: str, terminal: Terminal) -> Source:
    """Have an input of the catalogue here: the real one, or an error."""
    if name not in CATALOGUE:
        raise BenchError(
            f"bench data: {name}", "there is no such input", f"Known: {', '.join(CATALOGUE)}.", Exit.CANNOT_TELL
        )
    dataset = CATALOGUE[name]
    source = find(dataset) or download(dataset, terminal)
    terminal.say(f"{source.path} ({source.origin}), sha256 {source.sha256}")
    return source


def repack_data(input_name: str, entries_per_cluster: int, tree: str, terminal: Terminal) -> None:
    """Rewrite an input in small clusters."""
    if input_name in CATALOGUE:
        source, tree = locate(CATALOGUE[input_name], terminal), CATALOGUE[input_name].tree
    else:
        source = own_input(input_name, Staging.PULL, terminal)
    original = on_this_machine(source.path, "data repack")
    with terminal.step(f"{source.path} in clusters of {entries_per_cluster} entries"):
        copy = repack(original, source.sha256, tree, entries_per_cluster)
    before, after = layout(source.path, tree), layout(copy.path, tree)
    terminal.say(f"{copy.path}, sha256 {copy.sha256}")
    terminal.say(f"{after.entries:,} entries, {before.n_clusters} → {after.n_clusters} clusters; all branches equal")
