"""Counting numbers, times and bool: a tile's canonical bytes, as one array in the processor's cache.

Extremes come first, since they tell what else there is to count: a minimum that is NaN says that some are, one above
zero that all are positive, and equal ones that all values are. What a tile's sums are rounded to depends on nothing but
its values.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hpcprov.data.interface import Box
from hpcprov.quality.statistics.arrays import Numbers, chosen, extremes, numbers_of, run_of, scale_of, total_of
from hpcprov.quality.statistics.distinct import VALUES, Keys, counts_of, distinct_of
from hpcprov.quality.statistics.order import Order
from hpcprov.quality.statistics.subject import Subject
from hpcprov.quality.statistics.sums import Sums
from hpcprov.quality.statistics.tally import Missing, Tally
from hpcprov.signature.counting import Content

#: Numbers that are summed at a time: as floats they take 512 KiB, and stay in the cache.
BLOCK = 1 << 16
INFINITE = (float("inf"), float("-inf"))
#: The count that stands for no time.
NAT = -(1 << 63)


class NumberTally(Tally):
    """Of integers, floats, bool, times."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.sums = Sums()
        self.python = float if subject.family == "float" else int
        self.memory = np.empty(0)

    def add(self, content: Content, box: Box, missing: Missing) -> None:
        values = numbers_of(content, self.subject)
        if self.subject.kind.text == "bf16":
            values = (values.astype("<u4") << 16).view("<f4")
        self.count += len(values)
        present, low, high = self._present(values if missing is None else chosen(values, ~missing))
        self.missing += len(values) - len(present)
        if self.subject.ordered and not self.missing and not self.order.mixed:
            self.order.add(run_of(present, box[0][0], self._value))
        if len(present):
            self._add(present, self._value(low), self._value(high))

    def _present(self, values: Numbers) -> tuple[Numbers, Any, Any]:
        """The values that are not missing by what they are, the smallest and the largest of them."""
        low, high = extremes(values)
        if low != low:
            values = chosen(values, values == values)
            low, high = extremes(values)
        absent = (NAT,) if self.subject.family == "time" else self.subject.absent
        found = [value for value in absent if len(values) and low <= value <= high]
        for value in found:
            values = chosen(values, values != values.dtype.type(value))
        return (values, *extremes(values)) if found else (values, low, high)

    def _add(self, values: Numbers, low: Any, high: Any) -> None:
        self._extend(low, high)
        self._signs(values, low, high)
        if self.subject.keyed:
            self.keys.add(values.copy())
        elif low == high:
            self.few.add(low, len(values))
        else:
            self.few.add_all(values, self._value)
        if self.subject.family == "float":
            self._sum_floats(values, low, high)
        elif self.subject.family == "integer":
            self._sum_integers(values, low, high)

    def _value(self, number: Any) -> Any:
        """As Python has it; zero has no sign."""
        return self.python(number) + 0

    def _signs(self, values: Numbers, low: Any, high: Any) -> None:
        if low > 0:
            self.positive += len(values)
        elif high < 0:
            self.negative += len(values)
        elif low == high:
            self.zeros += len(values)
        else:
            above = int(np.count_nonzero(values > 0)) if high > 0 else 0
            below = int(np.count_nonzero(values < 0)) if low < 0 else 0
            self.positive, self.negative = self.positive + above, self.negative + below
            self.zeros += len(values) - above - below

    def _sum_floats(self, values: Numbers, low: float, high: float) -> None:
        if low in INFINITE or high in INFINITE:
            values, before = values[np.isfinite(values)], len(values)
            self.infinite += before - len(values)
            if not len(values):
                return
            low, high = map(float, extremes(values))
        if low == high:
            self.sums.add(len(values), low, 0.0, 0.0)
            return
        centre = low / 2 + high / 2
        scale = scale_of(max(high - centre, centre - low))
        self.sums.add(len(values), centre, *self._about(values, centre, scale), scale)

    def _sum_integers(self, values: Numbers, low: int, high: int) -> None:
        centre = (low + high + 1) // 2
        squares = 0.0
        if low != high:
            wide = values.dtype.itemsize == 8  # the difference to the centre fits, whatever it wraps around
            about = (values - values.dtype.type(centre)).view("i8") if wide else values
            squares = self._about(about, 0.0 if wide else float(centre), 0)[1]
        self.sums.add_exactly(len(values), total_of(values, low, high), centre, squares)

    def _about(self, values: Numbers, centre: float, scale: int) -> tuple[float, float]:
        """The sums of (value - centre) / 2^scale and of its square."""
        if len(self.memory) < BLOCK:
            self.memory = np.empty(BLOCK)
        about = squares = 0.0
        for at in range(0, len(values), BLOCK):
            block = values[at : at + BLOCK]
            room = self.memory[: len(block)]
            np.subtract(block, np.float64(centre), out=room)
            if scale:
                np.ldexp(room, -scale, out=room)
            about += float(np.add.reduce(room))
            np.multiply(room, room, out=room)
            squares += float(np.add.reduce(room))
        return about, squares

    def merge(self, other: Any, times: int = 1, *, order: Order | None = None) -> None:
        super().merge(other, times, order=order)
        self.sums.merge(other.sums, times)

    def settle(self) -> None:
        """Count the values of a column that is complete, unless its order tells that all of them differ."""
        if not self.subject.keyed or self.distinct is not None:
            return
        present = self.count - self.missing
        if present > VALUES and self.order.name(self.count) in ("increasing", "decreasing"):
            self.distinct, self.few.counts = present, None
            self.keys = Keys()
            return
        keys = self.keys.sorted()
        self.distinct = distinct_of(keys)
        if self.distinct > VALUES:
            self.few.counts = None
        else:
            self.few.counts = {self._value(value): times for value, times in counts_of(keys)}

    def as_json(self) -> dict[str, Any]:
        return super().as_json() | {"sums": self.sums.as_json()}

    def take(self, found: dict[str, Any]) -> None:
        super().take(found)
        self.sums = Sums.from_json(found["sums"])


class ComplexTally(Tally):
    """Of complex numbers: those with a part that is NaN are missing."""

    def add(self, content: Content, box: Box, missing: Missing) -> None:
        octets = numbers_of(content, self.subject)
        values = octets.view("<c8" if octets.itemsize == 4 else "<c16")
        present = values if missing is None else values[~missing]
        present = present[~np.isnan(present)]
        self.count += len(values)
        self.missing += len(values) - len(present)
        self.zeros += len(present) - int(np.count_nonzero(present))
        if self.subject.keyed:
            self.keys.add(present.copy())
