"""Control group limits of a process, versions 1 and 2: what the scheduler lets it have, not what the node has.

An outer group's limit holds for all inner ones, so the smallest from the process's group up to the mount's root counts.

    {"version": "2", "path": "/system.slice/slurmstepd.scope/job_7/step_0", "memory": 2147483648, "cpus": 2.0,
     "cpuset": "0-1", "processes": "unlimited"}

Source: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/ of the Linux kernel, cgroups(7).
"""

from __future__ import annotations

import os

from hpcprov.capture.reading import read_line, read_number, read_text
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

UNLIMITED = "unlimited"
# Version 1 writes "no limit" as the largest multiple of the page size below 2**63.
NO_LIMIT = 1 << 60
MOST_LEVELS = 64


def limits(root: str, who: str = "self") -> dict[str, Any]:
    """The limits that hold for a process. Raises OSError, HpcprovError when there is no control group mounted."""
    groups, versions = folders(root, who)
    found = {version for version, _ in versions.values()}
    if not found:
        raise HpcprovError(f"no control group of process {who} is mounted here")
    facts: dict[str, Any] = {"version": "hybrid" if len(found) > 1 else found.pop(), "path": main_path(groups)}
    return facts | {name: tightest(name, *versions[controller]) for name, controller in FACTS if controller in versions}


FACTS = (("memory", "memory"), ("swap", "memory"), ("cpus", "cpu"), ("cpuset", "cpuset"), ("processes", "pids"))


def folders(root: str, who: str) -> tuple[dict[str, str], dict[str, tuple[str, list[str]]]]:
    """Paths by controller, and for each controller its version and folders, innermost first. Raises OSError."""
    groups = parse_membership(read_text(os.path.join(root, "proc", who, "cgroup")))
    mounts = parse_mounts(read_text(os.path.join(root, "proc", who, "mountinfo")))
    found = {}
    for controller in {controller for _, controller in FACTS}:
        for version, key in (("1", controller), ("2", "")):
            if key in groups and key in mounts and governs(root, version, controller, mounts[key]):
                found[controller] = (version, levels(root, *mounts[key], groups[key]))
                break
    return groups, found


def governs(root: str, version: str, controller: str, mount: tuple[str, str]) -> bool:
    """Whether a hierarchy controls this resource: in version 2 a controller may have stayed with version 1."""
    if version == "1":
        return True
    names = read_line(under(root, os.path.join(mount[1], "cgroup.controllers")))
    return names is not None and controller in names.split()


def main_path(groups: dict[str, str]) -> str:
    """The path that says most: version 2, else that of the memory controller, else any."""
    paths = [groups.get("", "/"), groups.get("memory", "/"), *groups.values()]
    return next((path for path in paths if path != "/"), "/")


def parse_membership(text: str) -> dict[str, str]:
    """/proc/PID/cgroup -> path by controller; version 2 has the empty name."""
    groups = {}
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        names, colon, path = rest.partition(":")
        if number.isdecimal() and colon:
            groups.update(dict.fromkeys(names.split(","), path))
    return groups


def parse_mounts(text: str) -> dict[str, tuple[str, str]]:
    """/proc/PID/mountinfo -> (path of the mounted group, mount point) by controller; version 2 has the empty name."""
    mounts: dict[str, tuple[str, str]] = {}
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(" "), right.split(" ")
        if len(fields) < 5 or len(kind) < 3 or kind[0] not in ("cgroup", "cgroup2"):
            continue
        for name in kind[2].split(",") if kind[0] == "cgroup" else [""]:
            mounts.setdefault(name, (unescape(fields[3]), unescape(fields[4])))
    return mounts


