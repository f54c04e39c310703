"""Control group limits on captured trees of both versions, and on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from capture import machines
from hpcprov.capture import cgroup
from hpcprov.record.errors import HpcprovError


def test_version_2_takes_the_tightest_of_all_levels(tmp_path: Path) -> None:
    assert cgroup.limits(machines.write(tmp_path, machines.CGROUP_V2)) == {
        "version": "2",
        "path": machines.V2_GROUP,
        "memory": 2147483648,
        "swap": 0,
        "cpus": 2.5,
        "cpuset": "0-1,128-129",
        "processes": 4096,
    }


def test_version_1(tmp_path: Path) -> None:
    assert cgroup.limits(machines.write(tmp_path, machines.CGROUP_V1)) == {
        "version": "1",
        "path": machines.V1_GROUP + "/task_0",
        "memory": 8589934592,
        "swap": 8589934592,
        "cpus": "unlimited",
        "cpuset": "4-7",
        "processes": "unlimited",
    }


def test_hybrid(tmp_path: Path) -> None:
    files = machines.CGROUP_V1 | {
        "proc/self/cgroup": "3:memory:/job\n0::/unified/job\n",
        "proc/self/mountinfo": (
            "1 0 0:1 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
            "2 0 0:2 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        ),
        "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "1000\n",
        "sys/fs/cgroup/unified/cgroup.controllers": "pids\n",
        "sys/fs/cgroup/unified/unified/job/pids.max": "7\n",
    }
    assert cgroup.limits(machines.write(tmp_path, files)) == {
        "version": "hybrid",
        "path": "/unified/job",
        "memory": 1000,
        "swap": "unlimited",
        "processes": 7,
    }


def test_a_container_that_sees_only_its_own_group(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/docker/4f2a\n",
        "proc/self/mountinfo": "1 0 0:1 /docker/4f2a /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
        "sys/fs/cgroup/cgroup.controllers": "memory\n",
        "sys/fs/cgroup/memory.max": "4096\n",
    }
    facts = cgroup.limits(machines.write(tmp_path, files))
    assert facts["memory"] == 4096 and "cpus" not in facts


def test_a_group_outside_our_view_falls_back_to_the_mount(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/../../other\n",
        "proc/self/mountinfo": "1 0 0:1 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
        "sys/fs/cgroup/cgroup.controllers": "memory\n",
        "sys/fs/cgroup/memory.max": "4096\n",
        "sys/fs/other/memory.max": "1\n",
    }
    assert cgroup.limits(machines.write(tmp_path, files))["memory"] == 4096


def test_no_mount_is_said(tmp_path: Path) -> None:
    root = machines.write(tmp_path, {"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": "\n"})
    with pytest.raises(HpcprovError, match="no control group"):
        cgroup.limits(root)


@pytest.mark.parametrize(
    ("quota", "period", "cpus"),
    [
        ("200000", "100000", 2.0),
        ("50000", "100000", 0.5),
        ("max", "100000", None),
        ("-1", "100000", None),
        ("1", "0", None),
    ],
)
def test_ratio(quota: str, period: str, cpus: float | None) -> None:
    assert cgroup.ratio(quota, period) == cpus


def test_mount_points_are_unescaped() -> None:
    line = r"1 0 0:1 / /mnt/a\040b\134 rw - cgroup2 cgroup rw"
    assert cgroup.parse_mounts(line) == {"": ("/", "/mnt/a b\\")}


def test_free_memory_is_bounded_by_the_group(tmp_path: Path) -> None:
    root = machines.write(tmp_path, machines.CGROUP_V2)
    assert cgroup.free_memory(root) == 2147483648 - 1073741824 + 4096


def test_free_memory_version_1(tmp_path: Path) -> None:
    assert cgroup.free_memory(machines.write(tmp_path, machines.CGROUP_V1)) == 592 + 1000


def test_free_memory_is_bounded_by_the_node(tmp_path: Path) -> None:
    files = machines.CGROUP_V2 | {"proc/meminfo": "MemAvailable: 3 kB\n"}
    assert cgroup.free_memory(machines.write(tmp_path, files)) == 3072


def test_free_memory_is_never_negative(tmp_path: Path) -> None:
    path = "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/memory.current"
    assert cgroup.free_memory(machines.write(tmp_path, machines.CGROUP_V2 | {path: "9147483648\n"})) == 0


def test_this_machine() -> None:
    facts = cgroup.limits("/", str(os.getpid()))
    assert facts["version"] in ("1", "2", "hybrid") and facts["path"].startswith("/")
    assert 0 < cgroup.free_memory() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
