"""Process identity by start time, and the counters in which launchers count a rank's starts within one launch.

The launcher keeps a file `<pid namespace>-<pid>-<ticks>` for each launching process, in a directory of the user's own
on the node's memory file system. When that process is gone its counter has no meaning any more.
"""

from __future__ import annotations

import os

from hpcprov.merge.alive import lives

PLACES = ("/dev/shm", "/tmp")  # as in launcher/place.c
PLAIN = str.maketrans(":[]", "___")  # what launcher/place.c makes of a namespace's name


def ticks_of(pid: int | str) -> int | None:
    """Start time of a process in clock ticks since boot; None when there is none. Source: proc_pid_stat(5), field
    22."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def own_ticks() -> int | None:
    return ticks_of("self")


def boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def sweep() -> None:
    """Remove counters of launching processes of this pid namespace that have ended."""
    for place in PLACES:
        folder = f"{place}/hpcprov-{os.geteuid()}"
        try:
            names = os.listdir(folder) if not os.path.islink(folder) else []
        except OSError:
            continue
        for name in names:
            if ended(name):
                try:
                    os.unlink(f"{folder}/{name}")
                except OSError:
                    pass  # somebody else was first, or it is not ours


def ended(name: str) -> bool:
    space, _, process = name.partition("-")
    pid, _, ticks = process.partition("-")
    if not (pid.isdigit() and ticks.isdigit()) or space != pid_namespace().translate(PLAIN):
        return False
    return not lives(int(pid), int(ticks))


def pid_namespace() -> str:
    """As the kernel names it, `pid:[4026531836]`; empty where /proc does not tell."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