def unescape(text: str) -> str:
    """A path of mountinfo: space, tab, newline and backslash are written in octal there."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text


def levels(root: str, mounted: str, point: str, group: str) -> list[str]:
    """Folders from a process's group up to the mount's root; only that root when the group is not visible here."""
    inner = os.path.relpath(group, mounted) if group.startswith("/") else "."
    names = [] if inner == "." or inner.startswith("..") else inner.split("/")[:MOST_LEVELS]
    top = under(root, point)
    found = [os.path.join(top, *names[:depth]) for depth in range(len(names), -1, -1)]
    return [folder for folder in found if os.path.isdir(folder)] or [top]


def under(root: str, path: str) -> str:
    """An absolute path below another root folder."""
    return os.path.join(root, path.lstrip("/"))


def tightest(name: str, version: str, groups: list[str]) -> Any:
    """The limit that holds for the innermost of these groups."""
    return READERS[name, version](groups)


def smallest(values: Iterable[float | None]) -> float | str:
    """The smallest known limit; `unlimited` when there is none."""
    known = [value for value in values if value is not None and value < NO_LIMIT]
    return min(known) if known else UNLIMITED


def from_file(name: str) -> Callable[[list[str]], float | str]:
    """A reader of the smallest number in a file of each group; `max` is no limit."""
    return lambda groups: smallest(read_number(os.path.join(group, name)) for group in groups)


def quota_v2(group: str) -> float | None:
    """Processors' worth of time of a group: cpu.max holds `max 100000` or `200000 100000` (microseconds)."""
    return ratio(*((read_line(os.path.join(group, "cpu.max")) or "max") + " 100000").split()[:2])


def quota_v1(group: str) -> float | None:
    """The same from cpu.cfs_quota_us and cpu.cfs_period_us; -1 is no limit."""
    names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
    return ratio(*(read_line(os.path.join(group, name)) or "max" for name in names))


def ratio(quota: str, period: str) -> float | None:
    """Quota over period, or None for no limit."""
    if not quota.isdecimal() or not period.isdecimal() or int(period) == 0:
        return None
    return int(quota) / int(period)


def cpuset(*names: str) -> Callable[[list[str]], str]:
    """A reader of the innermost processor list that says something."""

    def read(groups: list[str]) -> str:
        lines = (read_line(os.path.join(group, name)) for group in groups for name in names)
        return next((line for line in lines if line), "all")

    return read


READERS: dict[tuple[str, str], Callable[[list[str]], Any]] = {
    ("memory", "2"): from_file("memory.max"),
    ("memory", "1"): from_file("memory.limit_in_bytes"),
    ("swap", "2"): from_file("memory.swap.max"),
    ("swap", "1"): from_file("memory.memsw.limit_in_bytes"),
    ("processes", "2"): from_file("pids.max"),
    ("processes", "1"): from_file("pids.max"),
    ("cpus", "2"): lambda groups: smallest(map(quota_v2, groups)),
    ("cpus", "1"): lambda groups: smallest(map(quota_v1, groups)),
    ("cpuset", "2"): cpuset("cpuset.cpus.effective", "cpuset.cpus"),
    ("cpuset", "1"): cpuset("cpuset.effective_cpus", "cpuset.cpus"),
}


def free_memory(root: str = "/", who: str = "self") -> int:
    """Bytes that a process may still take: of its groups' limits and of the node. Raises OSError, HpcprovError.

    Inactive page cache counts as free, because the kernel drops it before it kills.
    """
    table = read_text(os.path.join(root, "proc/meminfo")).partition("MemAvailable:")[2].split()
    if not table or not table[0].isdecimal():
        raise HpcprovError("/proc/meminfo does not tell how much memory is available")
    groups, version = memory_groups(root, who)
    rooms = [room for group in groups if (room := free_in_group(group, version)) is not None]
    return max(0, min([int(table[0]) * 1024, *rooms]))


def memory_groups(root: str = "/", who: str = "self") -> tuple[list[str], str]:
    """Folders of the groups that limit a process's memory, innermost first, and their version. Raises OSError."""
    _, versions = folders(root, who)
    version, groups = versions.get("memory", ("2", []))
    return [group for group in groups if free_in_group(group, version) is not None], version


def free_in_group(group: str, version: str, *, cache: tuple[str, ...] = ("inactive_file",)) -> int | None:
    """Bytes left below one group's own limit, with these kinds of page cache; None when it has no limit."""
    names = {"1": ("memory.limit_in_bytes", "memory.usage_in_bytes"), "2": ("memory.max", "memory.current")}[version]
    limit, used = (read_number(os.path.join(group, name)) for name in names)
    if limit is None or used is None or limit >= NO_LIMIT:
        return None
    return limit - used + cache_of(os.path.join(group, "memory.stat"), cache)


def cache_of(path: str, kinds: tuple[str, ...]) -> int:
    """Page cache of a group and those within it (bytes): `inactive_file`, `active_file`."""
    try:
        table = dict(line.split(" ", 1) for line in read_text(path).splitlines() if " " in line)
    except OSError:
        return 0
    texts = (table.get(f"total_{kind}", table.get(kind, "0")) for kind in kinds)
    return sum(int(text) for text in texts if text.isdecimal())
