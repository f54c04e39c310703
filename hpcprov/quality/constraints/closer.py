"""What statistics do not tell of a field and discovery wants to know: its texts, its coordinates, its outliers.

    texts_of(reader)                  ->  Texts(count=150, missing=0, shortest=6, longest=10, values={...}, ...)
    gap_of(reader)                    ->  86400, the largest distance between neighbours
    fences_of(reader)                 ->  Fences(low=-4.5, high=31.0)
    extremes_within(reader, fences)   ->  Trimmed(low=-2.1, high=30.5, count=3, places=[...])

Each walks over the field in bounded memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcprov.quality.constraints.blocks import Block, Flags, Reader
from hpcprov.quality.constraints.bounds import above, below
from hpcprov.quality.constraints.extremes import Extreme
from hpcprov.quality.constraints.file import Constraint
from hpcprov.quality.constraints.sequence import Neighbours, differences

#: Distinct texts that are held at most.
MOST_DISTINCT = 10_000
#: Elements that quartiles are taken of: their rank is then off by a third of a percent.
SAMPLED = 200_000
#: Beyond so many times the distance of the quartiles lie the outer fences (Tukey, Exploratory Data Analysis, 1977).
OUTER = 3.0


@dataclass
class Texts:
    """Of texts that are not missing; `values` are the distinct ones, None when there are more than MOST_DISTINCT."""

    count: int = 0
    missing: int = 0
    shortest: int | None = None
    longest: int | None = None
    values: set[str] | None = field(default_factory=set)
    #: The first distinct ones, in their order.
    sample: list[str] = field(default_factory=list)

    def add(self, block: Block) -> None:
        present = block.values
        if block.missing is not None:
            present = [text for text, gone in zip(block.values, block.missing.tolist(), strict=True) if not gone]
        self.count, self.missing = self.count + block.count, self.missing + block.count - len(present)
        if not present:
            return
        sizes = [len(text) for text in present]
        self.shortest = min(sizes) if self.shortest is None else min(self.shortest, *sizes)
        self.longest = max(sizes) if self.longest is None else max(self.longest, *sizes)
        if self.values is not None:
            new = [text for text in dict.fromkeys(present) if text not in self.values]
            self.sample += new[: MOST_DISTINCT - len(self.sample)]
            self.values.update(new)
            if len(self.values) > MOST_DISTINCT:
                self.values = None


def texts_of(reader: Reader) -> Texts:
    found = Texts()
    for box in reader.boxes():
        for block in reader.blocks(box):
            found.add(block)
    return found


class Widest(Neighbours):
    """The largest distance between neighbours."""

    widest: Any = None

    def fits(self, one: NDArray[Any], other: NDArray[Any]) -> Flags:
        apart = np.abs(differences(one, other))
        if len(apart):
            widest = apart.max()
            self.widest = widest if self.widest is None else max(widest, self.widest)
        return np.ones(len(apart), np.bool_)


def gap_of(reader: Reader) -> Any:
    """The largest distance between neighbours of a one-dimensional field; None of fewer than two elements."""
    look = Widest("max_gap", Constraint(True), reader)
    for box in reader.boxes():
        for block in reader.blocks(box):
            look.bad(block)
    return look.widest.item() if isinstance(look.widest, np.generic) else look.widest


@dataclass(frozen=True)
class Fences:
    low: Any
    high: Any


def fences_of(reader: Reader) -> Fences | None:
    """The outer fences of the finite elements, from a sample that is the same at every time; None where half of the
    elements are equal: then all others would lie outside."""
    share = min(1.0, SAMPLED / max(1, reader.count))
    taken = [_sampled(block, share) for box in reader.boxes() for block in reader.blocks(box)]
    values = np.concatenate(taken) if taken else np.empty(0)
    if not len(values):
        return None
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)].astype(np.float64)
    ordered = np.sort(values)
    if not len(ordered):
        return None
    one, three = (ordered[int(part * (len(ordered) - 1))].item() for part in (0.25, 0.75))
    apart = three - one
    return Fences(one - OUTER * apart, three + OUTER * apart) if apart else None


def _sampled(block: Block, share: float) -> NDArray[Any]:
    values: NDArray[Any] = block.values if block.missing is None else block.values[~block.missing]
    if share >= 1.0 or not len(values):
        return values
    chance = np.random.default_rng([begin for begin, _ in block.box])
    most = max(1, round(len(values) * share)) if chance.random() < len(values) * share else 0
    return values[np.sort(chance.choice(len(values), most, replace=False))]


@dataclass
class Trimmed:
    """The extremes of the elements within fences, and those outside."""

    low: Any
    high: Any
    count: int
    places: list[dict[str, Any]]


class Within(Extreme):
    """Outliers are what violates this, and the extremes are those of the rest."""

    def __init__(self, reader: Reader, fences: Fences) -> None:
        super().__init__("outlier", Constraint(None), reader)
        self.fences = fences

    def bad(self, block: Block) -> Flags | None:
        if block.low is None:
            return None
        out = block.there(below(block.values, self.fences.low) | above(block.values, self.fences.high))
        rest = block.values[block.there(~out)]
        if rest.size:
            low, high = rest.min().item(), rest.max().item()
            self.low = low if self.low is None else min(low, self.low)
            self.high = high if self.high is None else max(high, self.high)
        return out


def extremes_within(reader: Reader, fences: Fences) -> Trimmed:
    look = Within(reader, fences)
    for box in reader.boxes():
        for block in reader.blocks(box):
            look.look(block)
    return Trimmed(look.low, look.high, look.tally.count, look.tally.places())
