"""Many records read at once: by as many processes as there are processors when that pays, else here.

for found in read_places(store, places): ...

The others are processes of their own (catalog/worker.py), not of multiprocessing: that would run the main module of a
user's program or notebook again. What one that is killed has not answered is read here.
"""

from __future__ import annotations

import os
import subprocess
import sys

from hpcprov.catalog.before import Before
from hpcprov.catalog.reading import read_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hpcprov.catalog.reading import Found
    from hpcprov.record.layout import Store

PAYS = 1000  # records from which on processes of their own are started
MOST = 8  # of them: a login node is not ours alone
PIPE = 1 << 20  # bytes that may wait in a pipe
F_SETPIPE_SZ = 1031


def read_places(store: Store, places: list[str]) -> Iterator[Found]:
    """What is in each place, in any order."""
    number = min(len(os.sched_getaffinity(0)), MOST)
    left = dict.fromkeys(places)
    if len(places) >= PAYS and number > 1:
        for found in _read_by(store, places, number):
            left.pop(found.place, None)
            yield found
    before = Before()
    for place in left:
        yield read_place(store, place, before)


def _read_by(store: Store, places: list[str], number: int) -> Iterator[Found]:
    from hpcprov.catalog.worker import receive

    workers: list[subprocess.Popen[bytes]] = []
    try:
        for at in range(number):
            workers.append(_start(store, places[at::number]))
        working = [worker for worker in workers if worker.stdout is not None]
        while working:
            for worker in list(working):
                assert worker.stdout is not None
                batch = receive(worker.stdout)
                yield from batch
                if not batch:
                    working.remove(worker)
    except OSError:
        return  # no more processes: the rest is read here
    finally:
        for worker in workers:
            worker.kill()
            for pipe in (worker.stdin, worker.stdout):
                if pipe is not None:
                    pipe.close()
            worker.wait()


def _start(store: Store, places: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "hpcprov.catalog.worker", store.root]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert worker.stdin is not None and worker.stdout is not None
    try:
        _widen(worker.stdout.fileno())
        worker.stdin.write("\n".join(places).encode())
        worker.stdin.close()
    except BrokenPipeError:
        pass  # it ended at once: `receive` finds nothing
    return worker


def _widen(pipe: int) -> None:
    import fcntl

    try:
        fcntl.fcntl(pipe, F_SETPIPE_SZ, PIPE)
    except OSError:
        pass  # it is then a little slower
