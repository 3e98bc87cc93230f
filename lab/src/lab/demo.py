"""The whole chain on this machine, stage by stage, each one timed: what `make demo` runs.

Every stage is a command a person could type; all of them may be run again, so an interrupted demo goes on when it is
typed again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

SITE = "lab"
# The folder in which `bench accept --quick` leaves its one analysis.
ANALYSIS = "fcc-zee"
TAIL_LINES = 40


@dataclass(frozen=True)
class Stage:
    """One command of the chain.

    Attributes
    ----------
    name : what the table calls it
    command : argument vector, run in the checkout
    quiet : whether its output goes to a log file, with only the last line on the terminal
    reference_s : seconds the same step took when it was first done by hand on 2 cores, where that was measured
    forgive : says of an exit status other than 0 whether the chain may go on all the same
    """

    name: str
    command: Sequence[str]
    quiet: bool = False
    reference_s: float | None = None
    forgive: Callable[[int], bool] = lambda status: False


@dataclass(frozen=True)
class Timing:
    name: str
    seconds: float
    reference_s: float | None


class StageFailed(Exception):
    """A stage ended with another exit status than 0."""

    def __init__(self, stage: Stage, status: int, log: Path | None) -> None:
        super().__init__(f"{stage.name}: `{' '.join(stage.command)}` ended with status {status}")
        self.log = log


def stages(bin_dir: Path, out: Path) -> list[Stage]:
    """The chain, in order; `out` is the folder that gets the results of `bench`."""

    def tool(name: str) -> str:
        return str(bin_dir / name)

    return [
        Stage("embedded OpenStack", [tool("lab"), "up"], reference_s=22),
        Stage("artefacts and images", [tool("lab"), "artifacts"]),
        Stage("terraform init", ["terraform/tf", SITE, "init"], quiet=True, reference_s=1),
        Stage("terraform apply", ["terraform/tf", SITE, "apply", "-auto-approve"], quiet=True, reference_s=31),
        Stage(
            "ansible-playbook site.yml",
            [tool("ansible-playbook"), "-i", f"inventory/{SITE}/openstack.yml", "playbooks/site.yml"],
            quiet=True,
        ),
        Stage(
            "nodes, cores and an analysis",
            [tool("bench"), "accept", "--quick", "--site", SITE, "--out", str(out / "accept")],
            forgive=lambda status: only_disturbed(status, out / "accept" / "accept.json"),
        ),
    ]


def only_disturbed(status: int, result: Path) -> bool:
    """Whether `bench accept` calls its result invalid for its times alone: the machine was busy, the physics is equal.

    The lab's guests share this machine with all else that runs on it, so that is no fault of the chain; the table says
    that there is no speed-up to be told.
    """
    try:
        analyses = json.loads(result.read_text())["analyses"]
        return status == 3 and bool(analyses) and all(each["physics"] == "equal" for each in analyses)
    except (OSError, ValueError, KeyError):
        return False


def last_line(path: Path) -> str:
    """The last line with text of a log that may still grow; empty when there is none."""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - 4096))
        lines = log.read().decode(errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def run(stage: Stage, cwd: Path, env: dict[str, str], logs: Path, console: Console) -> Timing:
    """Run one stage; raises StageFailed when it does not end with status 0."""
    started = time.monotonic()
    console.rule(f"[bold]{stage.name}", align="left")
    log = logs / (stage.name.split(",")[0].replace(" ", "-") + ".log") if stage.quiet else None
    with ExitStack() as stack:
        out = stack.enter_context(log.open("wb")) if log else None
        process = subprocess.Popen(stage.command, cwd=cwd, env=env, stdout=out, stderr=out and subprocess.STDOUT)
        try:
            if log and console.is_terminal:
                status = stack.enter_context(console.status(" ".join(stage.command)))
                while process.poll() is None:
                    status.update(f"{time.monotonic() - started:4.0f} s  {last_line(log)[: console.width - 12]}")
                    time.sleep(0.2)
            returncode = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if returncode and not stage.forgive(returncode):
        raise StageFailed(stage, returncode, log)
    seconds = time.monotonic() - started
    told = f", output in {log}" if log else ""
    console.print(f"{stage.name}: {seconds:.1f} s{told}", soft_wrap=True, highlight=False)
    return Timing(stage.name, round(seconds, 1), stage.reference_s)


def memory_used_mib() -> float:
    """Memory of the machine in use (total less available), MiB, as /proc/meminfo tells."""
    values = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return (int(values["MemTotal"].split()[0]) - int(values["MemAvailable"].split()[0])) / 1024


class MemoryPeak:
    """The most memory of the machine that was in use while the block ran, sampled once a second, MiB."""

    def __init__(self, sample: Callable[[], float] = memory_used_mib, every_s: float = 1.0) -> None:
        self.peak_mib = 0.0
        self._sample, self._every_s, self._done = sample, every_s, threading.Event()

    def __enter__(self) -> MemoryPeak:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while True:
            self.peak_mib = max(self.peak_mib, self._sample())
            if self._done.wait(self._every_s):
                return

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def table(timings: Sequence[Timing], peak_mib: float) -> Table:
    result = Table(title="Stages", title_justify="left")
    result.add_column("stage")
    result.add_column("seconds", justify="right")
    result.add_column("by hand", justify="right")
    for timing in timings:
        reference = "" if timing.reference_s is None else f"{timing.reference_s:.0f}"
        result.add_row(timing.name, f"{timing.seconds:.1f}", reference)
    result.add_section()
    result.add_row("all", f"{sum(timing.seconds for timing in timings):.1f}", "")
    result.caption = f"most memory of the machine in use: {peak_mib / 1024:.1f} GiB"
    return result


def write_result(path: Path, timings: Sequence[Timing], peak_mib: float, out: Path, kubeconfig: Path) -> None:
    result = {
        "stages": [asdict(timing) for timing in timings],
        "peak_memory_mib": round(peak_mib),
        "accept": str(out / "accept"),
        "page": str(out / "accept" / "accept.html"),
        "kubeconfig": str(kubeconfig),
    }
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(result, indent=2) + "\n")
    temporary.replace(path)


def main(checkout: Path) -> int:
    """Run the chain in `checkout`; returns the exit status."""
    console = Console()
    facility = checkout / ".facility" / SITE
    out = facility / "runs" / time.strftime("%Y%m%dT%H%M%S")
    logs = out / "logs"
    logs.mkdir(parents=True, mode=0o700)
    bin_dir = checkout / ".venv" / "bin"
    env = {
        **os.environ,
        "PATH": f"{bin_dir}:{os.environ['PATH']}",
        "OS_CLIENT_CONFIG_FILE": str(facility / "clouds.yaml"),
        # logs are read as they are
        "ANSIBLE_FORCE_COLOR": "0",
        "TF_CLI_ARGS": "-no-color",
        "PYTHONUNBUFFERED": "1",
    }
    timings: list[Timing] = []
    with MemoryPeak() as memory:
        for stage in stages(bin_dir, out):
            try:
                timings.append(run(stage, checkout, env, logs, console))
            except StageFailed as error:
                if error.log:
                    lines = error.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
                    console.print("\n".join(lines), markup=False, highlight=False)
                    console.print(f"the whole output: {error.log}")
                console.print(f"[bold red]{error}")
                console.print("What was done stays; `make demo` goes on from there, `lab down` takes it away.")
                return 1
            except KeyboardInterrupt:
                console.print("interrupted; `make demo` goes on from here, `lab down` takes it away")
                return 130
    write_result(facility / "demo.json", timings, memory.peak_mib, out, facility / "kubeconfig")
    console.rule("[bold]Result", align="left")
    console.print(table(timings, memory.peak_mib))
    sys.stdout.flush()
    accept = out / "accept"
    shown = subprocess.run([str(bin_dir / "bench"), "show", str(accept), str(accept / ANALYSIS)], env=env)
    console.print(f"page: {accept / 'accept.html'}", soft_wrap=True, highlight=False)
    console.print(f"this result: {facility / 'demo.json'}", soft_wrap=True, highlight=False)
    console.print(f"kubeconfig: {facility / 'kubeconfig'}", soft_wrap=True, highlight=False)
    # what `bench show` thinks of the times was told, and forgiven, where they were taken
    return 0 if shown.returncode in (0, 3) else shown.returncode
