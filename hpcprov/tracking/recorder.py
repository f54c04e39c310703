"""One process's part in a run: it numbers the steps, keeps what has been told of values and files, and has the pen.

recorder = Recorder(journal, run_id="x", rank=0, observed=False)
recorder.values("used", "smooth(field)", array)    ->  "memory:smooth(field)#1b7d2a3c4e5f"
recorder.file("generated", "/data/out.npy", None)
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from hpcprov.record.artifact import BLANK, MEMORY
from hpcprov.record.errors import HpcprovError
from hpcprov.tracking.files import GENERATED, Touched
from hpcprov.tracking.launch import known
from hpcprov.tracking.pen import Pen

if TYPE_CHECKING:
    from hpcprov.agent.journal import Journal
    from hpcprov.tracking.files import Stamp

MOST_VALUES = 1000  # artifacts in memory that one process tells
MOST_FILES = 1000
MOST_DEFINITIONS = 5000  # of fields, that one process tells
OF_ONE, OF_ALL = 100, 1000  # calls of one function, and of all, that are told one by one
DEEPEST = 8  # calls of a function within itself that are
SHORT = 12  # hexadecimal digits in the path of values
LONGEST_NAME = 200


class Recorder:
    """What one process knows of the run that it records. `local_size`: ranks that share this node's cores; `observed`:
    an agent sees by itself what becomes of files."""

    def __init__(self, journal: Journal, *, run_id: str, rank: int, local_size: int = 1, observed: bool) -> None:
        self.run_id, self.rank, self.local_size, self.observed = run_id, rank, local_size, observed
        self.journal = journal
        self.pen = Pen(journal, rank)
        self.inherited: tuple[str, int] | None = None  # of a forked child: the step that it was forked in
        self.begin()

    def begin(self) -> None:
        """Start afresh, as a child process does that was forked."""
        self.steps = self.told = self.root = 0  # root: the step that is the whole block of the run, if there is one
        self.calls: dict[str, int] = {}
        self.counts: dict[tuple[str, int], dict[str, Any]] = {}
        self.by_digest: dict[str, str] = {}
        self.by_name: dict[str, str] = {}  # of values in memory
        self.defined: set[str] = set()
        self.named_files: set[tuple[str, str]] = set()
        self.listed: set[tuple[str, str]] = set()
        self.made: set[str] = set()
        self.touched: dict[str, Touched] = {}

    def fork(self, step: int) -> None:
        """This is a child process now, forked in that step of its parent's."""
        self.inherited = self.pen.process, step
        self.pen.begin()
        self.begin()

    def number(self) -> int:
        with self.pen.lock:
            self.steps += 1
            return self.steps

    def admit(self, key: str, nested: int) -> bool:
        """Is one more call of this function told by itself? `nested`: so many calls of it are going on around it."""
        with self.pen.lock:
            calls = self.calls.get(key, 0)
            if calls >= OF_ONE or self.told >= OF_ALL or nested >= DEEPEST:
                return False
            self.calls[key] = calls + 1
            self.told += 1
            return True

    def count(self, function: str, name: str, parent: int, began: int, duration: int, *, failed: bool) -> None:
        """Count one more call in that is not told by itself."""
        with self.pen.lock:
            key = (f"{function} {name}", parent if len(self.counts) < OF_ALL else 0)
            entry = self.counts.get(key)
            if entry is None:
                entry = {"id": self.number(), "name": name, "function": function, "began": began} | self.above(key[1])
                self.counts[key] = entry | {"count": 0, "failed": 0, "duration": 0}
                entry = self.counts[key]
            entry["count"] += 1
            entry["failed"] += failed
            entry["duration"] += duration
            entry["ended"] = began + duration
            self.pen.step(entry)

    def above(self, parent: int) -> dict[str, Any]:
        """The parent of a step as its entry tells it; `parent` 0: none in this process."""
        if parent:
            return {"parent": parent}
        return {"of": self.inherited[0], "parent": self.inherited[1]} if self.inherited else {}

    def values(self, role: str, name: str, thing: Any, *, given: bool = False) -> str | None:
        """Tell of values in memory; the path of the artifact, which equal values share unless their name was `given` by
        the user. What this process made itself is not told as used again."""
        from hpcprov.signature.artifact import describe_values
        from hpcprov.signature.cpus import thread_count

        if len(self.listed) >= MOST_VALUES:
            return None
        try:
            # Ranks, and the children of a process, have others beside them that sign at the same time.
            threads = 1 if self.inherited else max(1, thread_count() // max(1, self.local_size))
            facts = describe_values(thing, threads=threads)
        except (HpcprovError, TypeError) as error:
            facts = BLANK | {"reason": str(error)[:300]}
        return self.tell_values(role, name, facts, given=given)

    def tell_values(self, role: str, name: str, facts: dict[str, Any], *, given: bool) -> str:
        digest = facts["signature"]["digest"] if facts["signature"] else None
        short = f"#{digest.partition(':')[2][:SHORT]}" if digest else ""
        with self.pen.lock:
            path = f"{MEMORY}{name[:LONGEST_NAME]}{short}"
            path = path if given else self.by_digest.get(digest or "", path)
            self.by_name[name] = path
            if digest:
                self.by_digest.setdefault(digest, path)
            if (role, path) in self.listed or (role != GENERATED and path in self.made):
                return path
            self.listed.add((role, path))
            if role == GENERATED:
                self.made.add(path)
            self.pen.event("artifact", role=role, path=path, declared=[], **facts)
            return path

    def named(self, name: str) -> str | None:
        """The path of the values in memory that were told by this name last."""
        return self.by_name.get(name)

    def first_named(self, role: str, path: str) -> bool:
        """Is this the first time that a definition names a file in this role?"""
        with self.pen.lock:
            first = (role, path) not in self.named_files and len(self.named_files) < MOST_FILES
            if first:
                self.named_files.add((role, path))
            return first

    def define(self, entry: dict[str, Any]) -> bool:
        """Tell how a field was made, each word once; False beyond those that one process may tell."""
        import json

        text = json.dumps(entry, sort_keys=True)
        with self.pen.lock:
            if text in self.defined:
                return True
            if len(self.defined) >= MOST_DEFINITIONS:
                return False
            self.defined.add(text)
            self.pen.event("definition", entries=[entry])
            return True

    def file(self, role: str, path: str, before: Stamp | None) -> None:
        """Tell that a file was read, being as `before` says, or written."""
        if self.observed:
            return
        with self.pen.lock:
            if path not in self.touched and len(self.touched) >= MOST_FILES:
                return
            touched = self.touched.setdefault(path, Touched(path))
            was = touched.read, touched.written, touched.overwritten
            touched.add(role, before, time.time_ns())
            if was != (touched.read, touched.written, touched.overwritten):
                self.tell_files([touched])

    def wrote(self, path: str) -> bool:
        """Did this process write a file? What it reads of it then is its own."""
        with self.pen.lock:
            return path in self.touched and self.touched[path].written

    def tell_files(self, files: list[Touched]) -> None:
        entries = [one.entry(self.rank) for one in files]
        # A node's later word on a path takes the place of its earlier one: each process speaks for itself.
        self.pen.event("access", node=f"{self.journal.node}:{self.pen.pid}", entries=entries)

    def declare(self, role: str, thing: str) -> str:
        """Have a file signed in any case when the run has ended; its path."""
        path = os.path.abspath(thing)
        words = {"role": role, "cwd": os.getcwd(), "pattern": thing, "paths": [path], "reason": None}
        self.pen.event("declared", **words)
        return path

    def flush(self) -> None:
        self.pen.flush()

    def record(self) -> dict[str, Any]:
        """What is known of the run by now, as a record. Raises OSError."""
        self.flush()
        return known(os.path.dirname(self.journal.path), self.run_id)

    def end(self) -> None:
        """Write what waits, and how the files are by now that were written."""
        self.pen.flush()
        written = [one for one in self.touched.values() if one.written]
        for first in range(0, len(written), 10):
            self.tell_files(written[first : first + 10])

    def close(self) -> None:
        """Write nothing more: the log's descriptor may be another file's soon."""
        with self.pen.lock:
            self.pen.closed = True
