"""What `hpcprov exec` costs over the bare command: time, memory and file operations, beside their budgets.

Runs alternate, so that a busy machine slows all rows alike; medians are printed, and ratios to the bare command. It
never fails on time.

    $ python benchmarks/bench_launcher.py [ROUNDS]
    command                              median      over bare    ratio    budget
    true                                0.52 ms
    hpcprov exec --no-agent -- true     1.61 ms       1.09 ms       3.1    2 ms over bare
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HPCPROV = os.environ.get("HPCPROV_LAUNCHER") or str(Path(sys.executable).with_name("hpcprov"))
TRUE = shutil.which("true") or "/bin/true"
EXEC = [HPCPROV, "exec"]
OFF = {"HPCPROV": "off"}
NONE: dict[str, str] = {}

# name, command, environment, budget; the first row is what the others are compared with.
ROWS: list[tuple[str, list[str], dict[str, str], str]] = [
    ("true", [TRUE], NONE, ""),
    ("HPCPROV=off hpcprov exec -- true", [*EXEC, "--", TRUE], OFF, ""),
    ("hpcprov exec --no-agent -- true", [*EXEC, "--no-agent", "--", TRUE], NONE, "<= 2 ms over bare"),
    ("hpcprov exec -- true", [*EXEC, "--", TRUE], NONE, "<= 350 ms"),
    ("python -c pass", [sys.executable, "-c", "pass"], NONE, ""),
]
FAST_ROWS = ROWS[:3]
# Calls that name a file, and those on open ones; what a shared file system sees is a part of them.
FILE_CALLS = "trace=%file,%desc"
ON_STORE = "/.hpcprov"
# On the node itself, whatever the site's file systems: its kernel's, its memory's, and what is no file.
ON_NODE = re.compile(r"[<\"](/proc|/sys|/dev/shm)/|[<\"](socket|pipe|anon_inode):")


def seconds(command: list[str], env: dict[str, str], cwd: str) -> float:
    """The wall time of one run: from before the spawn until its end is known."""
    os.chdir(cwd)
    started = time.perf_counter()
    pid = os.posix_spawn(command[0], command, os.environ | env)
    _, status = os.waitpid(pid, 0)
    taken = time.perf_counter() - started
    if status:
        raise SystemExit(f"bench_launcher: {' '.join(command)} ended with status {status}")
    return taken


def alternate(rows: list[tuple[str, list[str], dict[str, str], str]], rounds: int, cwd: str) -> dict[str, float]:
    """The median time in s of each row, over `rounds` rounds of one run each."""
    taken: dict[str, list[float]] = {name: [] for name, *_ in rows}
    for _ in range(rounds):
        for name, command, env, _budget in rows:
            taken[name].append(seconds(command, env, cwd))
    return {name: statistics.median(values) for name, values in taken.items()}


def print_times(medians: dict[str, float]) -> None:
    print(f"{'command':36}{'median':>12}{'over bare':>12}{'ratio':>9}    budget")
    bare = medians[ROWS[0][0]]
    for name, _command, _env, budget in ROWS:
        value = medians[name]
        over = f"{(value - bare) * 1e3:9.2f} ms{value / bare:9.1f}" if value != bare else ""
        print(f"{name:36}{value * 1e3:9.2f} ms{over:21}    {budget}".rstrip())


def peak_memory(options: list[str], cwd: str) -> int:
    """VmHWM of the launcher in KiB, read while its application sleeps."""
    process = subprocess.Popen([*EXEC, *options, "--", "sleep", "0.5"], cwd=cwd)
    time.sleep(0.3)
    status = Path(f"/proc/{process.pid}/status").read_text()
    process.wait()
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) if found else 0


def file_calls(options: list[str], cwd: str) -> list[str]:
    """The calls of the launcher alone (not of its children) that name a file or use a descriptor, one line each."""
    with tempfile.NamedTemporaryFile() as trace:
        # -y shows the path behind a descriptor; without -f no child is followed.
        tracer = ["strace", "-y", "-o", trace.name, "-e", FILE_CALLS]
        subprocess.run([*tracer, *EXEC, *options, "--", TRUE], cwd=cwd, check=True)
        return [line for line in Path(trace.name).read_text().splitlines() if re.match(r"\w+\(", line)]


def print_calls(options: list[str], cwd: str) -> None:
    calls = file_calls(options, cwd)
    named = [call for call in calls if re.match(r"\w+\([^<]*\"|\w+\(AT_FDCWD", call)]
    on_store = [call for call in calls if ON_STORE in call]
    on_node = [call for call in calls if ON_NODE.search(call)]
    name = " ".join(["hpcprov exec", *options])
    elsewhere = len(calls) - len(on_node)
    print(f"{name:28}{len(calls):6} calls, {len(named)} with a path, {len(on_node)} in the node's memory", end="")
    print(f", {len(on_store)} in the store, {elsewhere} outside of the node's memory    budget <= 40")


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as cwd:
        Path(cwd, ".hpcprov").mkdir()
        medians = alternate(ROWS, max(5, rounds // 10), cwd)
        medians |= alternate(FAST_ROWS, rounds, cwd)
        print_times(medians)
        print()
        for options in (["--no-agent"], []):
            name = " ".join(["hpcprov exec", *options])
            print(f"{name:28}{peak_memory(options, cwd):6} KiB resident at most    budget <= 2048")
        print()
        if shutil.which("strace"):
            print_calls(["--no-agent"], cwd)
            print_calls([], cwd)
        else:
            print("strace is not here: file operations are not counted")
        os.chdir("/")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
