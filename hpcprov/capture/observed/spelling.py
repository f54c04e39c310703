"""Paths without `.`, `..` and double slashes: where `..` leads depends on the links before it.

    Spelling(questions).plain(b"/home/ada/run/./latest/../in.nc")  ->  b"/home/ada/runs/in.nc" when latest -> ../runs/7

Names stay bytes: they are any but `/` and NUL.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.capture.observed.questions import Questions

MOST_KNOWN = 1024
LONG = 1024  # bytes; a longer one is not remembered
MOST_PARTS = 256  # up to the last `..`; beyond that the text alone is taken
MOST_LINKS = 40


class Spelling:
    """Plain spellings of paths, remembered for those that were asked lately."""

    def __init__(self, questions: Questions) -> None:
        self.questions = questions
        self.known: dict[bytes, bytes] = {}

    def forget(self) -> None:
        self.known.clear()

    def plain(self, path: bytes) -> bytes:
        """The path with `..` followed as the kernel does; what is last is not followed."""
        if b"/." not in path and b"//" not in path and not path.endswith(b"/"):
            return path
        found = self.known.get(path)
        if found is None:
            if len(self.known) >= MOST_KNOWN:
                self.known.clear()
            found = self.followed(path.split(b"/"))
            if len(path) <= LONG:
                self.known[path] = found
        return found

    def followed(self, parts: list[bytes]) -> bytes:
        last = max((index for index, part in enumerate(parts) if part == b".."), default=-1)
        if last < 0 or last > MOST_PARTS:
            return tidy(parts)
        ahead, passed, links = parts[last::-1], b"", MOST_LINKS
        while ahead:
            part = ahead.pop()
            if part == b"..":
                passed = passed.rpartition(b"/")[0]
            elif part not in (b"", b"."):
                target = self.questions.link(passed + b"/" + part) if links else None
                links -= target is not None
                if target is None:
                    passed += b"/" + part
                else:
                    passed = b"" if target.startswith(b"/") else passed
                    ahead += target.split(b"/")[:MOST_PARTS][::-1]
        return tidy([*passed.split(b"/"), *parts[last + 1 :]])


def tidy(parts: list[bytes]) -> bytes:
    """An absolute path of these parts, by their text."""
    found: list[bytes] = []
    for part in parts:
        if part == b"..":
            del found[-1:]
        elif part not in (b"", b"."):
            found.append(part)
    return b"/" + b"/".join(found)


def joined(folder: bytes, target: bytes) -> bytes:
    """Where a link in a folder leads to."""
    return tidy((target if target.startswith(b"/") else folder + b"/" + target).split(b"/"))
