"""How many threads are worth having: what the affinity mask and the cgroup's CPU limit leave to this process.

$ cat /sys/fs/cgroup/job/cpu.max
150000 100000                       -> 2 (1.5 CPUs, rounded up)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from math import ceil

MAX_THREADS = 64
ROOT = "/"


def thread_count(wanted: int | None = None, *, root: str = ROOT) -> int:
    """`wanted`, else one thread for each CPU that this process may use; between 1 and 64."""
    if wanted is not None:
        return max(1, min(wanted, MAX_THREADS))
    allowed = len(os.sched_getaffinity(0))
    return max(1, min([allowed, MAX_THREADS, *map(ceil, quotas(root))]))


def quotas(root: str = ROOT) -> Iterator[float]:
    """CPUs that each cgroup above this process allows, for those that have a limit (cgroup v1 and v2)."""
    lines = [line.split(":", 2) for line in _text(root, "proc/self/cgroup").splitlines()]
    for _, controllers, path in (line for line in lines if len(line) == 3):
        if not controllers:
            yield from _limits(root, "sys/fs/cgroup", path, _quota_v2)
        elif "cpu" in controllers.split(","):
            yield from _limits(root, f"sys/fs/cgroup/{controllers}", path, _quota_v1)


def _limits(root: str, mount: str, path: str, quota: Callable[[str], float | None]) -> Iterator[float]:
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for depth in range(len(parts), -1, -1):
        found = quota(os.path.join(root, mount, *parts[:depth]))
        if found is not None:
            yield found


def _quota_v2(folder: str) -> float | None:
    words = _text(folder, "cpu.max").split()
    return _ratio(words[0], words[1]) if len(words) == 2 else None


def _quota_v1(folder: str) -> float | None:
    return _ratio(_text(folder, "cpu.cfs_quota_us").strip(), _text(folder, "cpu.cfs_period_us").strip())


def _ratio(quota: str, period: str) -> float | None:
    if not (quota.isdigit() and period.isdigit()) or not int(quota) or not int(period):
        return None
    return int(quota) / int(period)


def _text(folder: str, name: str) -> str:
    try:
        with open(os.path.join(folder, name), encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
