"""Sets of ranks as ranges: few numbers even for a million ranks.

ranges([0, 1, 2, 7])          ->  [[0, 2], [7, 7]]
text([[0, 2], [7, 7]])        ->  "0-2,7"
gaps([0, 1, 2, 7], 9)         ->  [[3, 6], [8, 8]]
"""

from __future__ import annotations

from itertools import pairwise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def ranges(numbers: Iterable[int]) -> list[list[int]]:
    """Inclusive [first, last] pairs, ascending, of a set of numbers."""
    found: list[list[int]] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


def joined(pairs: Iterable[list[int]]) -> list[list[int]]:
    """One set of ranges of several, which may overlap; ranges stay ranges, however many numbers they hold."""
    found: list[list[int]] = []
    for first, last in sorted(map(tuple, pairs)):
        if found and first <= found[-1][1] + 1:
            found[-1][1] = max(found[-1][1], last)
        else:
            found.append([first, last])
    return found


def gaps(numbers: Iterable[int], size: int) -> list[list[int]]:
    """The ranges of 0..size-1 that `numbers` leaves out; `size` may be huge."""
    edges = [[-1, -1], *(pair for pair in ranges(numbers) if 0 <= pair[0] < size), [size, size]]
    pairs = pairwise(edges)
    return [[left[1] + 1, right[0] - 1] for left, right in pairs if left[1] + 1 < right[0]]


def count(pairs: Iterable[list[int]]) -> int:
    return sum(last - first + 1 for first, last in pairs)


def text(pairs: Iterable[list[int]]) -> str:
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in pairs)
