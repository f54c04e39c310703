"""What the launcher's events tell: what was started, how it ended, and which run was its parent."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from .log import events, log_paths, of_kind, only, wrapped_events
from .observe import FAST, World

COMMON = ("v", "event", "time", "boot", "rank", "pid")
START_KEYS = (
    *("run", "n", "node", "host", "boot_id", "ticks", "launch", "launch_time", "launcher", "size", "local_rank"),
    *(
        "local_size",
        "nodes",
        "observe",
        "argv",
        "cwd",
        "umask",
        "uid",
        "gid",
        "name",
        "note",
        "tags",
        "inputs",
        "outputs",
        "parent",
    ),
    *("hash", "forward", "capture_output", "agent", "hpcprov", "clock", "pid_ns"),
)
EXIT_KEYS = ("code", "signal", "core", "duration", "error", "rusage")
RUSAGE_KEYS = ("utime", "stime", "maxrss", "minflt", "majflt", "inblock", "oublock", "nvcsw", "nivcsw")


def test_three_events_in_order(world: World) -> None:
    found = wrapped_events(world, "true")
    assert [event["event"] for event in found] == ["start", "env", "exit"]
    assert sorted(found[0]) == sorted(COMMON + START_KEYS)
    assert sorted(found[2]) == sorted(COMMON + EXIT_KEYS)
    assert sorted(found[2]["rusage"]) == sorted(RUSAGE_KEYS)


def test_start_tells_what_was_asked_for(world: World) -> None:
    options = (
        *("--name", "a name", "--note", "why: “because”", "--tag", "a=b=c", "--tag", "empty=", "--hash", "later"),
        *("--run-id", "my.run-1"),
        *("--input", "in one", "--input", "in*", "--output", "/out", "--forward", "never", "--no-agent"),
    )
    before = time.time_ns()
    start = only(wrapped_events(world, "act", "exit", "0", options=options), "start")
    expected = {
        "run": "my.run-1", "n": 0, "launcher": "none", "rank": 0, "size": 1, "local_rank": 0, "local_size": 1,
        "name": "a name", "note": "why: “because”", "tags": {"a": "b=c", "empty": ""}, "inputs": ["in one", "in*"],
        "outputs": ["/out"], "forward": "never", "hash": "later", "capture_output": False, "agent": False,
        "parent": None,
        "argv": [str(world.probes / "act"), "exit", "0"], "cwd": str(world.cwd), "uid": os.getuid(), "gid": os.getgid(),
        "clock": "CLOCK_REALTIME", "host": os.uname().nodename, "boot_id": boot_id(),
    }  # fmt: skip
    assert {key: start[key] for key in expected} == expected
    assert before <= start["time"] <= time.time_ns()
    assert abs(start["boot"] - time.clock_gettime_ns(time.CLOCK_BOOTTIME)) < 10e9
    assert abs(start["launch_time"] - start["time"]) < 10e9


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_run_ids_of_their_own(world: World) -> None:
    for _ in range(20):
        world.wrapped("true")
    runs = {event["run"] for event in of_kind(events(world), "start")}
    assert len(runs) == 20 == len(list((world.cwd / ".hpcprov/runs").iterdir()))
    assert all(re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", run) for run in runs)


@pytest.mark.parametrize("mask", ["0022", "0027", "0777", "0000"])
def test_umask_is_told_and_obeyed(world: World, mask: str) -> None:
    world.wrapped("true", setup=[f"umask={mask}"], options=FAST)
    (path,) = log_paths(world)
    assert only(events(world), "start")["umask"] == mask
    assert path.stat().st_mode & 0o777 & int(mask, 8) == 0


@pytest.mark.parametrize("code", [0, 1, 255])
def test_exit_tells_the_code(world: World, code: int) -> None:
    end = only(wrapped_events(world, "act", "exit", str(code)), "exit")
    assert (end["code"], end["signal"], end["core"], end["error"]) == (code, None, False, None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGRTMIN + 1])
def test_exit_tells_the_signal(world: World, number: int) -> None:
    end = only(wrapped_events(world, "act", "die", str(int(number)), setup=["rlimit=4:0:0"]), "exit")
    assert (end["code"], end["signal"], end["core"]) == (None, number, False)


def test_exit_tells_of_a_core(world: World) -> None:
    if Path("/proc/sys/kernel/core_pattern").read_text().startswith("|"):
        pytest.skip("cores go to a program here")
    setup = ["rlimit=4:9000000:9000000"]
    end = only(wrapped_events(world, "act", "core", world.path(""), setup=setup), "exit")
    assert (end["signal"], end["core"]) == (signal.SIGABRT, True)


@pytest.mark.parametrize(
    ("command", "error", "code"), [("no-such-command", "ENOENT", 127), ("/etc/passwd", "EACCES", 126)]
)
def test_exit_tells_why_it_could_not_be_executed(world: World, command: str, error: str, code: int) -> None:
    end = only(wrapped_events(world, command), "exit")
    assert (end["code"], end["error"]) == (code, error)


BURN = "import os, time; x = bytearray(80 << 20); t = time.process_time()\nwhile time.process_time() - t < 0.3: pass"


def test_rusage_and_duration_are_the_applications(world: World) -> None:
    started = time.monotonic_ns()
    end = only(wrapped_events(world, sys.executable, "-c", BURN), "exit")
    assert 0.28e9 < end["duration"] <= time.monotonic_ns() - started
    assert 0.28 < end["rusage"]["utime"] + end["rusage"]["stime"] < 3
    assert 80 << 10 < end["rusage"]["maxrss"] < 400 << 10
    assert end["rusage"]["minflt"] > 1000


def test_duration_of_a_sleep(world: World) -> None:
    end = only(wrapped_events(world, "sleep", "0.2"), "exit")
    assert 0.2e9 <= end["duration"] < 2e9
    assert end["rusage"]["utime"] < 0.1


def test_nested_exec_records_its_parent(world: World) -> None:
    inner = world.argv("true", options=(*FAST, "--run-id", "inner"))
    middle = [world.hpcprov, "exec", *FAST, "--run-id", "middle", "--", *inner]
    world.run([world.hpcprov, "exec", *FAST, "--run-id", "outer", "--", "sh", "-c", '"$@"', "sh", *middle])
    parents = {event["run"]: event["parent"] for event in of_kind(events(world), "start")}
    assert parents == {"outer": None, "middle": {"run": "outer", "rank": 0}, "inner": {"run": "middle", "rank": 0}}


FOREIGN = ["x", "/", "../x/0", "r/-1", "r/x", "a/b/0", "r/99999999999999999999", "x" * 5000 + "/0", "", "r/0 ", "r/"]


@pytest.mark.parametrize("value", FOREIGN)
def test_a_foreign_parent_is_ignored(world: World, value: str) -> None:
    seen = world.run(world.argv("true", options=FAST), env={"HPCPROV_RUN": value})
    assert (seen.status, only(events(world), "start")["parent"]) == (0, None)


def test_two_in_sequence_are_two_runs(world: World) -> None:
    one = " ".join(str(word) for word in world.argv("true", options=FAST))
    world.run(["sh", "-c", f"{one} && {one}"])
    starts = of_kind(events(world), "start")
    assert len(starts) == len({event["run"] for event in starts}) == 2
    assert all(event["parent"] is None for event in starts)


def test_signals_are_told(world: World) -> None:
    world.wrapped("sh", "-c", "trap 'exit 3' USR1; kill -USR1 $PPID; while :; do sleep 0.01; done")
    found = events(world)
    told = only(found, "signal")
    assert (told["signal"], told["forwarded"], told["from_uid"]) == (signal.SIGUSR1, True, os.getuid())
    assert only(found, "exit")["code"] == 3


def test_a_storm_of_signals_is_told_sixteen_times_at_most(world: World) -> None:
    script = "trap : USR1; i=0; while [ $i -lt 60 ]; do kill -USR1 $PPID; i=$((i+1)); sleep 0.002; done"
    world.wrapped("sh", "-c", script)
    assert 1 <= len(of_kind(events(world), "signal")) <= 16
