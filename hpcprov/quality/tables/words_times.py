"""Words of times: equal for the same instant or duration, whatever units it is counted in.

time_hasher("M8[1s]", "M8[1ms,UTC]").note  ->  "... times without a zone taken as UTC"
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.values import NOT_A_TIME, Values
from hpcprov.quality.tables.hashing import MISSING, Hasher, Words, masked, mixed

#: Attoseconds of each unit of fixed length.
ATTO = {
    "as": 1, "fs": 10**3, "ps": 10**6, "ns": 10**9, "us": 10**12, "ms": 10**15, "s": 10**18, "m": 60 * 10**18,
    "h": 3600 * 10**18, "D": 86400 * 10**18, "W": 7 * 86400 * 10**18,
}  # fmt: skip


def time_hasher(one: str, other: str) -> Hasher | None:
    if one[:2] != other[:2]:
        return None
    zones = [text.endswith(",UTC]") for text in (one, other)]
    note = None
    if zones[0] != zones[1]:
        note = f"{one} against {other}: times without a zone taken as UTC"
    if one.replace(",UTC", "") == other.replace(",UTC", ""):
        same = masked(_time_words)
        return Hasher(same, same, note=note)
    steps = [step_of(text) for text in (one, other)]
    if None in steps:
        return None
    coarse = max(steps)  # type: ignore[type-var]
    if any(coarse % step for step in steps) or any(coarse // step >= 2**63 for step in steps):  # type: ignore[operator]
        return None
    ratios = [coarse // step for step in steps]  # type: ignore[operator]
    what = "instants" if one.startswith("M8") else "durations"
    note = note or f"{one} against {other}: the same {what} are equal"
    return Hasher(masked(_in_parts(ratios[0])), masked(_in_parts(ratios[1])), note=note)


def step_of(text: str) -> int | None:
    """Attoseconds of one count; None for years and months, which differ in length."""
    unit, count = np.datetime_data(np.dtype(text.replace(",UTC", "")))
    return ATTO[unit] * count if unit in ATTO else None


def counts_of(flat: Values) -> NDArray[np.int64]:
    """The 64-bit counts of times, however the reader gives them."""
    if flat.dtype.kind in "mM":
        return flat.astype(flat.dtype.newbyteorder("=")).view(np.int64)
    return flat.astype(np.int64)


def _time_words(flat: Values) -> Words:
    counts = counts_of(flat)
    words = counts.view(np.uint64).copy()
    words[counts == NOT_A_TIME] = MISSING
    return words


def _in_parts(ratio: int) -> Callable[[Values], Words]:
    """A count of fine steps as coarse steps and a rest: no number overflows."""

    def words(flat: Values) -> Words:
        counts = counts_of(flat)
        whole, rest = np.divmod(counts, np.int64(ratio))
        found = mixed(whole.view(np.uint64)) + rest.view(np.uint64)
        found[counts == NOT_A_TIME] = MISSING
        return found

    return words
