"""`@hpcprov.track`: each call of a function as a step, with its arguments and its result as artifacts.

    @hpcprov.track
    def smooth(field, width=3): ...              # arrays are signed in memory, width is a parameter

    @hpcprov.track(outputs=["field", "path"])    # changes `field` in place, and writes the file
    def relax(field, path): ...

What the function returns, raises and takes is never touched; the decorator calls none of its arguments.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator
from hashlib import sha256
from typing import Any, ParamSpec, TypeVar, cast, overload

from hpcprov.tracking import session, steps, values
from hpcprov.tracking.files import GENERATED, USED
from hpcprov.tracking.parameters import parameters
from hpcprov.tracking.recorder import Recorder
from hpcprov.tracking.steps import Step
from hpcprov.tracking.trouble import sheltered

P = ParamSpec("P")
R = TypeVar("R")


@overload
def track(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def track(
    *, name: str | None = None, inputs: Iterable[str] = (), outputs: Iterable[str] = ()
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def track(
    function: Any = None, /, *, name: str | None = None, inputs: Iterable[str] = (), outputs: Iterable[str] = ()
) -> Any:
    """Record each call of a function as a step of the run that goes on; outside of one, the first call begins a run
    that ends with the process.

    Arguments that are arrays, tables or datasets in memory (numpy, pandas, polars, pyarrow, xarray) are its inputs, and
    so are files that it is given the paths of; its result, and the files among those paths that it makes or changes,
    are its outputs. All else is a parameter. `inputs`, `outputs`: parameters that are so in any case: outputs are
    looked at again when the call has ended. Calls beyond the hundredth of a function are counted.

    Raises TypeError and ValueError for wrong arguments of its own."""
    if isinstance(inputs, str) or isinstance(outputs, str):
        raise TypeError("inputs and outputs are lists of names of parameters")
    if name is not None and not isinstance(name, str):
        raise TypeError(f"the name of a step is text, not {type(name).__name__}")
    named = frozenset(inputs), frozenset(outputs)
    if function is None:
        return lambda given: decorated(given, name, *named)
    return decorated(function, name, *named)


def decorated(function: Any, name: str | None, inputs: frozenset[str], outputs: frozenset[str]) -> Any:
    if isinstance(function, classmethod | staticmethod):
        return type(function)(decorated(function.__func__, name, inputs, outputs))
    if not callable(function) or isinstance(function, type):
        raise TypeError(f"only functions can be tracked, not {function!r:.200}")
    tracked = Tracked(function, name, inputs, outputs)
    if inspect.isasyncgenfunction(function):
        return around_async_generator(tracked)
    if inspect.iscoroutinefunction(function):
        return around_coroutine(tracked)
    return around_generator(tracked) if inspect.isgeneratorfunction(function) else around(tracked)


class Tracked:
    """A function, with what its calls are told by."""

    def __init__(self, function: Any, name: str | None, inputs: frozenset[str], outputs: frozenset[str]) -> None:
        self.call: Callable[..., Any] = function
        qualified = str(getattr(function, "__qualname__", type(function).__qualname__))
        self.name = name or qualified.rpartition("<locals>.")[2]
        self.function = f"{getattr(function, '__module__', None) or '?'}:{qualified}"[:1000]
        self.key = f"{self.function} {self.name}"  # functions made in one place may have one name
        self.inputs, self.outputs = inputs, outputs
        try:
            self.signature: inspect.Signature | None = inspect.signature(function)
        except (TypeError, ValueError):
            self.signature = None  # functions written in C need not tell
        self.check()
        self.digest: str | None = None
        self.read = False

    def check(self) -> None:
        """Raises ValueError for names that no parameter has."""
        known = self.signature.parameters if self.signature is not None else {}
        if self.signature is None or any(one.kind is one.VAR_KEYWORD for one in known.values()):
            return
        unknown = sorted((self.inputs | self.outputs) - known.keys())
        if unknown:
            raise ValueError(f"{self.name} has no parameter {', '.join(unknown)}: it has {', '.join(known) or 'none'}")

    @property
    def code(self) -> str | None:
        """SHA-256 of the function's source text, where there is one."""
        if not self.read:
            self.read = True
            try:
                self.digest = sha256(inspect.getsource(self.call).encode("utf-8", "surrogatepass")).hexdigest()
            except (OSError, TypeError, SyntaxError, IndexError):
                pass
        return self.digest

    def arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """By name; by number where that is not known, or where the call is wrong and the function will say so."""
        if self.signature is not None:
            try:
                bound = self.signature.bind(*args, **kwargs)
            except TypeError:
                bound = None
            if bound is not None:
                bound.apply_defaults()
                return self.flat(bound.arguments)
        return {str(at): value for at, value in enumerate(args)} | kwargs

    def flat(self, bound: dict[str, Any]) -> dict[str, Any]:
        """Keyword arguments that were gathered, each by its own name."""
        assert self.signature is not None
        gathered = next((n for n, one in self.signature.parameters.items() if one.kind is one.VAR_KEYWORD), None)
        return {n: v for n, v in bound.items() if n != gathered} | dict(bound.get(gathered or "", {}))


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
        from hpcprov.tracking.files import stamp

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


