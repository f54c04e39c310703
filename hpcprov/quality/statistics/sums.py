"""Sums of numbers whose result does not depend on the order in which parts of them are added.

    sums = Sums()
    sums.add(count, centre, about, squares)        # of one tile, in any order of tiles
    sums.mean, sums.deviation

A float is a whole number of 2^-1074, its square one of 2^-2148: Python's integers add such numbers exactly. So only
what is summed within a tile is rounded, and a tile holds the same values in the same order whoever reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import Any

#: The smallest float is 2^-1074.
UNIT = 1074
#: Bits of a square root beyond those that a float has.
GUARD = 256


def units(value: float) -> int:
    """A finite float as a whole number of 2^-1074, exactly."""
    top, bottom = value.as_integer_ratio()
    return top << (UNIT - bottom.bit_length() + 1)


@dataclass
class Sums:
    """How many values, and their exact sums: `total` in units of 2^-1074, `squares` in units of 2^-2148."""

    count: int = 0
    total: int = 0
    squares: int = 0

    def add(self, count: int, centre: float, about: float, squares: float, scale: int = 0) -> None:
        """Add a tile's values: `about` is the sum of (value - centre) / 2^scale, `squares` that of their squares."""
        middle, rest = units(centre), shifted(units(about), scale)
        self.count += count
        self.total += rest + count * middle
        self.squares += shifted(units(squares) << UNIT, 2 * scale) + middle * (2 * rest + count * middle)

    def add_exactly(self, count: int, total: int, centre: int, squares: float) -> None:
        """Add a tile's integers: `total` is their sum, `squares` that of (value - centre)^2."""
        about = total - count * centre
        self.count += count
        self.total += total << UNIT
        self.squares += (units(squares) << UNIT) + ((centre * (2 * about + count * centre)) << 2 * UNIT)

    def merge(self, other: Sums, times: int = 1) -> None:
        self.count += times * other.count
        self.total += times * other.total
        self.squares += times * other.squares

    @property
    def mean(self) -> float | None:
        """The nearest float."""
        return float(Fraction(self.total, self.count << UNIT)) if self.count else None

    @property
    def deviation(self) -> float | None:
        """The standard deviation of all values there are (ddof 0)."""
        if not self.count:
            return None
        spread = max(0, self.squares * self.count - self.total * self.total)
        root = isqrt((spread << 2 * GUARD) // (self.count * self.count))
        return float(Fraction(root, 1 << UNIT + GUARD))

    def as_json(self) -> list[Any]:
        return [self.count, hex(self.total), hex(self.squares)]

    @classmethod
    def from_json(cls, found: list[Any]) -> Sums:
        return cls(int(found[0]), int(found[1], 16), int(found[2], 16))


def shifted(number: int, bits: int) -> int:
    """The number times 2^bits; what lies below one unit is lost."""
    return number << bits if bits >= 0 else number >> -bits
