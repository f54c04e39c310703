"""Steps: the blocks and function calls that a run consists of, as they begin and end.

    step = begin(recorder, "smooth", function="solve:smooth", code=None)
    step.use("field", array)
    step.make("", result)
    step.end()

The step that is going on is known per thread and per asynchronous task: what begins within it is a part of it.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from hpcprov.tracking import files, values
from hpcprov.tracking.files import GENERATED, USED

if TYPE_CHECKING:
    from contextvars import Token

    from hpcprov.tracking.files import Stamp
    from hpcprov.tracking.recorder import Recorder

MOST_PATHS = 64  # of one step in one role

current: ContextVar[Step | None] = ContextVar("hpcprov step", default=None)


class Step:
    """One step that is told by itself."""

    def __init__(self, recorder: Recorder, name: str, entry: dict[str, Any]) -> None:
        self.recorder, self.name = recorder, name
        self.entry, self.process = entry, recorder.pen.process
        self.around: dict[str, int] = {}  # how many calls of a function are going on, this one included
        self.began = time.monotonic_ns()
        self.paths: dict[str, dict[str, None]] = {USED: {}, GENERATED: {}}
        self.stamps: dict[str, Stamp | None] = {}

    @property
    def id(self) -> int:
        return int(self.entry["id"])

    def begin(self) -> None:
        """Tell that it goes on."""
        self.tell("running")

    def values(self, role: str, name: str, thing: Any, *, given: bool = False) -> None:
        """An array, table or dataset in memory that it takes or gives."""
        if len(self.paths[role]) < MOST_PATHS:
            path = self.recorder.values(role, name, thing, given=given)
            if path is not None:
                self.paths[role][path] = None

    def meet(self, thing: Any) -> bool:
        """Note how a file is before the step; False when the argument names none yet."""
        path = values.path_of(thing)
        if path is None or len(self.stamps) >= 2 * MOST_PATHS:
            return False
        before = files.stamp(path)
        if before is not None and before[3] and not values.is_named_like_a_file(thing):
            return False
        self.stamps[path] = before
        return before is not None

    def file(self, role: str, path: str, before: Stamp | None) -> None:
        """A file that it reads or writes."""
        if len(self.paths[role]) < MOST_PATHS:
            self.paths[role][path] = None
            self.recorder.file(role, path, before)

    def settle_files(self) -> None:
        """Find out what became of the files that it met."""
        for path, before in self.stamps.items():
            role = files.change(before, files.stamp(path))
            if role is not None:
                self.file(role, path, before)
        self.stamps = {}

    def end(self, error: BaseException | None = None) -> None:
        """Tell its end."""
        now = time.time_ns()
        self.entry |= {"ended": now, "duration": time.monotonic_ns() - self.began}
        self.entry |= {} if error is None else {"error": type(error).__qualname__[:200]}
        self.tell("completed" if error is None else "failed")

    def tell(self, status: str) -> None:
        """Write what is known by now. A forked child that leaves a block of its parent's has no say in that."""
        if self.process != self.recorder.pen.process:
            return
        paths = {role: list(found) for role, found in self.paths.items() if found}
        self.recorder.pen.step(self.entry | {"status": status} | paths)


def begin(recorder: Recorder, name: str, *, key: str | None = None, **told: Any) -> Step:
    """A new step within the one that is going on. `told`: more of its entry (docs/frames.md, "Steps"); `key`: what
    calls of one function have in common."""
    entry: dict[str, Any] = {"id": recorder.number(), "name": name[:200], "began": time.time_ns()}
    entry |= recorder.above(parent_in(recorder)) | {key: value for key, value in told.items() if value}
    step, above = Step(recorder, name, entry), current.get()
    step.around = dict(above.around) if above is not None and above.recorder is recorder else {}
    if key:
        step.around[key] = step.around.get(key, 0) + 1
    return step


def nested_in(recorder: Recorder, key: str) -> int:
    """How many calls of a function are going on here."""
    step = current.get()
    return step.around.get(key, 0) if step is not None and step.recorder is recorder else 0


def parent_in(recorder: Recorder) -> int:
    """The number of the step of this run that is going on here, 0 for none."""
    step = current.get()
    if step is not None and step.recorder is recorder and step.process == recorder.pen.process:
        return step.id
    return recorder.root


def enter(step: Step) -> Token[Step | None]:
    return current.set(step)


def leave(token: Token[Step | None]) -> None:
    """What was going on before goes on again. A generator that is ended elsewhere has another context."""
    try:
        current.reset(token)
    except ValueError:
        pass
