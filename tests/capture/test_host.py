"""The host fact on captured trees of other machines, and on this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture import machines
from hpcprov.capture import host


def test_epyc(tmp_path: Path) -> None:
    facts = host.cpu(machines.write(tmp_path, machines.EPYC | machines.cpu_tree(2, 64, 2)), "self")
    assert facts == {
        "model": "AMD EPYC 7763 64-Core Processor",
        "vendor": "AuthenticAMD",
        "sockets": 2,
        "cores": 128,
        "threads": 256,
        "affinity": {"list": "0-3,128", "count": 5},
        "isa": ["sse4_2", "avx", "avx2", "fma"],
    }


def test_processors_without_a_topology_come_from_cpuinfo(tmp_path: Path) -> None:
    facts = host.cpu(machines.write(tmp_path, machines.EPYC), "self")
    assert (facts["sockets"], facts["cores"], facts["threads"]) == (1, 2, 2)


def test_arm_has_no_model_name(tmp_path: Path) -> None:
    facts = host.cpu(machines.write(tmp_path, machines.GRACE | machines.cpu_tree(1, 72, 1)), "self")
    assert facts["model"] == "0xd4f" and facts["vendor"] == "0x41" and facts["cores"] == 72
    assert facts["isa"] == ["asimd", "asimdhp", "sve", "sve2", "bf16"]


def test_power(tmp_path: Path) -> None:
    facts = host.cpu(machines.write(tmp_path, machines.POWER9), "self")
    assert facts["model"] == "POWER9, altivec supported" and facts["threads"] == 2
    assert facts["affinity"] == {"reason": "the kernel does not tell"}


def test_memory(tmp_path: Path) -> None:
    assert host.memory(machines.write(tmp_path, machines.EPYC), "self") == {
        "total": 263814952 * 1024,
        "swap": 0,
        "hugepages": {"count": 16, "size": 2048 * 1024},
        "transparent_hugepages": "madvise",
    }


def test_memory_says_unknown_rather_than_nothing(tmp_path: Path) -> None:
    facts = host.memory(machines.write(tmp_path, {"proc/meminfo": "MemTotal: lots\n"}), "self")
    assert facts["total"] == "unknown" and facts["hugepages"] == {"count": "unknown", "size": "unknown"}


def test_kernel_system_and_machine(tmp_path: Path) -> None:
    root = machines.write(tmp_path, machines.EPYC)
    assert host.kernel(root, "self")["release"] == "5.14.21-150500.55.97_13.0.78-cray_shasta_c"
    assert host.operating_system(root, "self") == {
        "pretty_name": "SUSE Linux Enterprise Server 15 SP5",
        "id": "sles",
        "version_id": "15.5",
    }
    assert host.machine(root, "self") == {"vendor": "HPE", "product": "HPE Cray EX425", "virtual": False}
    assert host.boot_id(root, "self") == "6f1c2ac5-5d2d-4f39-a8d6-9ab7ce8e2a1b"


@pytest.mark.parametrize(
    ("files", "hypervisor"),
    [
        ({"sys/class/dmi/id/product_name": "KVM\n"}, "kvm"),
        ({"sys/class/dmi/id/product_name": "VMware Virtual Platform\n"}, "vmware"),
        ({"sys/class/dmi/id/sys_vendor": "Amazon EC2\n"}, "amazon"),
        ({"sys/hypervisor/type": "Xen\n"}, "xen"),
        ({"proc/sys/kernel/osrelease": "5.15.90.1-microsoft-standard-WSL2\n"}, "wsl"),
    ],
)
def test_hypervisors(tmp_path: Path, files: dict[str, str], hypervisor: str) -> None:
    facts = host.machine(machines.write(tmp_path, {"proc/cpuinfo": "flags : fpu\n"} | files), "self")
    assert facts["virtual"] is True and facts["hypervisor"] == hypervisor


def test_a_hypervisor_that_only_the_processor_tells(tmp_path: Path) -> None:
    root = machines.write(tmp_path, {"proc/cpuinfo": "flags : fpu hypervisor\n"})
    assert host.machine(root, "self") == {"virtual": True}


def test_os_release_in_its_other_place(tmp_path: Path) -> None:
    root = machines.write(tmp_path, {"usr/lib/os-release": "ID=alpine\n"})
    assert host.operating_system(root, "self") == {"pretty_name": "unknown", "id": "alpine", "version_id": "unknown"}


def test_sections_that_fail_say_why_and_leave_the_others(tmp_path: Path) -> None:
    facts = host.collect(machines.write(tmp_path, {"proc/meminfo": "MemTotal: 8 kB\n"}))
    assert facts["memory"]["total"] == 8192
    assert facts["cpu"] == facts["os"] == facts["boot_id"] == {"reason": "No such file or directory"}
    json.dumps(facts)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0", {0}),
        ("0-3,8", {0, 1, 2, 3, 8}),
        ("", set()),
        ("3-1", set()),
        ("a-b", set()),
        ("0-99999999999", set()),
        ("1,,2", set()),
        ("0-3\n", set()),
    ],
)
def test_parse_list(text: str, numbers: set[int]) -> None:
    assert host.parse_list(text) == numbers


@given(st.sets(st.integers(0, 5000)))
def test_parse_list_reads_any_list(numbers: set[int]) -> None:
    assert host.parse_list(",".join(map(str, numbers))) == numbers


@given(st.text())
def test_parsers_take_any_text(text: str) -> None:
    assert isinstance(host.parse_cpuinfo(text), dict)
    assert isinstance(host.parse_os_release(text), dict)
    assert all(number >= 0 for number in host.parse_list(text))


def test_this_machine() -> None:
    facts = host.collect()
    assert facts["cpu"]["affinity"]["count"] == len(os.sched_getaffinity(0))
    assert facts["memory"]["total"] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert facts["kernel"]["release"] == os.uname().release and facts["architecture"] == os.uname().machine
    assert facts["cpu"]["threads"] == os.cpu_count()
    json.dumps(facts)


def test_the_affinity_is_that_of_the_process_asked_for() -> None:
    one = min(os.sched_getaffinity(0))
    command = [sys.executable, "-c", f"import os; os.sched_setaffinity(0, [{one}]); print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        affinity = host.collect(pid=process.pid)["cpu"]["affinity"]
        process.communicate(b"\n")
    assert affinity == {"list": str(one), "count": 1}


def test_a_process_that_is_gone_gives_reasons() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    facts = host.collect(pid=process.pid)
    assert facts["cpu"] == facts["cgroup"] == {"reason": "No such file or directory"}
    assert facts["memory"]["total"] > 0
