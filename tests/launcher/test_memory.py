"""Kills by the out-of-memory killer, counted in a real memory control group with a limit of its own (both versions)."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from .log import events, of_kind, only
from .observe import FAST, World, wait_until

LIMIT = 40 << 20
# Takes memory until it is killed.
GREEDY = "a = []\nwhile True: a.append(bytearray(1 << 20))"
GROUP_NAME = f"hpcprov-test-{os.getpid()}"


def memory_mounts() -> list[tuple[Path, str]]:
    """Directories below which a group for memory may be made, with the name of the file that limits it."""
    lines = (line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines())
    paths = {name: path for _, names, path in lines for name in names.split(",")}
    places = []
    if "memory" in paths:
        places.append((Path("/sys/fs/cgroup/memory" + paths["memory"]), "memory.limit_in_bytes"))
    if "" in paths:
        places += [(Path(f"/sys/fs/cgroup{paths['']}/.."), "memory.max"), (Path("/sys/fs/cgroup"), "memory.max")]
    return places


@pytest.fixture
def group() -> Iterator[Path]:
    """A memory control group with a limit, where this user may make one."""
    for parent, limit in memory_mounts():
        made = parent / GROUP_NAME
        try:
            made.mkdir()
            (made / limit).write_text(str(LIMIT))
        except OSError:
            with contextlib.suppress(OSError):
                made.rmdir()
            continue
        yield made
        wait_until(partial(is_removed, made), what="the end of the group's last process")
        return
    pytest.skip("no memory control group can be made here")


def is_removed(group: Path) -> bool:
    """Removes a group, unless a process is in it still, as an agent may be for a moment after its launcher."""
    with contextlib.suppress(OSError):
        group.rmdir()
    return not group.exists()


def run_in(group: Path, world: World, *command: str) -> None:
    """`hpcprov exec -- command` in the group: a shell enters it and becomes the launcher."""
    enter = f'echo $$ > "{group}/cgroup.procs" && exec "$@"'
    world.run(["sh", "-c", enter, "sh", *world.argv(*command, options=FAST)])


def test_a_kill_by_the_kernel_is_counted(world: World, group: Path) -> None:
    run_in(group, world, sys.executable, "-c", GREEDY)
    end = only(events(world), "exit")
    assert (end["signal"], end["oom_kills"]) == (9, 1)


def test_a_kill_of_a_child_is_counted(world: World, group: Path) -> None:
    """The application lives, and ends with a status of its own: what its child died of is known all the same."""
    run_in(group, world, "sh", "-c", '"$@"; exit 7', "sh", sys.executable, "-c", GREEDY)
    end = only(events(world), "exit")
    assert (end["code"], end["oom_kills"]) == (7, 1)


@pytest.mark.parametrize("command", ["exit 3", "kill -9 $$"])
def test_earlier_kills_of_the_group_are_not_counted(world: World, group: Path, command: str) -> None:
    run_in(group, world, sys.executable, "-c", GREEDY)
    run_in(group, world, "sh", "-c", command)
    counts = [end.get("oom_kills") for end in of_kind(events(world), "exit")]
    assert sorted(counts, key=bool) == [None, 1]


def test_a_good_end_is_told_without(world: World, group: Path) -> None:
    run_in(group, world, "sh", "-c", '"$@" || exit 0', "sh", sys.executable, "-c", GREEDY)
    end = only(events(world), "exit")
    assert end["code"] == 0 and "oom_kills" not in end


def test_an_area_for_events_takes_a_share_of_a_small_limit(world: World, group: Path) -> None:
    """What is not yet read of it is memory that the application is charged for."""
    size = "stat -c %s $(sed -n 's/^[^/]*//; /hpcprov.*area$/{p;q}' /proc/self/maps)"
    enter = f'echo $$ > "{group}/cgroup.procs" && exec "$@"'
    command = world.argv("sh", "-c", size, options=("--hash", "off"))
    done = world.run(["sh", "-c", enter, "sh", *command])
    assert int(done.out) - 4096 == 2 << 20, "the largest power of two below a sixteenth of the limit"
