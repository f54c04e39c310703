"""Sampling real process trees, and the laws of what is summed up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcprov.capture import sampler
from hpcprov.capture.sampler import Sampler


@contextmanager
def running(program: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process with a program that answers on its standard output and obeys on its standard input."""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


BURN = "import time\ndef burn(s):\n    e = time.process_time() + s\n    while time.process_time() < e: pass\n"


def test_cpu_memory_and_bytes_of_one_process(tmp_path: Path) -> None:
    program = (
        BURN + "import os, sys\nburn(0.3)\nblock = bytearray(os.urandom(64 << 20))\n"
        f"f = open({str(tmp_path / 'out')!r}, 'wb')\nf.write(block[:8 << 20]); f.flush(); os.fsync(f.fileno())\n"
        "print(time.process_time(), flush=True)\nsys.stdin.readline()"
    )
    with running(program) as process:
        used = float(said(process))
        watch = Sampler([process.pid])
        watch.sample()
        facts = watch.summary()
        tell(process)
    assert used - 0.05 <= facts["cpu"] <= used + 0.2
    assert facts["rss"] >= 64 << 20 and facts["processes"] == 1 and facts["threads"] >= 1
    assert facts["write"] == 0 or facts["write"] >= 8 << 20
    assert facts["samples"] == 1 and "reason" not in facts
    json.dumps(facts)


def test_children_and_grandchildren_are_found() -> None:
    child = (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'print(flush=True); input()'])\np.wait()"
    )
    program = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {child!r}]); p.wait()"
    with running(program) as process:
        said(process)
        watch = Sampler([process.pid])
        watch.sample()
        assert len(watch.pids()) == 3 and process.pid in watch.pids()
        assert watch.summary()["processes"] == 3
        tell(process)
        process.wait()


def test_children_that_lived_between_two_samples_count() -> None:
    child = BURN + "burn(0.4)"
    program = (
        "import subprocess, sys; print(flush=True); input()\n"
        f"subprocess.run([sys.executable, '-c', {child!r}]); print(flush=True); input()"
    )
    with running(program) as process:
        said(process)
        watch = Sampler([process.pid])
        watch.sample()
        before = watch.summary()["cpu"]
        tell(process)
        said(process)
        watch.sample()
        assert watch.summary()["cpu"] - before >= 0.38
        tell(process)


@pytest.mark.parametrize("reap", ["wait", "ignore"])
def test_children_that_were_sampled_and_ended_are_kept_once(reap: str) -> None:
    child = BURN + "burn(0.3); print(flush=True); input()"
    setup = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n" if reap == "ignore" else ""
    program = (
        f"{setup}import subprocess, sys\np = subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        "p.wait(); print(flush=True); input()"
    )
    with running(program) as process:
        said(process)
        watch = Sampler([process.pid])
        watch.sample()
        before = watch.summary()["cpu"]
        tell(process)
        said(process)
        watch.sample()
        after = watch.summary()["cpu"]
        tell(process)
    assert before >= 0.28 and before <= after <= before + 0.25


def test_a_root_that_has_ended_is_kept_and_its_number_forgotten() -> None:
    with running(BURN + "burn(0.2); print(flush=True); input()") as process:
        said(process)
        watch = Sampler([process.pid])
        watch.sample()
        before = watch.summary()
        tell(process)
        process.wait()
        watch.sample()
        assert watch.pids() == [] and watch.roots == set()
        after = watch.summary()
    assert after["cpu"] == before["cpu"] and after["rss"] == before["rss"]


def test_an_orphan_stays_ours() -> None:
    program = (
        "import subprocess, sys\n"
        "p = subprocess.Popen([sys.executable, '-c', 'print(flush=True); input()'])\nprint(p.pid, flush=True); p.wait()"
    )
    with running(program) as process:
        orphan = int(next(line for line in (said(process), said(process)) if line))
        watch = Sampler([process.pid])
        watch.sample()
        process.kill()
        process.wait()
        watch.sample()
        assert watch.pids() == [orphan]
        tell(process)


