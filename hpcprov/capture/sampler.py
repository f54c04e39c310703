"""What a run's processes use, sampled: CPU time, memory, bytes read and written, numbers of processes and threads.

    sampler = Sampler([pid of the application])
    while running:
        sleep(sampler.sample())          # seconds until the next sample is worth its cost
    sampler.summary() == {"cpu": 812.4, "rss": 2147483648, "read": 4096, "write": 1048576, "processes": 3,
                          "threads": 24, "duration": 104.2, "samples": 27, "series": {"time": [...], "cpu": [...], ...}}

CPU time counts children that have ended, also those that lived between two samples (their parents' waited-for time).
Memory is the sum of resident sizes: pages that processes share count once in each. Only this module imports psutil.
"""

from __future__ import annotations

import time

import psutil

from hpcprov.capture.reading import read_bytes
from hpcprov.capture.series import columns, compact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from hpcprov.capture.series import Point

FIRST_INTERVAL = 0.1
LONGEST_INTERVAL = 10.0
# CPU that sampling may take: a sample that costs c seconds is followed by a pause of at least c / SHARE.
SHARE = 0.005
# The first samples of a run come whatever they cost, so that short runs have some.
FREE_SAMPLES = 4
MOST_PROCESSES = 4096
TOTALS = ("cpu", "read", "write")
PEAKS = ("rss", "processes", "threads")
GONE = (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied, OSError)
NO_BYTES = "the bytes of some processes could not be read (permission)"


class Usage:
    """The last reading of one process; `own` and `waited`: CPU seconds of itself and of children it has waited for."""

    __slots__ = ("own", "parent", "process", "read", "rss", "threads", "waited", "write")

    def __init__(self, process: psutil.Process) -> None:
        self.process, self.parent = process, 0
        self.own = self.waited = 0.0
        self.read = self.write = self.rss = self.threads = 0

    def update(self) -> bool:
        """Read the process; whether its bytes could be read too. Raises one of GONE when it can not be read at all."""
        with self.process.oneshot():
            times = self.process.cpu_times()
            self.own = times.user + times.system
            self.waited = times.children_user + times.children_system
            self.parent = self.process.ppid()
            self.rss, self.threads = self.process.memory_info().rss, self.process.num_threads()
        return self.update_bytes()

    def update_bytes(self) -> bool:
        """Read what the process has read and written, which only its own user may; true when that was not refused."""
        try:
            counters = self.process.io_counters()
        except psutil.AccessDenied:
            return bool(self.process.status() == psutil.STATUS_ZOMBIE)
        except GONE:
            return True
        self.read, self.write = counters.read_bytes, counters.write_bytes
        return True


