"""One call of a tracked function, from its begin to its end, as a step with its data.

call = Call(tracked, args, kwargs)
with within(call):
    result = tracked.call(*args, **kwargs)
call.end(result)                              # or call.fail(error)
"""

from __future__ import annotations

import time
from typing import Any

from hpcprov.tracking import session, steps, values
from hpcprov.tracking.files import GENERATED, USED, stamp
from hpcprov.tracking.parameters import parameters
from hpcprov.tracking.recorder import Recorder
from hpcprov.tracking.steps import Step
from hpcprov.tracking.tracked import Tracked
from hpcprov.tracking.trouble import sheltered


class Call:
    """One call of a tracked function: told by itself (`step`), only counted, or, where nothing is recorded, neither."""

    __slots__ = ("arguments", "began", "parent", "recorder", "step", "ticked", "tracked")

    def __init__(self, tracked: Tracked, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.tracked = tracked
        self.step: Step | None = None
        self.recorder: Recorder | None = None
        self.began = self.ticked = self.parent = 0
        with sheltered(f"a call of {tracked.name}"):
            self.begin(args, kwargs)

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        recorder = session.active() or session.begin_implicit()
        if recorder is None:
            return
        nested = steps.nested_in(recorder, self.tracked.key)
        if not recorder.admit(self.tracked.key, nested):
            self.began, self.ticked, self.parent = time.time_ns(), time.monotonic_ns(), steps.parent_in(recorder)
            self.recorder = recorder
            return
        told = {"function": self.tracked.function, "code": self.tracked.code}
        step = steps.begin(recorder, self.tracked.name, key=self.tracked.key, **told)
        self.arguments = self.tracked.arguments(args, kwargs)
        self.step = step  # from here on its end is told, whatever becomes of the rest
        others = {}
        for name, value in self.arguments.items():
            found = [(part, thing) for part, thing in values.items(name, value) if self.take(step, name, part, thing)]
            if not found:
                others[name] = value
        step.entry["parameters"] = parameters(others)
        step.begin()

    def take(self, step: Step, name: str, part: str, thing: Any) -> bool:
        """Take an argument, or a part of one, as data; False for what is a parameter."""
        kind = values.kind_of(thing)
        if kind == values.PATH:
            there = step.meet(thing)
            return there or name in self.tracked.outputs | self.tracked.inputs
        if kind == values.VALUES and (name not in self.tracked.outputs or name in self.tracked.inputs):
            step.values(USED, f"{step.name}({part})", thing)
        return kind == values.VALUES

    def end(self, result: Any, *, whole: bool = True) -> None:
        """The function has returned. `whole`: the result is to be looked at."""
        with sheltered(f"the end of a call of {self.tracked.name}"):
            if self.recorder is not None:
                self.count(failed=False)
            if (step := self.step) is None:
                return
            try:
                for name in sorted(self.tracked.outputs & self.arguments.keys()):
                    for part, thing in values.items(name, self.arguments[name]):
                        if values.kind_of(thing) == values.VALUES:
                            step.values(GENERATED, f"{step.name}({part})", thing)
                for part, thing in values.items("", result) if whole else ():
                    kind = values.kind_of(thing)
                    if kind == values.VALUES:
                        step.values(GENERATED, f"{step.name}(){part}", thing)
                    elif kind == values.PATH:
                        self.returned(step, thing)
                step.settle_files()
            finally:
                step.end()

    def returned(self, step: Step, thing: Any) -> None:
        """A path that the function returned: its output, if the file was written since the call began."""
        path = values.path_of(thing)
        now = stamp(path) if path is not None else None
        if path is None or now is None or path in step.stamps or now[2] < step.entry["began"]:
            return
        if not now[3] or values.is_named_like_a_file(thing):
            step.file(GENERATED, path, None)

    def fail(self, error: BaseException) -> None:
        """The function has raised."""
        with sheltered(f"the end of a call of {self.tracked.name}"):
            if self.recorder is not None:
                self.count(failed=True)
            if self.step is not None:
                try:
                    self.step.settle_files()
                finally:
                    self.step.end(error)

    def count(self, *, failed: bool) -> None:
        assert self.recorder is not None
        took = time.monotonic_ns() - self.ticked
        tracked = self.tracked
        self.recorder.count(tracked.function, tracked.name, self.parent, self.began, took, failed=failed)


class within:
    """What begins here is a part of the call."""

    __slots__ = ("call", "token")

    def __init__(self, call: Call) -> None:
        self.call = call

    def __enter__(self) -> None:
        self.token = steps.enter(self.call.step) if self.call.step is not None else None

    def __exit__(self, *_: object) -> None:
        if self.token is not None:
            steps.leave(self.token)
