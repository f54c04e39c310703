"""The observer library and its area when something is scarce or breaks: nothing reaches the application, little is
lost, and what is lost is counted.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from .area_tool import CHUNK, HEAD, HEADER, LOST, STOPPED, TAIL, Area, Record, decode, library
from .test_library import PLAIN, compiled

# Files d/<thread>-<number>, each opened, written and closed once by one of the threads, in `forks` processes.
WRITES = """
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static int count, process;
static void *work(void *thread) {
    char path[64];
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "d/%d-%ld-%d", process, (long)thread, i);
        int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
        if (fd < 0 || close(fd)) _exit(9);
    }
    return NULL;
}
int main(int argc, char **argv) {
    int forks = atoi(argv[1]), threads = atoi(argv[2]), bad = 0, status;
    count = atoi(argv[3]);
    if (argc != 4) return 8;
    for (process = 1; process < forks && fork(); process++) {}
    pthread_t all[64];
    for (long i = 0; i < threads; i++) pthread_create(&all[i], NULL, work, (void *)i);
    for (long i = 0; i < threads; i++) pthread_join(all[i], NULL);
    while (wait(&status) > 0) bad |= status;
    puts("done");
    return bad ? 7 : 0;
}
"""


@pytest.fixture(scope="module")
def writes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("writes"), WRITES, "-pthread")


@pytest.fixture
def area(tmp_path: Path) -> Iterator[Area]:
    with Area.make(tmp_path / "area") as made:
        yield made


def start(area: Area, directory: Path, *command: str | Path) -> subprocess.Popen[bytes]:
    (directory / "d").mkdir(exist_ok=True)
    given = {**PLAIN, **area.environment(library())}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=directory, env=given, stdout=pipe, stderr=pipe)


def finish(child: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    out, err = child.communicate(timeout=60)
    return child.returncode, out, err


def written(records: list[Record]) -> Counter[bytes]:
    return Counter(r.path.rpartition(b"/")[2] for r in records if r.kind == "access" and b"/d/" in r.path)


def named(forks: int, threads: int, count: int) -> set[bytes]:
    return {b"%d-%d-%d" % (p, t, i) for p in range(1, forks + 1) for t in range(threads) for i in range(count)}


@pytest.mark.parametrize(("forks", "threads", "count"), [(1, 1, 2000), (1, 8, 500), (16, 4, 100), (200, 1, 5)])
def test_every_open_of_every_thread_is_there_once(
    area: Area, tmp_path: Path, writes: Path, forks: int, threads: int, count: int
) -> None:
    assert finish(start(area, tmp_path, writes, str(forks), str(threads), str(count)))[0] == 0
    assert written(area.records()) == Counter(named(forks, threads, count))
    assert area.number(LOST) == 0


def test_a_full_area_counts_what_did_not_fit(tmp_path: Path, writes: Path) -> None:
    with Area.make(tmp_path / "area", capacity=2 * CHUNK) as area:
        assert finish(start(area, tmp_path, writes, "2", "4", "500")) == (0, b"done\n" * 2, b"")
        kept = len(area.records())
        assert 0 < kept < 2000 and area.number(TAIL) <= 2 * CHUNK
        assert kept + area.number(LOST) == 2 * 4 * 500 + 2  # and the program, and the end of the child


def read_along(area: Area, capacity: int, stop: threading.Event) -> list[Record]:
    """What the agent does: reads, gives whole chunks back, then moves `head`."""
    found, position = [], 0
    with open(area.path, "r+b", buffering=0) as file:
        while True:
            last = stop.is_set()
            tail = area.number(TAIL)
            data = bytearray()
            while position + len(data) < tail:
                offset = (position + len(data)) % capacity
                size = min(tail - position - len(data), capacity - offset)
                data += os.pread(file.fileno(), size, HEADER + offset)
            done = committed(data)
            found += decode(bytes(data[:done]))
            for chunk in range(position // CHUNK, (position + done) // CHUNK):
                os.pwrite(file.fileno(), bytes(CHUNK), HEADER + chunk * CHUNK % capacity)
            position += done
            area.put(HEAD, position)
            if last and position == tail:
                return found
            time.sleep(0.001)


def committed(data: bytearray) -> int:
    """How many bytes of whole, committed records there are."""
    place = 0
    while place < len(data) and data[place] == 0x43:
        place += int.from_bytes(data[place + 1 : place + 4], "little")
    return place


def test_a_ring_that_comes_round_many_times(tmp_path: Path, writes: Path) -> None:
    """Where the reader does not get its turn, on a busy machine, records are lost before the ring has come round."""
    capacity = 4 * CHUNK
    tails = (come_round(tmp_path / str(attempt), writes, capacity) for attempt in range(20))
    assert any(tail > 3 * capacity for tail in tails)


def come_round(folder: Path, writes: Path, capacity: int) -> int:
    """Where the ring's tail is when all have written and been read along: each record once, or counted as lost."""
    folder.mkdir()
    forks, threads, count = 2, 4, 3000
    found: list[Record] = []
    stop = threading.Event()
    with Area.make(folder / "area", capacity=capacity) as area:
        reader = threading.Thread(target=lambda: found.extend(read_along(area, capacity, stop)))
        reader.start()
        status = finish(start(area, folder, writes, str(forks), str(threads), str(count)))[0]
        stop.set()
        reader.join()
        names = written(found)
        assert status == 0
        assert set(names.values()) == {1} and set(names) <= named(forks, threads, count)
        assert len(found) + area.number(LOST) == forks * threads * count + 2
        return area.number(TAIL)


