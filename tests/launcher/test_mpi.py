"""Ranks of one launch are one run: with any number of them, in sequence, nested, at once, and when one fails.

Real MPI: `mpiexec` of the mpich wheel and mpi4py, both beside the running Python.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.record_check import read_record
from tests.require import require

from .log import events, of_kind
from .observe import FAST, LONG, Seen, Word, World, wait_until

pytestmark = pytest.mark.mpi
MPIEXEC = Path(sys.executable).with_name("mpiexec")
STATUSES = (3, 5, 9)
AGENT: tuple[str, ...] = ("--hash", "off")

HELLO = "from mpi4py import MPI; c = MPI.COMM_WORLD; c.Barrier(); print(c.allreduce(1), flush=True)"
# Outside of mpi4py's own finalising, which would wait for the peers.
FAIL_HARD = "import os; from mpi4py import MPI; c = MPI.COMM_WORLD; os._exit(3) if c.rank == 1 else c.Barrier()"
ABORT = "from mpi4py import MPI; c = MPI.COMM_WORLD; c.Abort(5) if c.rank == 1 else c.Barrier()"


@pytest.fixture(autouse=True)
def mpi(world: World) -> None:
    """A world in which `python` and `mpiexec` are the tests' own."""
    require("mpi", os.access(MPIEXEC, os.X_OK))
    world.env["PATH"] = f"{MPIEXEC.parent}:{world.env['PATH']}"


SHARED_MEMORY = Path("/dev/shm")


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    """Removes what killed ranks leave in shared memory: files that came with the test and that nobody has mapped."""
    before = set(SHARED_MEMORY.glob("*_shm_*"))
    yield
    for path in set(SHARED_MEMORY.glob("*_shm_*")) - before - mapped():
        path.unlink(missing_ok=True)


def mapped() -> set[Path]:
    """The files in shared memory that processes have mapped."""
    found = set()
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            found |= set(re.findall(rf"{SHARED_MEMORY}/\S+", maps.read_text()))
        except OSError:
            continue
    return {Path(name) for name in found}


def ranks(world: World, size: int, code: str, options: Sequence[str] | None) -> list[Word]:
    """`mpiexec -n SIZE [hpcprov exec OPTIONS --] python -c CODE`."""
    return [MPIEXEC, "-n", str(size), *world.argv(sys.executable, "-c", code, options=options)]


def runs(world: World) -> list[dict[str, Any]]:
    """What `hpcprov runs --json` tells."""
    seen = world.run([world.hpcprov, "runs", "--json"])
    assert seen.status == 0, seen
    found: list[dict[str, Any]] = json.loads(seen.out)
    return found


def starts(world: World) -> dict[str, list[int]]:
    """The ranks that started, by run."""
    found: dict[str, list[int]] = {}
    for event in of_kind(events(world), "start"):
        found.setdefault(event["run"], []).append(event["rank"])
    return {run: sorted(of_run) for run, of_run in found.items()}


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("options", [AGENT, FAST], ids=["agent", "alone"])
def test_one_launch_is_one_record(world: World, size: int, options: tuple[str, ...]) -> None:
    seen = world.run(ranks(world, size, HELLO, options))
    assert (seen.status, seen.out, seen.err) == (0, f"{size}\n".encode() * size, b"")
    (run,) = runs(world)
    assert (run["ranks"], run["missing"], run["status"]) == (size, 0, "completed")
    assert starts(world) == {run["id"]: list(range(size))}
    assert read_record(run["directory"])["ranks"]["columns"]["rank"] == list(range(size))


def test_the_record_holds_each_ranks_own_facts(world: World) -> None:
    world.run(ranks(world, 3, HELLO, AGENT))
    seen = world.run([world.hpcprov, "show", "last", "--json"])
    assert seen.status == 0, seen
    record = json.loads(seen.out)
    assert record["run"]["id"] == runs(world)[0]["id"]
    assert {event["launcher"] for event in of_kind(events(world), "start")} == {"mpich"}
    assert {event["size"] for event in of_kind(events(world), "start")} == {3}
    assert len({event["pid"] for event in of_kind(events(world), "exit")}) == 3


def shell(world: World, size: int, script: str) -> Seen:
    """`mpiexec -n SIZE sh -c SCRIPT`, where $WRAP is `hpcprov exec --hash off --`."""
    return world.run(
        [MPIEXEC, "-n", str(size), "sh", "-c", script], env={"WRAP": f"{world.hpcprov} exec --hash off --"}
    )


def test_two_in_sequence_are_two_records(world: World) -> None:
    assert shell(world, 3, "$WRAP true && $WRAP sh -c 'exit 0'").status == 0
    assert sorted(starts(world).values()) == [[0, 1, 2]] * 2
    assert sorted(run["ranks"] for run in runs(world)) == [3, 3]


def test_nested_ones_are_two_records_and_know_each_other(world: World) -> None:
    assert shell(world, 3, "$WRAP $WRAP sleep 0.2").status == 0
    found = {run["id"]: run for run in runs(world)}
    assert len(found) == 2 and all(run["ranks"] == 3 for run in found.values())
    started = of_kind(events(world), "start")
    (outer,) = {event["run"] for event in started if event["parent"] is None}
    inner = [event for event in started if event["run"] != outer]
    assert [event["parent"] for event in inner] == [{"run": outer, "rank": event["rank"]} for event in inner]


