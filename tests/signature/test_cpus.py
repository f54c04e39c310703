"""How many threads: affinity and cgroup limits, from captured trees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpcprov.signature.cpus import quotas, thread_count


def tree(top: Path, files: dict[str, str]) -> str:
    for name, content in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(content)
    return str(top)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, []),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/cpu.max": "150000 100000\n",
                "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
            },
            [1.5],
        ),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/cpu.max": "100000 100000",
                "sys/fs/cgroup/a/b/cpu.max": "400000 100000",
            },
            [4, 1],
        ),
        (
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/slurm/job\n1:memory:/x\n",
                "sys/fs/cgroup/cpu,cpuacct/slurm/job/cpu.cfs_quota_us": "200000\n",
                "sys/fs/cgroup/cpu,cpuacct/slurm/job/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/cpu,cpuacct/slurm/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu,cpuacct/slurm/cpu.cfs_period_us": "100000\n",
            },
            [2],
        ),
        ({"proc/self/cgroup": "0::/../a\n", "sys/fs/cgroup/a/cpu.max": "junk"}, []),
        ({"proc/self/cgroup": "junk\n"}, []),
    ],
)
def test_quotas(files: dict[str, str], found: list[float], tmp_path: Path) -> None:
    assert list(quotas(tree(tmp_path, files))) == found


def test_the_least_of_affinity_and_quota(tmp_path: Path) -> None:
    cpus = len(os.sched_getaffinity(0))
    assert thread_count(root=str(tmp_path)) == min(cpus, 64)
    root = tree(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"})
    assert thread_count(root=root) == 1


@pytest.mark.parametrize(("wanted", "found"), [(0, 1), (-3, 1), (7, 7), (10**6, 64)])
def test_what_is_asked_for(wanted: int, found: int) -> None:
    assert thread_count(wanted) == found