@pytest.mark.parametrize("limit", ["-v 60000", "-f 10", "-n 5", "-v 60000 -f 10"])
def test_limits(area: Area, tmp_path: Path, writes: Path, limit: str) -> None:
    """Also where the area can not be mapped as a whole: nothing is lost."""
    script = " && ".join(f"ulimit -{word}" for word in limit.split("-") if word)
    child = start(area, tmp_path, "sh", "-c", f'{script} && exec "$@"', "sh", writes, "1", "1", "300")
    assert finish(child) == (0, b"done\n", b"")
    assert written(area.records()) == Counter(named(1, 1, 300))
    assert area.number(LOST) == 0


def test_a_full_file_system(tmp_path: Path, writes: Path) -> None:
    """No SIGBUS: what has no memory is counted as lost."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    (tmp_path / "d").mkdir()
    script = f"""
        mount --make-rprivate / && mkdir small && mount -t tmpfs -o size=160k none small
        cp --sparse=always area small/area
        HPCPROV_IO=1:0:0::{tmp_path}/small/area LD_PRELOAD={library()} {writes} 1 4 1000
        echo $?; cp --sparse=always small/area area
    """
    with Area.make(tmp_path / "area") as area:
        command = ["unshare", "-m", "sh", "-c", script]
        done = subprocess.run(command, cwd=tmp_path, env=PLAIN, capture_output=True, timeout=60)
        assert (done.stdout, done.stderr) == (b"done\n0\n", b"")
        kept = len(area.records())
        assert kept > 300 and kept + area.number(LOST) == 4001


def test_a_writer_that_is_killed_leaves_the_rest_readable(tmp_path: Path, writes: Path) -> None:
    pause = random.Random(5)
    for attempt in range(12):
        directory = tmp_path / str(attempt)
        directory.mkdir()
        with Area.make(directory / "area") as area:
            child = start(area, directory, writes, "1", "4", "100000")
            while len(os.listdir(directory / "d")) < 50:
                time.sleep(0.001)
            time.sleep(pause.random() / 50)
            child.send_signal(signal.SIGKILL)
            assert finish(child)[0] == -9
            names = written(area.records())
            missing = set(map(os.fsencode, os.listdir(directory / "d"))) - set(names)
            assert len(missing) <= 4 and set(names.values()) == {1}


@pytest.mark.parametrize("offset", [TAIL, HEAD, 192, 320, 8, 16, 24])
@pytest.mark.parametrize("value", [0, 7, 1 << 40, (1 << 64) - 1])
def test_an_area_that_somebody_scribbled_on(tmp_path: Path, writes: Path, offset: int, value: int) -> None:
    with Area.make(tmp_path / "area") as area:
        area.put(offset, value)
        assert finish(start(area, tmp_path, writes, "1", "2", "20")) == (0, b"done\n", b"")


def test_an_area_that_is_gone_or_none(tmp_path: Path, writes: Path) -> None:
    with Area.make(tmp_path / "area") as area:
        for content in (None, b"", b"short", bytes(HEADER), os.urandom(3 * HEADER)):
            area.path.unlink(missing_ok=True)
            if content is not None:
                area.path.write_bytes(content)
            assert finish(start(area, tmp_path, writes, "1", "1", "3")) == (0, b"done\n", b"")


def test_nothing_is_written_when_nobody_reads(area: Area, tmp_path: Path, writes: Path) -> None:
    area.put(STOPPED, 1, "I")
    assert finish(start(area, tmp_path, writes, "1", "1", "3")) == (0, b"done\n", b"")
    assert area.records() == [] and area.number(LOST) == 0


def test_an_area_removed_while_it_is_written(area: Area, tmp_path: Path, writes: Path) -> None:
    child = start(area, tmp_path, "sh", "-c", f"rm area; exec {writes} 1 2 50")
    assert finish(child) == (0, b"done\n", b"")
