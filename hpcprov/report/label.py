"""Short labels: untrusted text cut to the width of a box, as a page's sans-serif draws it.

fitted("/scratch/ada/run_with_a_very_long_name_0042.nc", 120)  ->  "/scratch/ad…0042.nc"
"""

from __future__ import annotations

import unicodedata

from hpcprov.record.text import printable

# Widths in parts of the font's size, a little more than those of common fonts.
NARROW, WIDE = frozenset("iljtfrI.,:;'|!()[]{}-1 "), frozenset("mwMW@%")
NARROW_WIDTH, WIDE_WIDTH, FULL_WIDTH, CAPITAL_WIDTH, OTHER_WIDTH = 0.38, 0.95, 1.05, 0.72, 0.6
LONGEST = 400  # characters that are looked at


def fitted(text: str, width: float, *, font: float = 12.0) -> str:
    """`text` made visible, on at most `width` pixels; what does not fit is cut from its middle, since numbers that tell
    names apart stand at their ends."""
    shown = printable(text[:LONGEST]) + ("…" if len(text) > LONGEST else "")
    if _width(shown) * font <= width:
        return shown
    room = width / font - 1.0
    tail = _fitting(shown[::-1], room * 0.45)[::-1]
    return f"{_fitting(shown, room - _width(tail))}…{tail}"


def _fitting(text: str, room: float) -> str:
    """The longest beginning that fits."""
    for k, character in enumerate(text):
        room -= _width(character)
        if room < 0:
            return text[:k]
    return text


def _width(text: str) -> float:
    return sum(map(_one, text))


def _one(character: str) -> float:
    if character in NARROW:
        return NARROW_WIDTH
    if character in WIDE:
        return WIDE_WIDTH
    if character.isascii():
        return CAPITAL_WIDTH if character.isupper() else OTHER_WIDTH
    if unicodedata.combining(character):
        return 0.0
    return FULL_WIDTH if unicodedata.east_asian_width(character) in "WF" else WIDE_WIDTH
