"""What takes the place of a tracked function: of the same kind, and each call of it is told.

wrapped(Tracked(smooth, None, frozenset(), frozenset()))(field)  ->  what smooth(field) gives
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Any, cast

from hpcprov.tracking.calls import Call, within
from hpcprov.tracking.tracked import Tracked


def wrapped(tracked: Tracked) -> Callable[..., Any]:
    """A function, coroutine or generator, as the tracked one is."""
    if inspect.isasyncgenfunction(tracked.call):
        return around_async_generator(tracked)
    if inspect.iscoroutinefunction(tracked.call):
        return around_coroutine(tracked)
    return around_generator(tracked) if inspect.isgeneratorfunction(tracked.call) else around(tracked)


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
