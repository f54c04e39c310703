"""Reading in a child process: whatever a file does to the libraries that parse it, this process lives and tells.

    with Isolated({"threads": 4}, memory=1 << 30) as reader:
        facts = reader.describe("out.h5").result      # as `artifact.describe` gives them

Only the standard library is imported here: the command that waits needs no numpy. A reader that crashes, is killed or
hangs makes its artifact `unreadable` with the reason, its storage digest is still taken, and the next request starts
another reader.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from typing import NamedTuple

from hpcprov.record.artifact import BLANK
from hpcprov.record.errors import HpcprovError
from hpcprov.record.statistics import is_statistics
from hpcprov.signature.wire import BadMessage, Ended, receive, send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, Self, TypeAlias

    #: What must be there, and the types that it may have.
    Keys: TypeAlias = dict[str, tuple[type, ...]]

STATES = ("ok", "missing", "unreadable", "not hashed")
#: A reader that computes that long (seconds, whatever its threads) without getting anywhere hangs.
PATIENCE = 300.0
LOOK = 5.0  # s between two looks at a silent reader
#: One that does not compute may be waiting for storage: such a second counts less.
IDLE = 1 / 6
UNSOUND = "the process that reads it gave no sound answer"
CLOSING = 2.0  # s for a reader to end by itself


class Crashed(HpcprovError):
    """The reading process ended, or was ended, before it answered."""


class Refused(HpcprovError):
    """What was asked cannot be done, as the reader says; `unsigned` when the rules give no signature."""

    def __init__(self, message: str, *, unsigned: bool = False) -> None:
        super().__init__(message)
        self.unsigned = unsigned


class Described(NamedTuple):
    """What is known of an artifact, how often its chunks were decoded on average, and what could not be kept."""

    result: dict[str, Any]
    decoding: float
    told: list[str]


class Isolated:
    """A child process that reads. `settings`: threads, follow, cache_dir, tiles_dir, deadline; `memory` is its limit in
    bytes, `files` that of what it may write; `progress` is called with the counts of a Watch a few times a second.
    After `patience` seconds of computing without getting anywhere it is ended."""

    #: What the child runs.
    module = "hpcprov.signature.worker"

    def __init__(
        self,
        settings: dict[str, Any],
        *,
        memory: int,
        files: int = 0,
        progress: Callable[[dict[str, Any]], None] | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.settings, self.memory, self.files = settings, memory, files
        self.progress, self.patience = progress, patience
        self.child: subprocess.Popen[bytes] | None = None
        self.stream: socket.socket | None = None
        self.asked = 0  # of the reader that runs

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(at_once=error is not None)

    def start(self) -> socket.socket:
        """Start the child, unless it runs. Raises HpcprovError when that fails."""
        if self.stream is not None:
            return self.stream
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise HpcprovError(f"the reading process could not be started: {error.strerror}") from error
        words = ["--fd", theirs.fileno(), "--parent", os.getpid(), "--memory", self.memory, "--files", self.files]
        command = [sys.executable, "-P", "-m", self.module, *map(str, words)]
        null = subprocess.DEVNULL
        try:
            self.child = subprocess.Popen(
                command, env=_environ(), stdin=null, stdout=null, stderr=null, pass_fds=(theirs.fileno(),)
            )
        except OSError as error:
            ours.close()
            raise HpcprovError(f"the reading process could not be started: {error.strerror}") from error
        finally:
            theirs.close()
        self.stream, self.asked = ours, 0
        self._configure()
        return ours

    def configure(self, **settings: Any) -> None:
        """Change settings, for the reader that runs and for later ones."""
        self.settings = {**self.settings, **settings}
        if self.stream is not None:
            self._configure()

    def limit(self, memory: int) -> None:
        """Lower the limit on memory, of the reader that runs and of later ones."""
        self.memory = memory
        self.configure(memory=memory)

    def _configure(self) -> None:
        assert self.stream is not None
        try:
            send(self.stream, {"do": "settings", **self.settings})
        except Ended:
            pass  # the next request finds out why

    def close(self, *, at_once: bool = False) -> None:
        """End the child."""
        if self.stream is not None:
            self.stream.close()
            self.stream = None
        if self.child is not None:
            if at_once:
                self.child.kill()
            try:
                self.child.wait(CLOSING)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
            self.child = None

    def ask(self, request: dict[str, Any], body: bytes = b"") -> tuple[dict[str, Any], bytes]:
        """The answer to a request. Raises Crashed, or Refused with what the reader says."""
        head, content = self._asked(request, body)
        if self.asked > 1 and head.get("tight") is True and _failed(head):
            self.close()  # what it holds of earlier files may be what is missing
            head, content = self._asked(request, body)
        if head.get("is") != "answer":
            raise Refused(str(head.get("text"))[:300], unsigned=head.get("unsigned") is True)
        return head, content

    def _asked(self, request: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        stream = self.start()
        self.asked += 1
        try:
            send(stream, request, body)
            return self._answer(stream)
        except (Ended, BadMessage) as error:
            raise Crashed(self._autopsy(error)) from error

    def _answer(self, stream: socket.socket) -> tuple[dict[str, Any], bytes]:
        """The next message that is no count. Raises BadMessage when the reader gets nowhere for too long."""
        counts: dict[str, Any] = {}
        spent, used, last = 0.0, self._used(), time.monotonic()
        while True:
            if select.select([stream], [], [], LOOK)[0]:
                head, body = receive(stream)
                if head.get("is") != "progress":
                    return head, body
                if self.progress is not None:
                    self.progress(head)
                if head != counts:
                    counts, spent = head, 0.0
            passed = min(LOOK, time.monotonic() - last)  # more when both were stopped
            computed = self._used() - used
            spent += max(min(passed, computed), IDLE * passed)
            used, last = used + computed, time.monotonic()
            if spent > self.patience:
                raise BadMessage(f"it got nowhere for more than {self.patience:.0f} s of work")

    def _used(self) -> float:
        """CPU seconds of the child so far."""
        if self.child is None:
            return 0.0
        try:
            with open(f"/proc/{self.child.pid}/stat", "rb") as file:
                words = file.read().rpartition(b")")[2].split()
            return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
        except (OSError, IndexError, ValueError):
            return 0.0

    def _autopsy(self, error: HpcprovError) -> str:
        """End the child and say what became of it."""
        child, self.child = self.child, None
        if self.stream is not None:
            self.stream.close()
            self.stream = None
        assert child is not None
        if isinstance(error, BadMessage):
            child.kill()
            child.wait()
            return f"the process that reads it was ended: {error.message}"
        try:
            status = child.wait(CLOSING)
        except subprocess.TimeoutExpired:
            child.kill()
            status = child.wait()
        if status == -signal.SIGINT:
            raise KeyboardInterrupt
        return f"the process that reads it {_cause(status)}"

    def describe(self, path: str) -> Described:
        """The facts about an artifact; a reader that crashes is one of them."""
        return self._or_bytes({"do": "describe", "path": path})

    def bytes_only(self, path: str, reason: str) -> Described:
        """The facts about an artifact whose values cannot be read, for a `reason`: its bytes need no parser."""
        try:
            return self._described({"do": "bytes", "path": path, "reason": reason})
        except (Crashed, Refused):
            return Described({**BLANK, "state": "unreadable", "reason": reason}, 1.0, [])

    def finish(self, path: str, request: dict[str, Any], body: bytes) -> Described:
        """The facts about an artifact whose pieces were done by several ranks."""
        return self._or_bytes({"do": "finish", "path": path, **request}, body)

    def share(self, path: str, request: dict[str, Any]) -> list[str]:
        """Do this node's part of an artifact that nodes share: `at`, `role`, `shared_dir`, `node` as in `nodes.share`.
        What could not be kept; a reader that crashes leaves the part to whoever combines."""
        try:
            return _told(self.ask({"do": "share", "path": path, **request})[0])
        except (Crashed, Refused):
            return []

    def combine(self, path: str, request: dict[str, Any]) -> Described:
        """The facts about an artifact that nodes shared: `at`, `role`, `shared_dir` as in `nodes.combine`."""
        return self._or_bytes({"do": "combine", "path": path, **request})

    def _or_bytes(self, request: dict[str, Any], body: bytes = b"") -> Described:
        try:
            return self._described(request, body)
        except (Crashed, Refused) as error:
            return self.bytes_only(request["path"], error.message)

    def _described(self, request: dict[str, Any], body: bytes = b"") -> Described:
        head, _ = self.ask(request, body)
        return Described(sound(head.get("result")), ratio(head), _told(head))


def _failed(head: dict[str, Any]) -> bool:
    """Whether an answer says that something could not be read."""
    result = head.get("result")
    state = result.get("state") if isinstance(result, dict) else None
    return head.get("is") != "answer" or state in ("unreadable", "not hashed")


def _told(head: dict[str, Any]) -> list[str]:
    """What could not be kept, as the reader says."""
    lines = head.get("told")
    return [str(line)[:1000] for line in lines] if isinstance(lines, list) else []


def ratio(counts: dict[str, Any]) -> float:
    """How often a chunk was decoded on average."""
    chunks, decoded = counts.get("chunks"), counts.get("decoded")
    return decoded / chunks if isinstance(chunks, int) and isinstance(decoded, int) and chunks > 0 else 1.0


def sound(result: Any) -> dict[str, Any]:
    """`result`, when it has the form of facts about an artifact. A reader that was taken over says anything."""
    if not isinstance(result, dict) or result.keys() != BLANK.keys() or result["state"] not in STATES:
        raise Refused(UNSOUND)
    for key, kinds in KINDS.items():
        if not isinstance(result[key], (*kinds, type(None))) or isinstance(result[key], bool):
            raise Refused(UNSOUND)
    for key in ("storage", "signature"):
        if result[key] is not None and not _is_digest(result[key], PARTS[key]):
            raise Refused(UNSOUND)
    return result


def _is_digest(facts: dict[str, Any], keys: Keys) -> bool:
    """Whether a storage digest or a signature has its keys, and each field and link that it lists has its own."""
    facts = {"also": {}, "links": [], **facts}
    return (
        _has(facts, keys)
        and all(_has(one, FIELD) and _counts(one) for one in facts.get("fields", ()))
        and all(_has(one, LINK) for one in facts["links"])
    )


def _has(one: Any, keys: Keys) -> bool:
    return isinstance(one, dict) and all(key in one and isinstance(one[key], kinds) for key, kinds in keys.items())


def _counts(field: dict[str, Any]) -> bool:
    numbers = (*(field["shape"] or ()), *field["tile"])
    return all(type(number) is int for number in numbers) and is_statistics(field.get("statistics", {}))


KINDS: Keys = {
    "reason": (str,), "format": (str,), "size": (int,), "files": (int,), "mtime": (int,), "storage": (dict,),
    "signature": (dict,), "unsigned": (str,),
}  # fmt: skip
_DIGEST: Keys = {"digest": (str,), "how": (str,), "also": (dict,), "links": (list,)}
PARTS: dict[str, Keys] = {"storage": _DIGEST, "signature": {**_DIGEST, "kind": (str,), "fields": (list,)}}
FIELD: Keys = {
    "path": (str,), "type": (str,), "shape": (list, type(None)), "tile": (list,), "signature": (str,), "bytes": (int,),
}  # fmt: skip
LINK: Keys = {"path": (str,), "target": (str,)}


def _cause(status: int) -> str:
    if status == -signal.SIGKILL:
        return "was killed (signal 9), most likely for lack of memory"
    if status == -signal.SIGBUS:
        return "was killed (signal 7): the file became shorter while it was read, or its device fails"
    if status < 0:
        try:
            return f"crashed: signal {-status} ({signal.Signals(-status).name})"
        except ValueError:
            return f"crashed: signal {-status}"
    return f"ended with status {status}"


def _environ() -> dict[str, str]:
    # numpy's algebra library would reserve memory for every core. A parallel HDF5 imports mpi4py, and the reader is no
    # rank: MPI must not start in it.
    return os.environ | {"OPENBLAS_NUM_THREADS": "1", "MPI4PY_RC_INITIALIZE": "0"}
