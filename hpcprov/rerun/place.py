"""The directory that a run is run again in: fresh, with what it reads linked or copied into it, and nothing it made.

    directory = fresh("/scratch/ada/run")     ->  "/scratch/ada/run.rerun-1"
    prepare(plan)

What the run only read is a symbolic link, so that a terabyte costs nothing; what it read and wrote is a copy; a
directory in which it wrote holds links. The directories of the original in which something was written are there, too:
a program may expect them for its logs.
"""

from __future__ import annotations

import os
import re
import shutil

from hpcprov.record import moment
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hpcprov.rerun.plan import Plan

MOST_TRIES = 10_000
#: What a rerun's directory has at its end; that of its own rerun has the next number.
NUMBER = re.compile(r"\.rerun-[0-9]+$")
#: Directories of the original that are made again.
MOST_DIRECTORIES = 2_000
DEEPEST = 8
#: Entries of directories that are looked at for links.
MOST_ENTRIES = 100_000
#: What tells a Zarr store, which is data.
STORES = frozenset(("zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata"))


def fresh(cwd: str) -> str:
    """A new directory beside the original one. Raises HpcprovError when none can be made there."""
    beside = NUMBER.sub("", cwd.rstrip("/"))
    for number in range(1, MOST_TRIES):
        place = f"{beside}.rerun-{number}"
        try:
            os.mkdir(place)
            return place
        except FileExistsError:
            continue
        except OSError as error:
            raise HpcprovError(
                f"{place!a} cannot be made: {error.strerror}", hint="--in DIR names another place"
            ) from error
    raise HpcprovError(f"there are {MOST_TRIES} reruns beside {cwd!a}", hint="--in DIR names another place")


def given(place: str) -> str:
    """A directory that was asked for, made if need be. Raises HpcprovError when something is in it."""
    place = os.path.abspath(place)
    os.makedirs(place, exist_ok=True)
    if os.listdir(place):
        raise HpcprovError(
            f"{place!a} is not empty", hint="a rerun writes nothing over what is there: name a new directory"
        )
    return place


def discard(place: str) -> None:
    """Remove a directory in which nothing was put."""
    try:
        os.rmdir(place)
    except OSError:
        pass


def prepare(plan: Plan) -> None:
    """Fill the directory. Raises OSError."""
    outputs = {one["path"] for one in plan.record["artifacts"]["generated"]}
    read = {one["path"] for one in plan.inputs}
    start = plan.record["run"]["start"]
    for inner in directories(plan.old, outputs | read, moment.ns(start) if start else 0):
        os.makedirs(os.path.join(plan.directory, inner), exist_ok=True)
    for path in wanted(plan):
        place = plan.paths.path(path)
        if os.path.lexists(place) or not os.path.lexists(path):
            continue
        os.makedirs(os.path.dirname(place), exist_ok=True)
        provide(path, place, outputs, read)
    for inner, target in links(plan.old, known(plan)):
        place = os.path.join(plan.directory, inner)
        if not os.path.lexists(place):
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.symlink(target, place)
    for path in outputs:
        if plan.paths.inside(path):
            os.makedirs(os.path.dirname(plan.paths.path(path)), exist_ok=True)


def wanted(plan: Plan) -> list[str]:
    """What of the old directory the run reads: inputs, code, programs; not what has been made here already. What lies
    below another one of them comes with that."""
    inside = sorted(path for path in known(plan) - plan.made if plan.paths.inside(path) and path != plan.old)
    found: list[str] = []
    for path in inside:
        if not found or not path.startswith(f"{found[-1]}/"):
            found.append(path)
    return found


def known(plan: Plan) -> set[str]:
    """Paths of all that the run read."""
    inputs = {one["path"] for one in plan.inputs}
    return inputs | plan.code.keys() | plan.programs.keys() | plan.software | plan.image_files


def links(cwd: str, known: set[str]) -> Iterator[tuple[str, str]]:
    """Symbolic links below `cwd` that lead to what was read, or to a directory with it: the record has that under its
    own name. Where they are, as seen from `cwd`, and where they lead."""
    leading = {above for path in known for above in _with_above(path)}
    left, waiting = MOST_ENTRIES, [("", 0)]
    while waiting and left > 0:
        inner, depth = waiting.pop()
        try:
            with os.scandir(os.path.join(cwd, inner)) as found:
                entries = sorted((one.name, one.is_symlink(), one.is_dir(follow_symlinks=False)) for one in found)
        except OSError:
            continue
        left -= len(entries)
        for name, is_link, is_directory in entries:
            path = os.path.join(inner, name)
            if is_link and (target := os.path.realpath(os.path.join(cwd, path))) in leading:
                yield path, target
            elif is_directory and depth < DEEPEST and not name.startswith("."):
                waiting.append((path, depth + 1))


def _with_above(path: str) -> Iterator[str]:
    """A path and the directories above it, the root left out."""
    while len(path) > 1:
        yield path
        path = os.path.dirname(path)


def provide(path: str, place: str, outputs: set[str], read: set[str]) -> None:
    """A link to what is only read; of what is written, too, a copy; and of a directory in which something is written a
    directory with the rest: through a link the rerun would write to the original."""
    if path in outputs:
        copy(path, place)
        return
    inside = {one for one in outputs if one.startswith(f"{path}/")}
    if not inside or not os.path.isdir(path):
        os.symlink(os.path.realpath(path), place)
        return
    os.makedirs(place, exist_ok=True)
    for name in os.listdir(path):
        inner = os.path.join(path, name)
        if inner not in outputs or inner in read:
            provide(inner, os.path.join(place, name), inside, read)


def copy(path: str, place: str) -> None:
    """A file or directory as it is; links stay links."""
    if os.path.isdir(path):
        shutil.copytree(path, place, symlinks=True)
    else:
        shutil.copy2(path, place)


def directories(cwd: str, data: set[str], since: int) -> Iterator[str]:
    """The directories below `cwd`, as seen from there, in which something was written `since` (ns): logs, for example,
    which are no artifacts. No hidden ones, and none that are data themselves."""
    left, waiting = MOST_DIRECTORIES, [("", 0)]
    while waiting and left:
        inner, depth = waiting.pop()
        try:
            with os.scandir(os.path.join(cwd, inner)) as found:
                entries = sorted((one.name, one.is_dir(follow_symlinks=False), _written(one)) for one in found)
            own = os.stat(os.path.join(cwd, inner)).st_mtime_ns
        except OSError:
            continue
        if not STORES.isdisjoint(name for name, _, _ in entries):
            continue
        if inner and max([own, *(time for _, _, time in entries)]) >= since:
            left -= 1
            yield inner
        paths = [os.path.join(inner, name) for name, inside, _ in entries if inside and not name.startswith(".")]
        if depth < DEEPEST:
            waiting += [(path, depth + 1) for path in paths if os.path.join(cwd, path) not in data]


def _written(entry: os.DirEntry[str]) -> int:
    """When a file was written; 0 for what is none."""
    try:
        return entry.stat(follow_symlinks=False).st_mtime_ns if entry.is_file(follow_symlinks=False) else 0
    except OSError:
        return 0
