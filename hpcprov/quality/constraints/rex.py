"""Regular expressions: held against texts within a bound of time, and found in them by tdda's rexpy.

A pattern of an untrusted file may take years for one text ((a+)+$), and no library can tell beforehand. So a timer
looks whether the texts get on: one that keeps a pattern busy for SECONDS ends the check, which says so and fails.
Python looks for signals while it matches, but only in the main thread: there these checks are made.
"""

from __future__ import annotations

import os
import re
import signal
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np

from hpcprov.quality.constraints.blocks import Block, Flags, Reader
from hpcprov.quality.constraints.checks import Check
from hpcprov.quality.constraints.file import Constraint
from hpcprov.record.errors import HpcprovError

#: Of this process's work, with one text.
SECONDS = 2.0
#: Texts that are remembered with what became of them.
REMEMBERED = 100_000
FLAGS = re.UNICODE | re.DOTALL
#: What is shown to rexpy: more makes it slower, not better.
MOST_TEXTS, LONGEST_TEXT, MOST_PATTERNS, FINDING = 1000, 200, 20, 10.0
MISSING = "no regular expressions are looked for: they take tdda, pip install 'hpcprov[constraints]' (or say --no-rex)"


class Stuck(HpcprovError):
    """A pattern did not come to an end."""


class NoRexpy(HpcprovError):
    """tdda is not installed."""


class Rex(Check):
    """rex: each text matches one of the patterns from its beginning, as re.match does it (and TDDA)."""

    def __init__(self, kind: str, constraint: Constraint, reader: Reader) -> None:
        super().__init__(kind, constraint, reader)
        self.known: dict[str, bool] = {}
        self.done = 0
        self.patterns: list[re.Pattern[str]] = []
        try:
            self.patterns = compiled(constraint.value)
        except (re.error, RecursionError, OverflowError, MemoryError) as error:
            self.reason = f"a pattern is no regular expression: {str(error)[:200]}"

    def bad(self, block: Block) -> Flags | None:
        if self.reason is not None:
            return None
        try:
            with impatient(lambda: self.done, SECONDS):
                return block.there(np.fromiter(map(self._differs, block.values), np.bool_, block.count))
        except Stuck:
            self.reason = f"not checked to the end: one text kept a pattern busy for more than {SECONDS:g} s"
            return None

    def _differs(self, text: str) -> bool:
        known = self.known.get(text)
        if known is None:
            known = not any(pattern.match(text) for pattern in self.patterns)
            self.done += 1
            if len(self.known) < REMEMBERED:
                self.known[text] = known
        return known


def compiled(patterns: list[str]) -> list[re.Pattern[str]]:
    """Raises re.error and others for what is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [re.compile(pattern, FLAGS) for pattern in patterns]


@contextmanager
def impatient(done: Callable[[], int], seconds: float) -> Iterator[None]:
    """Raises Stuck within the block when `done` has not grown for so many seconds of this process's work. Elsewhere
    than in the main thread nothing is watched."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    last = done()

    def look(number: int, frame: FrameType | None) -> None:
        nonlocal last
        now = done()
        if now == last:
            raise Stuck("a pattern did not come to an end")
        last = now

    before = signal.signal(signal.SIGVTALRM, look)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, before)


def patterns_of(texts: list[str]) -> list[str] | None:
    """Patterns that all of the texts match, as rexpy finds them; None where it finds none that are worth having: too
    many, none that fits, or none in time. Raises NoRexpy."""
    extract = _rexpy()
    shown = [text for text in texts if len(text) <= LONGEST_TEXT][:MOST_TEXTS]
    if len(shown) < min(len(texts), MOST_TEXTS):
        return None  # longer texts are prose
    try:
        with impatient(lambda: 0, FINDING), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = extract(shown, tag=True)  # as TDDA does it
            fitting = compiled(found)
    except Stuck:
        return None
    except Exception:  # rexpy fails on some texts; a constraint less is no error
        return None
    if len(found) > MOST_PATTERNS or not all(any(one.match(text) for one in fitting) for text in texts):
        return None
    return [str(pattern) for pattern in found]


def _rexpy() -> Callable[..., Any]:
    _allow_no_files()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from tdda.rexpy import extract
    except ImportError as error:
        raise NoRexpy(MISSING) from error
    found: Callable[..., Any] = extract
    return found


def _allow_no_files() -> None:
    """tdda asks for the folder for files of the moment when it is imported, which is looked for by writing one: the
    reading process may write none."""
    try:
        tempfile.gettempdir()
    except OSError:
        tempfile.tempdir = os.sep
