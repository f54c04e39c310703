"""What type a column of text has, and its values: the rule of docs/signature.md, in pyarrow's kernels.

    guess = Guess()
    guess.meet(pa.array(["1", "", " 30"]))
    guess.kind.type.text                            # 'i8'
    guess.kind.values(pa.array(["1", "", " 30"]))    # 1, missing, 30

Blanks around a cell count in text only. An empty cell is missing, and empty text where the column is text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pyarrow import compute as pc

from hpcprov.data.types import Text, Type, plain, time

DATE = r"\d{4}-\d{2}-\d{2}"
STAMP = DATE + r"[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?"
INTEGER = r"-?(0|[1-9]\d{0,17})"
FLOAT = (
    INTEGER + r"|[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?|[+-]?\d+[eE][+-]?\d+"
    r"|[+-]?(inf|Inf|INF|infinity|Infinity|INFINITY)|nan|NaN|NAN"
)
#: What all cells of a column must look like, in the order of precedence.
PATTERNS = {
    "bool": "true|false|True|False|TRUE|FALSE",
    "i8": INTEGER,
    "f8": FLOAT,
    "date": DATE,
    "time": STAMP,
    "time, UTC": STAMP + "Z",
}
COMPILED = {name: re.compile(pattern, re.ASCII) for name, pattern in PATTERNS.items()}
UNITS = ("s", "ms", "us", "ns")
#: A look at so many cells rules out most types.
FEW = 256
#: Seconds since the epoch that nanoseconds in 64 bits can tell.
NS_RANGE = (-(2**63) // 10**9 + 1, (2**63 - 1) // 10**9 - 1)


@dataclass(frozen=True)
class Kind:
    """The type of a column: a key of PATTERNS or `str`, and the unit of its times."""

    name: str
    unit: str = "s"

    @property
    def type(self) -> Type:
        if self.name == "str":
            return Text()
        if self.name == "date":
            return time("M8", "D")
        return time("M8", self.unit, utc="UTC" in self.name) if self.name.startswith("time") else plain(self.name)

    def values(self, cells: Any) -> Any:
        """The column's values for an array of cells, null for those that are missing."""
        if self.name == "str":
            return cells
        cells = pc.utf8_trim(cells, " ")
        cells = pc.if_else(pc.equal(cells, ""), pa.scalar(None, pa.string()), cells)
        if self.name == "bool":
            return pc.equal(pc.utf8_lower(cells), "true")
        if self.name == "f8":
            cells = pc.replace_substring_regex(cells, r"^\+", "")
        return pc.cast(cells, self._arrow())

    def _arrow(self) -> Any:
        if self.name.startswith("time"):
            return pa.timestamp(self.unit, "UTC" if "UTC" in self.name else None)
        return {"i8": pa.int64(), "f8": pa.float64(), "date": pa.date32()}[self.name]


def _match(name: str, cells: Any) -> bool:
    """Whether all cells look like a key of PATTERNS. Of few cells Python tells sooner: the kernel compiles the pattern
    at each call, which makes seconds of a table of thousands of columns."""
    if len(cells) <= FEW:
        return all(map(COMPILED[name].fullmatch, cells.to_pylist()))
    return bool(pc.all(pc.match_substring_regex(cells, f"^({PATTERNS[name]})$")).as_py())


@dataclass
class Guess:
    """What a column can still be after the cells that it has met."""

    names: list[str] = field(default_factory=lambda: list(PATTERNS))
    filled: bool = False
    digits: int = 0
    beyond_ns: bool = False

    def meet(self, cells: Any) -> None:
        """Rule out what these cells are not."""
        if not self.names:
            return
        for part in (cells.slice(0, FEW), cells.slice(FEW)):
            found = pc.utf8_trim(part, " ")
            found = found.filter(pc.not_equal(found, ""))
            if len(found):
                self.filled = True
                self.names = [name for name in self.names if self._fits(name, found)]

    def _fits(self, name: str, cells: Any) -> bool:
        if not _match(name, cells):
            return False
        return self._exists(name, cells) if name == "date" or name.startswith("time") else True

    def _exists(self, name: str, cells: Any) -> bool:
        """Whether all are days of the calendar and times of day."""
        try:
            if name == "date":
                pc.cast(cells, pa.date32())
                return True
            whole = pc.cast(pc.replace_substring_regex(cells, r"(\.\d+)?Z?$", ""), pa.timestamp("s"))
        except pa.ArrowInvalid:
            return False
        fractions = pc.replace_substring_regex(cells, r"^[^.]*\.?|Z$", "")
        self.digits = max(self.digits, pc.max(pc.utf8_length(fractions)).as_py())
        ends = pc.min_max(pc.cast(whole, pa.int64())).as_py()
        self.beyond_ns = self.beyond_ns or ends["min"] < NS_RANGE[0] or ends["max"] > NS_RANGE[1]
        return True

    @property
    def kind(self) -> Kind:
        """What the column is."""
        unit = UNITS[-(-self.digits // 3)]
        name = self.names[0] if self.names and self.filled else "str"
        return Kind("str") if name.startswith("time") and unit == "ns" and self.beyond_ns else Kind(name, unit)
