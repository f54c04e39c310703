"""Paths seen in a container or another mount namespace, as the node's own: two texts of /proc/PID/mountinfo say how.

A file below a directory that the runtime bound has the name that it has outside. What belongs to the image (the root of
the container, overlays on it, file systems that only it has) is named as inside, after `image:`. Example:

    inside = b"44 66 254:0 /images/step / ro - ext4 /dev/vda rw\\n45 44 8:1 /ada/in /data rw - xfs /dev/sda1 rw\\n"
    outside = b"20 1 254:0 / / rw - ext4 /dev/vda rw\\n21 20 8:1 / /scratch rw - xfs /dev/sda1 rw\\n"
    Mounts(inside, outside).outside("/data/a.csv") == "/scratch/ada/in/a.csv"
    Mounts(inside, outside).outside("/opt/app/table.csv") == "image:/opt/app/table.csv"

Format: proc_pid_mountinfo(5). Both texts come from a job and may be damaged: what cannot be read is left out.
"""

from __future__ import annotations

from hpcprov.capture.cgroup import unescape

IMAGE = "image:"
MOST = 10_000  # mounts of one namespace; a node with thousands of automounts has fewer
LONGEST = 4 << 20  # bytes of one text
GONE = "//deleted"  # how the kernel marks a root that has been removed


class Mount:
    """One mount: the device, which directory of it (`root`) and where (`point`)."""

    __slots__ = ("device", "number", "parent", "point", "root")

    def __init__(self, number: str, parent: str, device: str, root: str, point: str) -> None:
        self.number, self.parent, self.device, self.root, self.point = number, parent, device, root, point


class Mounts:
    """What the paths of one mount namespace (`inside`) are called in another (`outside`)."""

    def __init__(self, inside: bytes, outside: bytes) -> None:
        self._inside, self._outside = Tree(parse(inside)), Tree(parse(outside))
        top = self._outside.top
        self._own_root = (top.device, top.root) if top else None
        self._known: dict[str, str | None] = {}

    def outside(self, path: str) -> str:
        """The name outside of an absolute path inside; `image:` and the path itself where there is none."""
        mount = self._inside.holding(path)
        if mount is None:
            return IMAGE + path
        if mount.number not in self._known:
            self._known[mount.number] = self._place(mount)
        place = self._known[mount.number]
        return IMAGE + path if place is None else below(place, rest(path, mount.point))

    def _place(self, mount: Mount) -> str | None:
        """The directory outside that is mounted there; None for a container's own root and what only it has."""
        if mount.point == "/" and (mount.device, mount.root) != self._own_root:
            return None
        names = [below(m.point, rest(mount.root, m.root)) for m in self._outside.showing(mount.device, mount.root)]
        return mount.point if mount.point in names else next(iter(names), None)


class Tree:
    """The mounts of a namespace by what they are mounted on."""

    def __init__(self, mounts: list[Mount]) -> None:
        self.mounts = mounts
        numbers = {mount.number for mount in mounts}
        tops = [mount for mount in mounts if mount.point == "/" and mount.parent not in numbers]
        self.top = tops[-1] if tops else None
        self._on: dict[str, list[Mount]] = {}
        for mount in mounts:
            self._on.setdefault(mount.parent, []).append(mount)
        # A chroot has no mount at its root: those that it shows hang on some that it does not.
        self._loose = [mount for mount in mounts if mount.parent not in numbers and mount is not self.top]

    def holding(self, path: str) -> Mount | None:
        """The mount that a path leads to; None below a root that is no mount (a chroot)."""
        found = self.top or first_on_way(self._loose, path)
        for _ in range(len(self.mounts) if found else 0):
            further = first_on_way(self._on.get(found.number, []) if found else [], path)
            if further is None:
                break
            found = further
        return found

    def showing(self, device: str, directory: str) -> list[Mount]:
        """Mounts through which a directory of a device can be reached, those covered by others left out."""
        found = [m for m in self.mounts if m.device == device and is_below(directory, m.root)]
        return [m for m in found if self.holding(below(m.point, rest(directory, m.root))) is m]


def parse(text: bytes) -> list[Mount]:
    """The mounts that a mountinfo names, in its order."""
    found = []
    for line in text[:LONGEST].split(b"\n")[:MOST]:
        words = line.decode(errors="surrogateescape").split(" ")
        if len(words) < 6 or not words[4].startswith("/") or not words[3].startswith("/") or words[3].endswith(GONE):
            continue
        found.append(Mount(words[0], words[1], words[2], unescape(words[3]), unescape(words[4])))
    return found


def first_on_way(mounts: list[Mount], path: str) -> Mount | None:
    """Of mounts on one and the same mount the one that a path meets first: it covers those further down."""
    met = [mount for mount in mounts if is_below(path, mount.point)]
    return min(met, key=lambda mount: len(mount.point)) if met else None


def is_below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory if directory.endswith("/") else directory + "/")


def rest(path: str, directory: str) -> str:
    """What follows `directory` in a path below it, without a leading slash."""
    return path[len(directory) :].lstrip("/")


def below(directory: str, names: str) -> str:
    return f"{directory.rstrip('/')}/{names}" if names else directory
