"""`@hpcprov.track`: each call of a function as a step, with its arguments and its result as artifacts.

    @hpcprov.track
    def smooth(field, width=3): ...              # arrays are signed in memory, width is a parameter

    @hpcprov.track(outputs=["field", "path"])    # changes `field` in place, and writes the file
    def relax(field, path): ...

What the function returns, raises and takes is never touched; the decorator calls none of its arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar, overload

from hpcprov.tracking.tracked import Tracked
from hpcprov.tracking.wrapping import wrapped

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
    return wrapped(Tracked(function, name, inputs, outputs))
