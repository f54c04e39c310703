"""The child that reads untrusted files: `python -P -m hpcprov.signature.worker --fd 5 --parent 4711 ...`.

A library that crashes on a malicious file takes only this process with it. It does what its parent asks over the socket
(`isolated.py` is the other end), within limits on memory and on what it may write, and ends with its parent.

    {"do": "describe", "path": "out.h5", "threads": 2}  ->  {"is": "progress", "done": 8388608, ...} ...
                                                            {"is": "answer", "result": {...}, "decoding": 1.0}
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import sys
from threading import Event, Lock, Thread

from hpcprov.signature.wire import Ended, receive, send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hpcprov.signature.counting import Counting
    from hpcprov.signature.pieces import Hand
    from hpcprov.signature.share import Note
    from hpcprov.signature.watch import Watch

#: Seconds between two counts of what has been done.
TICK = 0.2
PR_SET_PDEATHSIG = 1
#: Opening files needs that much address space in any case.
LEAST = 1 << 30
#: Address space of libraries, and of each thread: its stack, its arena for small objects and a little to work with.
LIBRARIES, PER_THREAD = 512 << 20, 128 << 20
#: Settings that only describing a whole artifact takes.
DESCRIBING = ("appended", "values", "same_as", "durable", "algorithms", "deadline")


def main(words: list[str], kind: type[Worker] | None = None) -> int:
    """Serve requests, with a Worker that may be of a `kind` that does more. The exit status."""
    options = {name: int(value) for name, value in zip(words[::2], words[1::2], strict=True)}
    end_with_parent(options["--parent"])
    most = max(LEAST, options["--memory"])
    limit({resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: options["--files"], resource.RLIMIT_AS: most})
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails instead
    stream = socket.socket(fileno=options["--fd"])
    try:
        (kind or Worker)(stream).serve()
    except Ended:
        pass
    return 0


def end_with_parent(parent: int) -> None:
    """Be killed when the parent ends, however it ends; Ctrl-C ends this process silently."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def limit(wanted: dict[int, int]) -> None:
    """Set limits of this process, by their kinds, none higher than it is."""
    for what, most in wanted.items():
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def threads_within_limits(wanted: int | None) -> int:
    """`wanted` threads, else one for each CPU; fewer when the address space is too small for so many."""
    from hpcprov.signature.cpus import thread_count

    space, _ = resource.getrlimit(resource.RLIMIT_AS)
    most = max(1, (space - LIBRARIES) // PER_THREAD)
    return min(thread_count(wanted), most)


def is_tight() -> bool:
    """Whether this process holds so much address space that the next file may lack it."""
    space, _ = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", "rb") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    return held > space * 3 // 4


class Worker:
    """Answers requests one after the other, and counts aloud while it is at one."""

    def __init__(self, stream: socket.socket) -> None:
        self.stream, self.lock = stream, Lock()
        self.hand: Hand | None = None
        self.notes: dict[str, list[Note]] | None = None
        self.settings: dict[str, Any] = {}

    def serve(self) -> None:
        while True:
            request, body = receive(self.stream)
            if request.get("do") == "settings":
                if "memory" in request:
                    limit({resource.RLIMIT_AS: max(LEAST, request["memory"])})
                self.settings = {**request, "threads": threads_within_limits(request.get("threads"))}
                continue
            head, content = self._answer(request, body)
            self._send({**head, "tight": is_tight()}, content)

    def _send(self, head: dict[str, Any], body: bytes = b"") -> None:
        with self.lock:
            send(self.stream, head, body)

    def _answer(self, request: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        from hpcprov.data import mapping
        from hpcprov.signature.watch import Watch

        # This process may be killed by a file that becomes shorter; not a second time by the same.
        mapping.allow(request["do"] != "bytes")
        watch, done = Watch(), Event()
        counting = Thread(target=self._count, args=(watch, done), daemon=True)
        counting.start()
        try:
            work: Callable[[dict[str, Any], bytes, Watch], tuple[dict[str, Any], bytes]] = getattr(
                self, f"do_{request['do']}"
            )
            head, content = work(request, body, watch)
            return {"is": "answer", "chunks": watch.chunks, "decoded": watch.decoded, **head}, content
        except Ended:
            raise
        except MemoryError:
            return {"is": "error", "text": "not enough memory to read it"}, b""
        except Exception as error:
            return {"is": "error", **_told(error)}, b""
        finally:
            done.set()
            counting.join()

    def _count(self, watch: Watch, done: Event) -> None:
        while not done.wait(TICK):
            try:
                self._send({"is": "progress", **_counts(watch)})
            except Ended:
                os._exit(0)

    def statistics(self) -> Counting | None:
        """What counts values while they are signed: nothing here."""
        return None

    def do_describe(self, request: dict[str, Any], body: bytes, watch: Watch) -> tuple[dict[str, Any], bytes]:
        from hpcprov.signature.artifact import describe

        told: list[str] = []
        more = {name: self.settings[name] for name in DESCRIBING if name in self.settings}
        result = describe(
            request["path"], watch=watch, tell=told.append, statistics=self.statistics(), **self._options(), **more
        )
        return {"result": result, "told": told}, b""

    def do_bytes(self, request: dict[str, Any], body: bytes, watch: Watch) -> tuple[dict[str, Any], bytes]:
        """The artifact without its values, which could not be read: no parser looks at it."""
        from hpcprov.signature.artifact import describe

        options: dict[str, Any] = {name: self.settings.get(name) for name in ("threads", "deadline")}
        result = describe(request["path"], values=False, algorithms=self._algorithms(), watch=watch, **options)
        if result["state"] == "ok":
            result.update(state="unreadable", reason=request["reason"], unsigned=None)
        return {"result": result, "told": []}, b""

    def do_survey(self, request: dict[str, Any], body: bytes, watch: Watch) -> tuple[dict[str, Any], bytes]:
        from hpcprov.signature.pieces import survey

        options = self._options()
        algorithms = self._algorithms()
        options = {name: options[name] for name in ("cache_dir", "follow")}
        found = survey(
            request["path"], ranks=request["ranks"], algorithms=algorithms, statistics=self.statistics(), **options
        )
        return {"found": found}, b""

    def do_piece(self, request: dict[str, Any], body: bytes, watch: Watch) -> tuple[dict[str, Any], bytes]:
        from hpcprov.signature.cpus import thread_count
        from hpcprov.signature.pieces import Hand

        if self.hand is None:
            options = self._options()
            options["threads"] = thread_count(options["threads"])
            self.hand = Hand(algorithms=self._algorithms(), statistics=self.statistics(), **options)
        note = self.hand.do(request["piece"], watch)
        return {"note": note.head}, note.body

    def do_finish(self, request: dict[str, Any], body: bytes, watch: Watch) -> tuple[dict[str, Any], bytes]:
        from hpcprov.signature.cpus import thread_count
        from hpcprov.signature.pieces import put_together
        from hpcprov.signature.share import unpack

        if self.hand is not None:
            self.hand.close()  # a library may not open one file in two ways
        options = self._options()
        options["threads"] = thread_count(options["threads"])
        notes, options["algorithms"] = list(unpack(body)), self._algorithms()
        options["statistics"] = self.statistics()
        result = put_together(
            request["path"], request["fingerprint"], notes, failure=request["failure"], watch=watch, **options
        )
        return {"result": result, "told": []}, b""

    def do_share(self, request: dict[str, Any], body: bytes, watch: Watch) -> tuple[dict[str, Any], bytes]:
        """This node's part of hashing one artifact that several nodes share."""
        from hpcprov.signature import nodes

        told: list[str] = []
        where = {name: request[name] for name in ("shared_dir", "node")}
        artifact = request["path"], request["role"]
        nodes.share([artifact], first=request["at"], tell=told.append, watch=watch, **where, **self._places())
        return {"told": told}, b""

    def do_combine(self, request: dict[str, Any], body: bytes, watch: Watch) -> tuple[dict[str, Any], bytes]:
        """What all nodes found out about one artifact; they have ended."""
        from hpcprov.signature import combine
        from hpcprov.signature.groups import key_of

        if self.notes is None:
            self.notes = combine.notes_in(request["shared_dir"])
        notes = self.notes.get(key_of(request["at"], request["path"], request["role"]), [])
        told: list[str] = []
        result = combine.combine_one(request["path"], notes, tell=told.append, watch=watch, **self._places())
        return {"result": result, "told": told}, b""

    def _places(self) -> dict[str, Any]:
        names = ("threads", "deadline", "cache_dir", "tiles_dir")
        return {name: self.settings.get(name) for name in names} | {"statistics": self.statistics()}

    def _algorithms(self) -> tuple[str, ...]:
        return tuple(self.settings.get("algorithms") or ())

    def _options(self) -> dict[str, Any]:
        names = ("threads", "follow", "cache_dir", "tiles_dir")
        return {"threads": None, "follow": False} | {name: self.settings.get(name) for name in names}


def _counts(watch: Watch) -> dict[str, Any]:
    return {
        "done": watch.done, "total": watch.total, "chunks": watch.chunks, "decoded": watch.decoded, "what": watch.what
    }  # fmt: skip


def _told(error: Exception) -> dict[str, Any]:
    from hpcprov.data.open import reason
    from hpcprov.data.types import Unsigned

    return {"text": reason(error), "unsigned": isinstance(error, Unsigned)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
