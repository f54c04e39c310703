"""Counting text, byte strings, lists and opaque bytes: each element by its canonical bytes.

Those of text and lists begin with their length as u64 (docs/signature.md, section 3). Equal text is counted once per
tile, so that what has to be looked at in detail are the different ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import numpy as np

from hpcprov.data.interface import Box
from hpcprov.quality.statistics.order import Order, Run
from hpcprov.quality.statistics.subject import Subject
from hpcprov.quality.statistics.tally import Missing, Tally
from hpcprov.signature.counting import Content

LENGTH = 8
#: Of longer text that is kept, only so many bytes are; they tell it apart from others by a digest.
KEPT = 4096


class SizedTally(Tally):
    """Of elements that differ in length: how long they are."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.shortest: int | None = None
        self.longest: int | None = None

    def _lengths(self, lengths: Iterable[int]) -> None:
        for length in lengths:
            self.shortest = length if self.shortest is None else min(length, self.shortest)
            self.longest = length if self.longest is None else max(length, self.longest)

    def merge(self, other: Any, times: int = 1, *, order: Order | None = None) -> None:
        super().merge(other, times, order=order)
        self._lengths(length for length in (other.shortest, other.longest) if length is not None)

    def as_json(self) -> dict[str, Any]:
        return super().as_json() | {"shortest": self.shortest, "longest": self.longest}

    def take(self, found: dict[str, Any]) -> None:
        super().take(found)
        self.shortest, self.longest = found["shortest"], found["longest"]


class ListTally(SizedTally):
    """Of lists: their numbers of items."""

    def add(self, content: Content, box: Box, missing: Missing) -> None:
        present = _present(content, missing)
        self.count += len(content)
        self.missing += len(content) - len(present)
        items = Counter(int.from_bytes(one[:LENGTH], "little") for one in present)
        self.zeros += items[0]
        self._lengths(length for length, count in items.items() if count)


class TextTally(SizedTally):
    """Of text and byte strings."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.absent = {len(raw).to_bytes(LENGTH, "little") + raw for raw in subject.absent if isinstance(raw, bytes)}
        self.length = _characters if subject.family == "text" else len

    def add(self, content: Content, box: Box, missing: Missing) -> None:
        present = _present(content, missing)
        if self.absent:
            present = [one for one in present if one not in self.absent]
        self.count += len(content)
        self.missing += len(content) - len(present)
        if self.subject.ordered and not self.missing and not self.order.mixed:
            self.order.add(_run([one[LENGTH:] for one in present], box[0][0]))
        if present:
            self._add(Counter(present))

    def _add(self, found: Counter[bytes]) -> None:
        different = [one[LENGTH:] for one in found]
        self._lengths({self.length(raw) for raw in different})
        self._extend(min(different)[:KEPT], max(different)[:KEPT])
        self.zeros += found[bytes(LENGTH)]
        if self.few.counts is not None:
            for raw, count in zip(different, found.values(), strict=True):
                self.few.add(_kept(raw), count)
        if self.subject.keyed:
            self.keys.add(_digests(different))

    def settle(self) -> None:
        if self.subject.keyed and self.few.counts is not None and self.distinct is None:
            self.distinct = len(self.few.counts)
        super().settle()


class OpaqueTally(Tally):
    """Of bytes without meaning, all of one length."""

    def add(self, content: Content, box: Box, missing: Missing) -> None:
        super().add(content, box, missing)
        size = self.subject.kind.size or 0
        if self.subject.keyed and size:
            gone = missing.tolist() if missing is not None else [False] * (len(content) // size)
            octets = bytes(content) if not isinstance(content, list) else b"".join(content)
            different = {octets[at * size : (at + 1) * size] for at, lacks in enumerate(gone) if not lacks}
            self.keys.add(_digests(different))


def _present(content: Content, missing: Missing) -> list[bytes]:
    assert isinstance(content, list)
    return (
        content if missing is None else [one for one, gone in zip(content, missing.tolist(), strict=True) if not gone]
    )


def _characters(raw: bytes) -> int:
    """Code points: every byte that does not continue one."""
    return len(raw) if raw.isascii() else sum(byte & 0xC0 != 0x80 for byte in raw)


def _kept(raw: bytes) -> bytes:
    return raw if len(raw) <= KEPT else raw[:KEPT] + blake2b(raw).digest()


def _digests(different: Iterable[bytes]) -> Any:
    digests = b"".join(blake2b(raw, digest_size=8).digest() for raw in different)
    return np.frombuffer(digests, "<u8")


def _run(raws: Sequence[bytes], start: int) -> Run:
    """Text that follows each other, in the order of code points, which is that of UTF-8's bytes."""
    up = down = level = False
    for before, after in pairwise(raws):
        if after == before:
            level = True
        elif after > before:
            up = True
        else:
            down = True
        if up and down:
            break
    return Run(start, start + len(raws), raws[0], raws[-1], up=up, down=down, level=level)
