"""How two runs differ, in the order in which one looks for a cause. Pure: two records in, a list out.

    causes(one, other)  ->  [{"kind": "argument", "text": "compiler flag -O2 -> -O3 in argument 1", "before": "-O2",
                              "after": "-O3"}, ...]

What differs between any two runs (times, process ids, names of equal nodes, files for the moment) is none. Texts hold
what records hold: who prints them makes them safe.
"""

from __future__ import annotations

from hpcprov.catalog.causes import code, commands, data, software, surroundings
from hpcprov.catalog.causes.recorded import tells

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hpcprov.catalog.causes.told import Cause
    from hpcprov.record.model import Record

    Look = Callable[[Record, Record], Iterator[Cause]]

#: What is compared, in this order: what it is called when it is the same in both, and how it is looked at.
LOOKS: tuple[tuple[str, Look], ...] = (
    ("code", code.code),
    ("arguments", commands.arguments),
    ("environment", surroundings.environment),
    ("modules", surroundings.modules),
    ("image", surroundings.images),
    ("programs", software.executables),
    ("libraries", software.libraries),
    ("Python packages", software.packages),
    ("node types", surroundings.nodes),
    ("ranks", surroundings.ranks),
    ("inputs", data.inputs),
)


def causes(one: Record, other: Record) -> list[Cause]:
    """Every difference that may explain what came of the two."""
    found = [cause for _, look in LOOKS for cause in look(one, other)]
    return found + list(commands.programs(one, other, found))


def same(one: Record, other: Record) -> list[str]:
    """What of the above both records tell of, and is the same in both."""
    alike = [name for name, look in LOOKS if next(iter(look(one, other)), None) is None]
    return [name for name in alike if tells(one, name) and tells(other, name)]


def untold(one: Record, other: Record) -> list[str]:
    """What of the above may be the same or not: one of the records does not tell of it."""
    alike = [name for name, look in LOOKS if next(iter(look(one, other)), None) is None]
    return [name for name in alike if not (tells(one, name) and tells(other, name))]
