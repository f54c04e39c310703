"""What one thread has counted of a field: made tile by tile, merged in any order, sent to other processes.

    tally = tally_for(subject)
    tally.add(octets, box, missing)      # the canonical bytes of a tile, or of each element of it
    whole.merge(tally)

This one counts elements and those that are missing; `numbers` and `texts` have what is counted of their types.
"""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.interface import Box, lengths
from hpcprov.quality.statistics.distinct import Few, Keys, distinct_of
from hpcprov.quality.statistics.order import Order
from hpcprov.quality.statistics.subject import Subject
from hpcprov.signature.counting import Content

#: Which elements of a tile are missing, in C order; None when none is.
Missing = NDArray[np.bool_] | None


class Tally:
    """Elements, and those that are missing; with what all families of types share."""

    #: Members that are sums.
    SUMMED: ClassVar[tuple[str, ...]] = ("count", "missing", "zeros", "positive", "negative", "infinite")

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.count = self.missing = self.zeros = self.positive = self.negative = self.infinite = 0
        self.low: Any = None
        self.high: Any = None
        self.few, self.order, self.keys = Few(), Order(), Keys()
        #: Of a short column, once its keys have been counted; `parted` when that was done for parts of it.
        self.distinct: int | None = None
        self.parted = False
        #: Tallies of tiles without stored values, and how often there are such.
        self.repeated: dict[Tally, int] = {}

    def add(self, content: Content, box: Box, missing: Missing) -> None:
        """Count the elements of a tile, or of a part of one."""
        self.count += prod(lengths(box))
        self.missing += int(np.count_nonzero(missing)) if missing is not None else 0

    def empty(self) -> Tally:
        """Another one, that has counted nothing."""
        return type(self)(self.subject)

    def again(self, other: Tally, box: Box) -> None:
        """Count a tile whose values are those that another tally has counted, in another place."""
        if not (self.subject.keyed or self.subject.ordered):
            self.repeated[other] = self.repeated.get(other, 0) + 1
            return
        self.merge(other, order=other.order.moved(box[0][0]))

    def merge(self, other: Any, times: int = 1, *, order: Order | None = None) -> None:
        """Add what another tally has counted, so many times; `order` takes the place of its own."""
        parts = (self.distinct, other.distinct) != (None, None) and self.count and other.count
        self.parted = self.parted or other.parted or bool(parts)
        for name in self.SUMMED:
            setattr(self, name, getattr(self, name) + times * getattr(other, name))
        for value in (other.low, other.high):
            if value is not None:
                self._extend(value, value)
        self.few.merge(other.few, times)
        self.order.merge(order or other.order)
        self.keys.merge(other.keys)
        self.distinct = other.distinct if self.distinct is None else self.distinct
        for one, count in other.repeated.items():
            self.merge(one, count * times)

    def _extend(self, low: Any, high: Any) -> None:
        self.low = low if self.low is None or low < self.low else self.low
        self.high = high if self.high is None or high > self.high else self.high

    def settle(self) -> None:
        """Count the keys of a column that is complete; they are gone then."""
        if self.subject.keyed and self.distinct is None:
            self.distinct = distinct_of(self.keys.sorted())

    def as_json(self) -> dict[str, Any]:
        """What is sent to another process."""
        few = None if self.few.counts is None else [[_sent(one), times] for one, times in self.few.counts.items()]
        return {
            **{name: getattr(self, name) for name in self.SUMMED},
            "low": _sent(self.low), "high": _sent(self.high), "few": few, "distinct": self.distinct,
            "order": self.order.as_json(),
        }  # fmt: skip

    def take(self, found: dict[str, Any]) -> None:
        """Be what another process has counted. Raises what malformed JSON leads to."""
        for name in self.SUMMED:
            setattr(self, name, int(found[name]))
        self.low, self.high, self.distinct = _received(found["low"]), _received(found["high"]), found["distinct"]
        self.few.counts = None if found["few"] is None else {_received(one): int(times) for one, times in found["few"]}
        self.order = Order.from_json(found["order"], text=self.subject.family == "text")


def _sent(value: Any) -> Any:
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def _received(value: Any) -> Any:
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value
