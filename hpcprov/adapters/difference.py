"""What differs between two objects in memory, or one and a file: `ds.hpcprov.diff(other)`.

found = ds.hpcprov.diff("yesterday.nc", rtol=1e-6)
found.same, found.fields[0]["differing"]     ->  False, 3
print(found)                                 # as `hpcprov diff` prints it
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from html import escape
from typing import TYPE_CHECKING, Any

from hpcprov.adapters.accessor import path_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hpcprov.data.interface import Dataset


class Difference:
    """What `hpcprov diff --json` prints, as an object: `status` is same, within (the tolerance) or different; `note`
    says what may be behind it."""

    def __init__(self, document: dict[str, Any], note: str | None = None) -> None:
        self.document, self.note = document, note

    @property
    def status(self) -> str:
        return str(self.document["status"])

    @property
    def same(self) -> bool:
        """Are all values the same, or within the tolerance?"""
        return self.status != "different"

    @property
    def fields(self) -> list[dict[str, Any]]:
        """One dict for each field of arrays; tables tell their rows in `document["table"]`."""
        found: list[dict[str, Any]] = self.document["fields"]
        return found

    def to_json(self) -> str:
        return json.dumps(self.document, indent=1)

    def __bool__(self) -> bool:
        """Is there a difference?"""
        return not self.same

    def __str__(self) -> str:
        from hpcprov.commands.diff_page import render

        note = [f"note: {self.note}"] if self.note is not None and not self.same else []
        return "\n".join([*render(self.document), *note])

    def __repr__(self) -> str:
        return f"<Difference: {self.status}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """For IPython on a terminal."""
        printer.text(str(self))

    def _repr_html_(self) -> str:
        """For a notebook."""
        return f"<pre>{escape(plain(str(self)))}</pre>"


def plain(text: str) -> str:
    """Without the colours that a terminal would get."""
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def difference(one: Any, other: Any, **options: Any) -> Difference:
    """Compare two objects or paths; the first counts as right. Raises TypeError for options that there are none of,
    and what readers raise."""
    from hpcprov.quality.diff.options import Options
    from hpcprov.signature.cpus import thread_count

    if unknown := sorted(options.keys() - set(WISHES)):
        raise TypeError(f"diff has no option {', '.join(unknown)}: it has {', '.join(WISHES)}")
    wished: dict[str, Any] = {"threads": thread_count()}
    wished |= {name: names_of(value) if name in LISTS else value for name, value in options.items()}
    with ExitStack() as stack:
        sides = [stack.enter_context(dataset_of(thing)) for thing in (one, other)]
        found = compared(sides[0], sides[1], Options(**wished))
        about = {"paths": [name_of(one), name_of(other)], "format": [side.format for side in sides]}
    document = about | {"known": [None, None], "bytes": None, "structure": [], "unread": [], "preserved": None} | found
    alone = [thing for thing in (one, other) if path_of(thing) is None] if path_of(one) or path_of(other) else []
    return Difference(document, DECODED if any(map(is_decoded, alone)) else None)


#: What xarray notes of variables that are not as they are stored.
CODED = {"_FillValue", "missing_value", "scale_factor", "add_offset", "calendar"}
DECODED = "xarray has decoded fill values, scales or times; `decode_cf=False` when it opens the file has what is stored"


def is_decoded(thing: Any) -> bool:
    """Does xarray hold other values than the file that it read them from?"""
    if type(thing).__module__.partition(".")[0] != "xarray":
        return False
    variables = thing.variables.values() if hasattr(thing, "data_vars") else [thing]
    return any(CODED & variable.encoding.keys() for variable in variables)


def names_of(value: str | Iterable[str]) -> tuple[str, ...]:
    """One name stands for itself, not for its letters."""
    return (value,) if isinstance(value, str) else tuple(value)


WISHES = ("rtol", "atol", "ulp", "nan_differs", "fields", "threads", "key", "rows", "context")
LISTS = ("fields", "key")


def compared(one: Dataset, other: Dataset, options: Any) -> dict[str, Any]:
    """Tables row by row, all else field by field."""
    from hpcprov.quality.diff.datasets import diff
    from hpcprov.quality.diff.files import diff_tables
    from hpcprov.quality.diff.known import Known
    from hpcprov.signature.watch import Watch

    return diff_tables(one, other, options, Known(), Watch()) or diff(one, other, options)


def dataset_of(thing: Any) -> Dataset:
    from hpcprov.data.open import open_data
    from hpcprov.data.opened import opened

    path = path_of(thing)
    return opened(thing) if path is None else open_data(path)


def name_of(thing: Any) -> str:
    return path_of(thing) or f"{type(thing).__name__} in memory"
