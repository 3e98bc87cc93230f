"""What a guest sees of its processors and memory, and what its container is made of."""

from __future__ import annotations

import io
import stat
import tarfile
from pathlib import Path

import pytest
from lab.cloud import console_log, cpus, disks, guest, views

CPUINFO = """\
processor\t: 0
model name\t: A Processor
siblings\t: 64
core id\t\t: 7
cpu cores\t: 32
apicid\t\t: 14
initial apicid\t: 14

processor\t: 1
model name\t: A Processor
"""
MEMINFO = "MemTotal:       99999999 kB\nMemFree:        1 kB\nCached:         77 kB\nSwapTotal:      5 kB\n"


@pytest.mark.parametrize(
    ("numbers", "expected"), [([0], "1"), ([0, 1], "3"), (range(32), "ffffffff"), (range(40), "ff,ffffffff")]
)
def test_mask_is_written_as_the_kernel_does(numbers, expected):
    assert cpus.mask(numbers) == expected


def test_processor_lists_are_read():
    assert cpus.parse("0-2,7\n") == [0, 1, 2, 7]
    assert cpus.parse("") == []


def test_guest_gets_the_processors_that_others_use_least():
    assert cpus.least_used([0, 1, 2, 3], 2, ["0", "0-1", "3"]) == [1, 2]
    assert cpus.least_used([0, 1], 1, ["0"]) == [1]
    assert cpus.least_used([0, 1], 1, []) == [0]


def test_guest_with_more_processors_than_the_machine_gets_all():
    assert cpus.least_used([0, 1], 32, ["0"]) == [0, 1]


def test_meminfo_has_the_flavor_size_and_no_swap():
    lines = dict(line.split(":") for line in views.meminfo(MEMINFO, 2048 * 1024).splitlines())
    assert lines["MemTotal"].split() == ["2097152", "kB"]
    assert lines["SwapTotal"].split() == ["0", "kB"]
    assert lines["Cached"].split() == ["77", "kB"]


def test_cpuinfo_is_one_socket_of_the_flavor_cores():
    text = views.cpuinfo(CPUINFO, 3)
    assert [line.split(": ")[1] for line in text.splitlines() if line.startswith("processor")] == ["0", "1", "2"]
    assert {line.split(": ")[1] for line in text.splitlines() if line.startswith("siblings")} == {"3"}
    assert text.count("A Processor") == 3


def test_views_can_be_read_by_every_user_of_the_guest(tmp_path: Path):
    folder = tmp_path / "guest"
    binds = views.write(folder, 2, 4096)
    assert len(binds) == 4
    for path in [folder / "meminfo", folder / "cpuinfo", *(folder / "sys").rglob("*")]:
        if not path.is_symlink():
            assert path.stat().st_mode & stat.S_IROTH, path
    assert (folder / "sys/cpu/online").read_text() == "0-1\n"
    assert (folder / "sys/node/node0/cpulist").read_text() == "0-1\n"


def test_views_of_a_new_flavor_keep_the_files_that_are_bound(tmp_path: Path):
    views.write(tmp_path / "guest", 1, 1024)
    before = [(tmp_path / "guest" / name).stat().st_ino for name in ("meminfo", "cpuinfo", "sys/cpu", "sys/node")]
    views.write(tmp_path / "guest", 2, 2048)
    assert before == [
        (tmp_path / "guest" / name).stat().st_ino for name in ("meminfo", "cpuinfo", "sys/cpu", "sys/node")
    ]
    assert (tmp_path / "guest/cpuinfo").read_text().count("processor") == 2


def test_resolver_is_the_subnet_own():
    assert guest.resolv_conf([["10.77.0.1"], ["10.77.0.1", "9.9.9.9"]], "nameserver 1.1.1.1\n") == (
        "nameserver 10.77.0.1\nnameserver 9.9.9.9\n"
    )


def test_resolver_of_the_machine_without_loopback_when_the_subnet_names_none():
    assert (
        guest.resolv_conf([[]], "search x\nnameserver 127.0.0.53\nnameserver 192.0.2.1\n") == "nameserver 192.0.2.1\n"
    )


def test_first_files_are_the_config_drive_for_root_only_and_a_program_to_start():
    content = guest.first_files([("openstack/latest/user_data", b"#cloud-config\n")], "nameserver 10.77.0.1\n")
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        modes = {entry.name: entry.mode for entry in tar}
    assert modes["var/lib/cloud/seed/config_drive/openstack/latest/user_data"] == 0o600
    assert modes["var/lib/lab/init"] == 0o755


def test_guest_may_not_set_the_clock_and_is_not_privileged():
    limits = {"Memory": 2**30, "MemorySwap": 2**30, "NanoCpus": 10**9, "CpusetCpus": "0"}
    host = guest.definition(
        image="i", hostname="h", mac="", labels={}, limits=limits, binds=[], network=None, endpoint={}
    )["HostConfig"]
    assert "SYS_TIME" in host["CapDrop"]
    assert "Privileged" not in host
    assert host["Memory"] == 2**30


def test_volumes_of_a_guest_are_remembered(tmp_path: Path):
    disks.bind(tmp_path, "/target")
    inode = (tmp_path / "disks").stat().st_ino
    disk = disks.Disk("/dev/vdb", "/volumes/v", 3, "52e4bc1a-1e04-4f1a-a5c5-7f7c2b4f9d11")
    disks.write(tmp_path, [disk])
    assert (tmp_path / "disks").read_text() == "/dev/vdb 3 /dev/disk/by-id/virtio-52e4bc1a-1e04-4f1a-a\n"
    assert (tmp_path / "disks").stat().st_ino == inode
    assert disks.read(tmp_path) == [disk]


KEYS = console_log.BEGIN + b"\r\nssh-ed25519 AAAA root@lab\r\n" + console_log.END


def test_host_keys_are_found_only_when_complete():
    assert console_log.host_key_block(b"boot\r\n" + KEYS + b"\r\nlogin:") == KEYS
    assert console_log.host_key_block(b"boot\r\n" + KEYS[:-3]) is None


def test_host_keys_stay_in_the_log_after_much_output():
    head = b"".join(b"line %d\r\n" % number for number in range(20_000))[: console_log.HEAD_BYTES]
    text = console_log.joined(head, b"the end\r\n", KEYS)
    assert KEYS in text
    assert text.endswith(b"the end\r\n")


def test_short_log_is_told_once():
    assert console_log.joined(b"boot\r\n" + KEYS, b"", KEYS) == b"boot\r\n" + KEYS


def test_beginning_and_end_that_overlap_are_one():
    whole = b"".join(b"line %d\r\n" % number for number in range(9_000))
    assert console_log.joined(whole[: console_log.HEAD_BYTES], whole[-60_000:], None) == whole
