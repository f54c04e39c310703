"""What was read before: many records have facts in common (software, host, modules), and those are decoded once.

    before = Before()
    model.parse(text, name=path, loads=before.loads)

A fact is taken for one of an earlier record only where its text is the same, letter by letter: the digest that it goes
by is what an untrusted record says.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    #: key, text, where the value begins -> the value, and where it ends.
    Decode = Callable[[str, str, int], tuple[Any, int]]

MOST = 4 << 20  # characters of facts that are kept
MOST_MET = 100_000  # facts that came once
_decode = json.JSONDecoder().raw_decode


class Before:
    """`told`: the names of lists whose members were told already."""

    __slots__ = ("_facts", "_length", "_made", "_met", "told")

    def __init__(self) -> None:
        self.told: set[str] = set()
        self._met: set[int] = set()
        self._forget()

    def loads(self, data: bytes) -> Any:
        """What `json.loads` gives, and raises. Facts in it may be those of earlier records: nobody may change them."""
        try:
            text = data.decode()
            found, end = _object(text, 0, self._member)
            if not text[end:].strip(" \t\r\n"):
                return found
        except (ValueError, IndexError, RecursionError):
            pass
        return json.loads(data)  # not written as records are, or not JSON: it knows better what is wrong

    def made_of(self, value: dict[str, Any], make: Callable[[dict[str, Any]], list[Any]]) -> list[Any]:
        """What `make` makes of a fact's value; of one that is kept it is made once, always by the same `make`."""
        if id(value) not in self._made:
            return make(value)
        made = self._made[id(value)]
        if made is None:
            made = self._made[id(value)] = make(value)
        return made

    def _member(self, key: str, text: str, at: int) -> tuple[Any, int]:
        return _object(text, at, self._fact) if key == "facts" else _decode(text, at)

    def _fact(self, digest: str, text: str, at: int) -> tuple[Any, int]:
        known, fact = self._facts.get(digest, ("", None))
        if known and text.startswith(known, at):
            return fact, at + len(known)
        fact, end = _decode(text, at)
        if type(fact) is dict:  # of the texts of two objects none is the beginning of the other
            self._meet(digest, text[at:end], fact)
        return fact, end

    def _meet(self, digest: str, text: str, fact: dict[str, Any]) -> None:
        """Keep what comes a second time: most facts that come once never come again."""
        if hash(digest) in self._met and digest not in self._facts and len(text) <= MOST:
            if self._length + len(text) > MOST:
                self._forget()
            self._length += len(text)
            self._facts[digest] = text, fact
            self._made[id(fact.get("value"))] = None
        if len(self._met) >= MOST_MET:
            self._met.clear()
        self._met.add(hash(digest))

    def _forget(self) -> None:
        self._facts: dict[str, tuple[str, dict[str, Any]]] = {}
        self._made: dict[int, list[Any] | None] = {}
        self._length = 0


def _object(text: str, at: int, decode: Decode) -> tuple[dict[str, Any], int]:
    """The object without white space that begins at `at`, and where it ends. Raises ValueError, IndexError."""
    found: dict[str, Any] = {}
    if text.startswith("{}", at):
        return found, at + 2
    before = "{"
    while text[at] == before:
        key, at = _decode(text, at + 1)
        if type(key) is not str or text[at] != ":":
            break
        found[key], at = decode(key, text, at + 1)
        if text[at] == "}":
            return found, at + 1
        before = ","
    raise ValueError(at)