def test_a_process_that_never_was() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
        watch = Sampler([process.pid])
        assert watch.sample() > 0
    facts = watch.summary()
    assert facts["cpu"] == 0 and facts["processes"] == 0 and facts["samples"] == 1


def test_roots_can_be_added() -> None:
    watch = Sampler([])
    watch.sample()
    watch.add(os.getpid())
    watch.sample()
    assert os.getpid() in watch.pids()


def test_another_users_process() -> None:
    program = (
        "import os; from hpcprov.capture.sampler import Sampler\n"
        "os.getuid() or os.setuid(65534)\nwatch = Sampler([1]); watch.sample(); print(watch.summary()['reason'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == sampler.NO_BYTES


def test_a_zombie_is_normal() -> None:
    with running(
        "import subprocess, sys; p = subprocess.Popen(['true']); print(p.pid, flush=True); input()"
    ) as process:
        child = psutil.Process(int(said(process)))
        while child.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        watch = Sampler([process.pid])
        watch.sample()
        assert "reason" not in watch.summary()
        tell(process)


def test_memory_stays_bounded() -> None:
    now = 0.0

    def clock() -> float:
        return now

    watch = Sampler([os.getpid()], clock=clock)
    watch.sample()
    usage = watch.alive[os.getpid()]
    for _ in range(2000):
        now += 10
        usage.own += 1.0
        watch.account()
    facts = watch.summary()
    assert len(watch.points) == 240 and {len(column) for column in facts["series"].values()} == {240}
    assert facts["duration"] == 20000 and facts["series"]["time"][-1] == 20000
    assert sum(facts["series"]["cpu"]) == pytest.approx(facts["cpu"], abs=0.2)
    assert len(json.dumps(facts)) < 20_000


@given(st.lists(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=4), max_size=20))
def test_totals_never_fall(readings: list[list[tuple[int, int]]]) -> None:
    watch = Sampler([])
    last = dict(watch.totals)
    for reading in readings:
        watch.retire(set(watch.alive) - set(range(1, len(reading) + 1)))
        for pid, (own, waited) in enumerate(reading, 1):
            usage = watch.alive.setdefault(pid, sampler.Usage(psutil.Process()))
            usage.own, usage.waited, usage.read, usage.write, usage.parent = own, waited, own, waited, pid - 1
        watch.account()
        assert all(watch.totals[name] >= last[name] for name in last)
        last = dict(watch.totals)
    assert sum(point[2][0] for point in watch.points) == pytest.approx(watch.totals["cpu"])


@pytest.mark.parametrize(
    ("parents", "found"),
    [
        ({10: 1, 11: 10, 12: 11, 13: 1}, {10, 11, 12}),
        ({11: 1}, set()),
        ({10: 10}, {10}),
        ({10: 12, 12: 10}, {10, 12}),
        ({20: 1, 21: 20}, {20, 21}),
    ],
)
def test_descendants(parents: dict[int, int], found: set[int]) -> None:
    assert set(sampler.descendants([10], [20], parents)) == found


def test_parents_of_this_process() -> None:
    assert sampler.read_parents()[os.getpid()] == os.getppid()


@pytest.mark.parametrize(
    ("samples", "cost", "pause"),
    [
        (1, 0.001, 0.1),
        (2, 0.002, 0.2),
        (4, 0.4, 0.8),
        (8, 0.008, 10.0),
        (5000, 5.0, 10.0),
        (100, 10.0, 20.0),
        (5, 0.05, 2.0),
    ],
)
def test_next_interval(samples: int, cost: float, pause: float) -> None:
    assert sampler.next_interval(samples, cost) == pytest.approx(pause)


@given(st.integers(5, 10**6), st.floats(0, 10, allow_subnormal=False))
def test_sampling_stays_within_its_share(samples: int, each: float) -> None:
    assert each / sampler.next_interval(samples, each * samples) <= sampler.SHARE * 1.0001
