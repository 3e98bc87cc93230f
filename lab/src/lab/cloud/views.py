"""Files that show a guest its flavor's processors and memory in the place of the machine's."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from lab.cloud.cpus import ids, mask

CPU_SYSFS = Path("/sys/devices/system/cpu")
CACHE_FIELDS = (
    "level",
    "type",
    "size",
    "coherency_line_size",
    "number_of_sets",
    "ways_of_associativity",
    "physical_line_partition",
)


def meminfo(host: str, kib: int) -> str:
    """/proc/meminfo of a machine of `kib` KiB without swap; what is not about size is the host's."""
    sizes = {"MemTotal": kib, "MemFree": kib * 3 // 4, "MemAvailable": kib * 7 // 8, "SwapTotal": 0, "SwapFree": 0}

    def line(text: str) -> str:
        name = text.partition(":")[0]
        return f"{name + ':':<16}{sizes[name]:>8} kB" if name in sizes else text

    return "\n".join(line(text) for text in host.splitlines()) + "\n"


def cpuinfo(host: str, vcpus: int) -> str:
    """/proc/cpuinfo of one socket of `vcpus` cores, each a copy of the host's first."""
    first = host.split("\n\n")[0].rstrip("\n")
    numbered = ("processor", "core id", "apicid", "initial apicid")
    counted = ("siblings", "cpu cores")
    field = re.compile(rf"(?m)^({'|'.join(numbered + counted)})(\s*): .*$")

    def core(number: int) -> str:
        def value(match: re.Match[str]) -> str:
            return f"{match[1]}{match[2]}: {number if match[1] in numbered else vcpus}"

        return field.sub(value, first)

    return "".join(core(number) + "\n\n" for number in range(vcpus))


def _write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{value}\n")


def _caches() -> dict[str, dict[str, str]]:
    result: dict[str, dict[str, str]] = {}
    for index in sorted((CPU_SYSFS / "cpu0/cache").glob("index*")):
        fields = {}
        for name in CACHE_FIELDS:
            try:
                fields[name] = (index / name).read_text().strip()
            except OSError:  # not every kernel and processor has them all
                continue
        result[index.name] = fields
    return result


def sys_cpu(folder: Path, vcpus: int) -> None:
    """/sys/devices/system/cpu: one socket of `vcpus` cores of one thread."""
    everyone = range(vcpus)
    for name in ("online", "possible", "present"):
        _write(folder / name, ids(vcpus))
    for name, value in {
        "offline": "",
        "isolated": "",
        "kernel_max": vcpus - 1,
        "smt/active": 0,
        "smt/control": "notsupported",
    }.items():
        _write(folder / name, value)
    if (CPU_SYSFS / "vulnerabilities").is_dir():
        shutil.copytree(CPU_SYSFS / "vulnerabilities", folder / "vulnerabilities", copy_function=shutil.copyfile)
    caches = _caches()
    for number in everyone:
        topology = folder / f"cpu{number}/topology"
        for name in ("thread_siblings", "core_cpus", "cluster_cpus"):
            _write(topology / name, mask([number]))
            _write(topology / f"{name}_list", number)
        for name in ("core_siblings", "package_cpus", "die_cpus"):
            _write(topology / name, mask(everyone))
            _write(topology / f"{name}_list", ids(vcpus))
        for name, value in {"core_id": number, "physical_package_id": 0, "die_id": 0, "cluster_id": number}.items():
            _write(topology / name, value)
        (folder / f"cpu{number}/node0").symlink_to("../../node/node0")
        for index, fields in caches.items():
            cache = folder / f"cpu{number}/cache/{index}"
            shared = fields.get("level", "1") >= "3"
            own = {
                "id": 0 if shared else number,
                "shared_cpu_map": mask(everyone if shared else [number]),
                "shared_cpu_list": ids(vcpus) if shared else number,
            }
            for name, value in {**fields, **own}.items():
                _write(cache / name, value)


def sys_node(folder: Path, vcpus: int, kib: int) -> None:
    """/sys/devices/system/node: one node that has all processors and memory."""
    for name in ("online", "possible", "has_cpu", "has_memory", "has_normal_memory"):
        _write(folder / name, 0)
    for name, value in {
        "cpumap": mask(range(vcpus)),
        "cpulist": ids(vcpus),
        "distance": 10,
        "meminfo": f"Node 0 MemTotal: {kib} kB\nNode 0 MemFree: {kib * 3 // 4} kB",
    }.items():
        _write(folder / "node0" / name, value)
    for number in range(vcpus):
        (folder / f"node0/cpu{number}").symlink_to(f"../../cpu/cpu{number}")


def _in_place(path: Path, text: str) -> None:
    """Write without a new inode: a running guest has this very file bound."""
    with path.open("a+") as file:
        file.truncate(0)
        file.write(text)


def _readable(path: Path) -> None:
    """For everyone in the guest, whatever umask the service runs with."""
    if path.is_symlink():
        return
    path.chmod(0o755 if path.is_dir() else 0o644)
    for entry in path.iterdir() if path.is_dir() else ():
        _readable(entry)


def write(folder: Path, vcpus: int, memory_mib: int) -> list[str]:
    """Write all views below `folder`; returns them as Docker's binds."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kib = memory_mib * 1024
    _in_place(folder / "meminfo", meminfo(Path("/proc/meminfo").read_text(), kib))
    _in_place(folder / "cpuinfo", cpuinfo(Path("/proc/cpuinfo").read_text(), vcpus))
    trees: dict[str, Callable[[Path], None]] = {
        "cpu": lambda path: sys_cpu(path, vcpus),
        "node": lambda path: sys_node(path, vcpus, kib),
    }
    for name, make in trees.items():
        tree = folder / "sys" / name
        # the folder that is bound stays, its content is new
        for entry in tree.iterdir() if tree.is_dir() else ():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        make(tree)
    for name in ("meminfo", "cpuinfo", "sys"):
        _readable(folder / name)
    return [f"{folder}/{name}:/proc/{name}:ro" for name in ("meminfo", "cpuinfo")] + [
        f"{folder}/sys/{name}:/sys/devices/system/{name}:ro" for name in trees
    ]