class Sampler:
    """Samples the processes below some roots, however often they come and go, in bounded memory."""

    def __init__(self, roots: Iterable[int], *, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.begin = self.last = clock()
        self.roots: set[int] = set(roots)
        self.alive: dict[int, Usage] = {}
        self.finished = dict.fromkeys(TOTALS, 0.0)
        self.seen_cpu = 0.0
        self.totals = dict.fromkeys(TOTALS, 0.0)
        self.peaks = dict.fromkeys(PEAKS, 0)
        self.points: list[Point] = []
        self.samples = 0
        self.cost = 0.0
        self.blind = self.crowded = False

    def add(self, pid: int) -> None:
        """Sample this process and its children too, from now on."""
        self.roots.add(pid)

    def pids(self) -> list[int]:
        """The processes that the last sample saw."""
        return sorted(self.alive)

    def sample(self) -> float:
        """Read every process once; the seconds after which to do it again."""
        start = time.thread_time()
        self.refresh(read_parents())
        self.account()
        self.samples += 1
        self.cost += time.thread_time() - start
        return next_interval(self.samples, self.cost)

    def refresh(self, parents: Mapping[int, int]) -> None:
        """Bring `alive` up to date: ended processes are accounted for, living ones are read, new ones come in."""
        self.retire({pid for pid, usage in self.alive.items() if pid not in parents or not usage.process.is_running()})
        # A root that has ended must not come back as whatever gets its number next.
        self.roots &= parents.keys()
        found = descendants(self.roots, self.alive, parents)
        self.crowded |= len(found) > MOST_PROCESSES
        for pid in found[:MOST_PROCESSES]:
            self.read(pid)

    def read(self, pid: int) -> None:
        """Read one process, which may have ended in the meantime."""
        try:
            usage = self.alive.get(pid) or Usage(psutil.Process(pid))
            self.blind |= not usage.update()
        except GONE:
            return
        self.alive[pid] = usage

    def retire(self, ended: set[int]) -> None:
        """Account for processes that have ended, unless a sampled ancestor has waited for them and has their share."""
        gone = {pid: self.alive.pop(pid) for pid in ended}
        self.roots -= ended
        for usage in gone.values():
            self.seen_cpu += usage.own
            if living_ancestor(usage, gone) not in self.alive:
                self.finished["cpu"] += usage.own + usage.waited
                self.finished["read"] += usage.read
                self.finished["write"] += usage.write

    def account(self) -> None:
        """Turn the readings into one point of the series, in which no total ever falls."""
        now, living = self.clock() - self.begin, list(self.alive.values())
        current = {
            "cpu": self.finished["cpu"] + sum(usage.own + usage.waited for usage in living),
            "read": self.finished["read"] + sum(usage.read for usage in living),
            "write": self.finished["write"] + sum(usage.write for usage in living),
        }
        # A parent that ignores SIGCHLD never gets its children's time: what was seen of each is then the better bound.
        current["cpu"] = max(current["cpu"], self.seen_cpu + sum(usage.own for usage in living))
        growth = tuple(max(0.0, current[name] - self.totals[name]) for name in TOTALS)
        self.totals = {name: max(self.totals[name], current[name]) for name in TOTALS}
        peaks = (sum(usage.rss for usage in living), len(living), sum(usage.threads for usage in living))
        self.peaks = {name: max(self.peaks[name], value) for name, value in zip(PEAKS, peaks, strict=True)}
        self.points = compact([*self.points, (self.last - self.begin, now, growth, peaks)])
        self.last = self.begin + now

    def summary(self) -> dict[str, Any]:
        """Totals (CPU seconds, bytes), peaks (bytes, counts), seconds sampled, and the series of at most 240 points."""
        facts: dict[str, Any] = {"cpu": round(self.totals["cpu"], 3)}
        facts |= {name: int(self.totals[name]) for name in ("read", "write")} | self.peaks
        facts |= {"duration": round(self.last - self.begin, 3), "samples": self.samples}
        facts |= {"sampling_cpu": round(self.cost, 3), "series": columns(self.points, TOTALS, PEAKS)}
        reasons = [NO_BYTES] * self.blind + [f"more than {MOST_PROCESSES} processes ran at once"] * self.crowded
        return facts | ({"reason": "; ".join(reasons)} if reasons else {})


def living_ancestor(usage: Usage, gone: Mapping[int, Usage]) -> int:
    """The nearest ancestor that has not just ended as well."""
    seen: set[int] = set()
    while usage.parent in gone and usage.parent not in seen:
        seen.add(usage.parent)
        usage = gone[usage.parent]
    return usage.parent


def next_interval(samples: int, cost: float) -> float:
    """Seconds to pause after so many samples that have cost so much CPU (seconds): doubling, within the share."""
    doubled = FIRST_INTERVAL * 2.0 ** min(samples - 1, 10)
    return max(min(doubled, LONGEST_INTERVAL), cost / samples / SHARE if samples > FREE_SAMPLES else 0.0)


def read_parents() -> dict[int, int]:
    """Parent by process, of every process on the node. Source: proc(5), /proc/PID/stat."""
    found = {}
    for pid in psutil.pids():
        try:
            # The command's name may hold spaces and parentheses: fields count from the last of them.
            found[pid] = int(read_bytes(f"/proc/{pid}/stat", 4096).rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue
    return found


def descendants(roots: Iterable[int], known: Iterable[int], parents: Mapping[int, int]) -> list[int]:
    """The roots that live, the known processes that live (they may have lost their parent), and all below them."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found: dict[int, None] = {}
    waiting = [pid for pid in (*roots, *known) if pid in parents]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found[pid] = None
            waiting += children.get(pid, [])
    return list(found)