def test_ranks_that_run_different_numbers_of_commands(world: World) -> None:
    """Rank 0 alone does some pre-processing first: its second run is the others' first."""
    assert shell(world, 2, '[ "$PMI_RANK" = 1 ] || $WRAP true; $WRAP true').status == 0
    assert sum(len(of_run) for of_run in starts(world).values()) == 3
    assert all(len(of_run) == len(set(of_run)) for of_run in starts(world).values())


def test_two_launches_at_once_are_two_records(world: World) -> None:
    argv = ranks(world, 2, HELLO, AGENT)
    found: list[Seen] = []
    threads = [threading.Thread(target=lambda: found.append(world.run(argv))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [seen.status for seen in found] == [0, 0]
    assert sorted(starts(world).values()) == [[0, 1], [0, 1]]
    assert [(run["ranks"], run["missing"]) for run in runs(world)] == [(2, 0), (2, 0)]


def timed(world: World, code: str, options: tuple[str, ...] | None) -> tuple[Seen, float]:
    started = time.monotonic()
    seen = world.run(ranks(world, 3, code, options))
    return seen, time.monotonic() - started


@pytest.mark.parametrize("code", [FAIL_HARD, ABORT], ids=["exit", "abort"])
def test_a_failing_rank_ends_the_launch_as_soon_as_without(world: World, code: str) -> None:
    """Its peers wait in a barrier: the launcher must not keep the dead rank's place."""
    bare, bare_seconds = timed(world, code, None)
    seen, seconds = timed(world, code, AGENT)
    print(f"bare {bare_seconds:.2f} s, wrapped {seconds:.2f} s")
    # Hydra's own status is the failing rank's or that of the ranks it killed, as it happens.
    assert bare.status in STATUSES and seen.status in STATUSES
    assert seconds < bare_seconds + 20


def test_a_failing_rank_ends_the_launch_every_time(world: World) -> None:
    """Hydra ends the others only if it sees PMI_FD close before it reaps the process: holding a copy hangs it."""
    for _ in range(10):
        # timeout(1) says 124, and sends TERM, after which hydra tidies up.
        assert world.run(["timeout", "50", *ranks(world, 3, FAIL_HARD, FAST)]).status in STATUSES


def settled(world: World) -> dict[str, Any]:
    """The one run of the world, when hydra has killed what was left of it."""
    wait_until(lambda: b"left" not in settle(world).out, what="the end of the run's processes")
    (run,) = runs(world)
    return run


def settle(world: World) -> Seen:
    seen = world.run([world.hpcprov, "settle", "--all"])
    assert seen.status == 0, seen
    return seen


def test_a_failed_launch_has_a_record_that_says_so(world: World) -> None:
    world.run(ranks(world, 3, FAIL_HARD, AGENT))
    run = settled(world)
    assert (run["status"], run["ranks"]) == ("failed", 3)
    assert [event["code"] for event in of_kind(events(world), "exit") if event["rank"] == 1] == [3]


def test_an_aborted_launch_has_a_record_that_says_so(world: World) -> None:
    """MPI_Abort makes hydra kill every rank at once, the launcher of the aborting one included."""
    world.run(ranks(world, 3, ABORT, AGENT))
    run = settled(world)
    assert run["status"] in ("failed", "signalled", "incomplete") and run["ranks"] == 3


def test_pmi_fd_reaches_the_application(world: World) -> None:
    """Its number and the descriptor behind it: a socket that is open for reading and writing."""
    code = "import os, socket; s = socket.socket(fileno=int(os.environ['PMI_FD'])); print(s.type, os.environ['PMI_FD'])"
    wrapped, bare = (world.run(ranks(world, 2, code, options)) for options in (FAST, None))
    assert wrapped.status == bare.status and sorted(wrapped.out.split()) == sorted(bare.out.split())


def test_a_run_id_of_ones_own_is_shared_by_all_ranks(world: World) -> None:
    world.run(ranks(world, 3, HELLO, (*AGENT, "--run-id", "mine")))
    assert starts(world) == {"mine": [0, 1, 2]}
    assert [run["id"] for run in runs(world)] == ["mine"]


def test_stdin_goes_to_the_rank_that_it_went_to(world: World) -> None:
    code = (
        "import sys; from mpi4py import MPI; r = MPI.COMM_WORLD.rank; print(r, len(sys.stdin.read()) if r == 0 else 0)"
    )
    found = []
    for options in (None, FAST):
        argv = ranks(world, 2, code, options)
        done = subprocess.run(argv, input=b"x" * 1000, capture_output=True, cwd=world.cwd, env=world.env, timeout=LONG)
        found.append((done.returncode, sorted(done.stdout.splitlines())))
    assert found[0] == found[1] == (0, [b"0 1000", b"1 0"])


def test_the_first_of_several_launchers_leaves_the_spool_to_the_others(world: World) -> None:
    """What the slower rank does is seen."""
    (world.cwd / "a").write_text("1")
    script = '[ "$PMI_RANK" = 0 ] || sleep 1; cat a > "b$PMI_RANK"'
    seen = world.run([MPIEXEC, "-n", "2", *world.argv("sh", "-c", script, options=AGENT)])
    assert seen.status == 0, seen.err
    entries = [entry for event in of_kind(events(world), "access") for entry in event["entries"]]
    assert {entry["path"] for entry in entries} >= {str(world.cwd / name) for name in ("a", "b0", "b1")}
