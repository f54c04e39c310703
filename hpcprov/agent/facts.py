"""The facts of a node, each kind from its own module of `capture`, written as `fact` events while the application runs.

A kind that fails is written as such, with the reason; none holds up another, and none of them the application.
"""

from __future__ import annotations

import os

from hpcprov.agent.journal import Journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def user(context: Context) -> Any:
    from hpcprov.capture import user as source

    return source.collect(context.environ)


def scheduler(context: Context) -> Any:
    from hpcprov.capture import scheduler as source

    return source.collect(context.environ)


def container(context: Context) -> Any:
    from hpcprov.capture import container as source

    return source.collect(context.environ, context.argv, context.cwd)


def modules(context: Context) -> Any:
    from hpcprov.capture import modules as source

    return source.collect(context.environ)


def host(context: Context) -> Any:
    from hpcprov.capture import host as source

    return source.collect(pid=context.application)


def code(context: Context) -> Any:
    from hpcprov.capture import code as source

    return source.collect(context.argv, context.cwd, context.environ)


def gpu(context: Context) -> Any:
    from hpcprov.capture import gpu as source

    return source.collect(context.environ)


KINDS: tuple[tuple[str, Callable[[Context], Any]], ...] = (
    ("user", user),
    ("scheduler", scheduler),
    ("container", container),
    ("modules", modules),
    ("host", host),
    ("code", code),
    ("gpu", gpu),
)  # the quick ones first: a short run still has them


class Context:
    """What the collectors look at: the first rank of this node."""

    def __init__(self, start: Mapping[str, Any], application: int | None) -> None:
        self.environ: Mapping[str, str] = os.environ
        self.argv = [str(word) for word in start.get("argv") or []]
        self.cwd = str(start.get("cwd") or "/")
        self.application = application


def collect(journal: Journal, context: Context) -> None:
    """Write every kind of fact, or why it could not be had."""
    for kind, source in KINDS:
        write(journal, kind, lambda source=source: source(context))  # type: ignore[misc]


def write(journal: Journal, kind: str, source: Callable[[], Any]) -> None:
    try:
        journal.write("fact", kind=kind, value=source())
    # Whatever a machine holds for a collector: the run goes on, and the record says what is missing.
    except Exception as error:
        journal.write("fact", kind=kind, error=f"{type(error).__name__}: {error}"[:500])