def around(tracked: Tracked) -> Callable[..., Any]:
    @functools.wraps(tracked.call)
    def call(*args: Any, **kwargs: Any) -> Any:
        one = Call(tracked, args, kwargs)
        try:
            with within(one):
                result = tracked.call(*args, **kwargs)
        except BaseException as error:
            one.fail(error)
            raise
        one.end(result)
        return result

    return call


def around_coroutine(tracked: Tracked) -> Callable[..., Any]:
    @functools.wraps(tracked.call)
    async def call(*args: Any, **kwargs: Any) -> Any:
        one = Call(tracked, args, kwargs)
        try:
            with within(one):
                result = await cast(Awaitable[Any], tracked.call(*args, **kwargs))
        except BaseException as error:
            one.fail(error)
            raise
        one.end(result)
        return result

    return call


def around_generator(tracked: Tracked) -> Callable[..., Iterator[Any]]:
    """From the first item that is asked for to the last; what the caller does in between is no part of it."""

    @functools.wraps(tracked.call)
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        one = Call(tracked, args, kwargs)
        items: Generator[Any, Any, Any] = tracked.call(*args, **kwargs)
        advance: Callable[[], Any] = lambda: next(items)  # noqa: E731
        try:
            while True:
                with within(one):
                    item = advance()
                try:
                    given = yield item
                    advance = functools.partial(items.send, given)
                except GeneratorExit:
                    items.close()
                    raise
                except BaseException as error:
                    advance = functools.partial(items.throw, error)
        except StopIteration as end:
            one.end(end.value)
            return end.value
        except GeneratorExit:
            one.end(None, whole=False)
            raise
        except BaseException as error:
            one.fail(error)
            raise

    return call


def around_async_generator(tracked: Tracked) -> Callable[..., AsyncIterator[Any]]:
    @functools.wraps(tracked.call)
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        one = Call(tracked, args, kwargs)
        items: AsyncGenerator[Any, Any] = tracked.call(*args, **kwargs)
        advance: Callable[[], Awaitable[Any]] = lambda: anext(items)  # noqa: E731
        try:
            while True:
                with within(one):
                    item = await advance()
                try:
                    given = yield item
                    advance = functools.partial(items.asend, given)
                except GeneratorExit:
                    await items.aclose()
                    raise
                except BaseException as error:
                    advance = functools.partial(items.athrow, error)
        except StopAsyncIteration:
            one.end(None, whole=False)
        except GeneratorExit:
            one.end(None, whole=False)
            raise
        except BaseException as error:
            one.fail(error)
            raise

    return call
