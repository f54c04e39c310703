"""Which words of two command lines differ.

    changes(["cc", "-O2", "-c", "a.c"], ["cc", "-O3", "-c", "a.c"])  ->  [Change(1, ["-O2"], ["-O3"])]
    told(Change(1, ["-O2"], ["-O3"]), ["cc", "-O2", ...])            ->  "compiler flag -O2 -> -O3 in argument 1"

Words in files for the moment, as compilers name them, count as the same.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from hpcprov.catalog.causes.told import cut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

COMPILERS = re.compile(
    r"([\w.+-]*-)?(cc|gcc|g\+\+|c\+\+|clang|clang\+\+|gfortran|flang|flang-new|icc|icpc|icx|icpx|ifort|ifx|nvcc|nvc|nvc\+\+|"
    r"nvfortran|pgcc|pgfortran|hipcc|mpicc|mpicxx|mpic\+\+|mpif77|mpif90|mpifort|mpiicc|mpiifort|cc1|cc1plus|f951|CC|ftn|"
    r"ld|collect2|rustc|tcc|armclang|xlc|xlf|h5cc|h5fc)(-[0-9.]+)?"
)
#: What tools call a file that lives for a moment; its name is another one each time.
OF_A_MOMENT = re.compile(r"(?:/tmp|/var/tmp|/dev/shm)/[\w./-]*?[A-Za-z0-9_]{6,}(?:\.\w{1,4})?")
#: So many words that differ are looked at one by one: the search is quadratic.
MOST_WORDS = 400


class Change(NamedTuple):
    """Words that stand in one command and others in their place, `at` the index of the first; one may be empty."""

    at: int
    before: list[str]
    after: list[str]


def changes(one: list[str], other: list[str]) -> list[Change]:
    """The words that differ, in their order."""
    from difflib import SequenceMatcher

    left, right = [lasting(word) for word in one], [lasting(word) for word in other]
    begin = next((k for k, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]), None)
    if begin is None:
        begin = min(len(left), len(right))
    end = 0
    while end < min(len(left), len(right)) - begin and left[-1 - end] == right[-1 - end]:
        end += 1
    inner, outer = slice(begin, len(one) - end), slice(begin, len(other) - end)
    if max(len(left[inner]), len(right[outer])) > MOST_WORDS:
        return [Change(begin, one[inner], other[outer])]
    steps = SequenceMatcher(None, left[inner], right[outer], autojunk=False).get_opcodes()
    found = (Change(begin + a, one[begin + a : begin + b], other[begin + c : begin + d]) for tag, a, b, c, d in steps
             if tag != "equal")  # fmt: skip
    return [single for change in found for single in _singly(change)]


def _singly(change: Change) -> Iterator[Change]:
    """As many words in the place of as many: one change each."""
    if len(change.before) != len(change.after):
        yield change
        return
    for k, (before, after) in enumerate(zip(change.before, change.after, strict=True)):
        if lasting(before) != lasting(after):
            yield Change(change.at + k, [before], [after])


def lasting(word: str) -> str:
    """A word without the names of files of the moment."""
    return OF_A_MOMENT.sub("<temporary>", word) if "/tmp/" in word or "/dev/shm/" in word else word


def is_compiler(word: str) -> bool:
    return COMPILERS.fullmatch(os.path.basename(word)) is not None


def within(change: Change) -> list[Change]:
    """What differs within the words: of a whole script in one argument the words of it that do."""
    if len(change.before) == len(change.after) == 1 and " " in change.before[0] + change.after[0]:
        return changes(change.before[0].split(), change.after[0].split())
    return [change]


def narrowed(change: Change) -> tuple[str, str]:
    """The same as two texts."""
    inner = within(change)
    before = " ".join(word for one in inner for word in one.before)
    return before, " ".join(word for one in inner for word in one.after)


def told(change: Change, argv: list[str]) -> str:
    """A change in one line. `argv`: the first of the two commands."""
    before, after = narrowed(change)
    what, where = "argument", f"argument {change.at}"
    if (before or after).startswith("-") and compiles(argv):
        what = "compiler flag"
    elif change.at and argv[change.at - 1 : change.at] and argv[change.at - 1].startswith("--"):
        where = f"option {cut(argv[change.at - 1])}"
    elif change.at == 0:
        return f"command {cut(before)} -> {cut(after)}"
    if not before or not after:
        verb = f"{cut(after)} added" if after else f"{cut(before)} left out"
        return f"{what} {verb}, at {where}"
    return f"{what} {cut(before)} -> {cut(after)} in {where}"


def compiles(argv: list[str]) -> bool:
    """Whether a command is a compiler, or a shell's line that calls one."""
    return any(is_compiler(word) for word in argv[:1]) or any(
        is_compiler(word) for line in argv[1:] if " " in line for word in re.split(r"[\s;&|]+", line)
    )
