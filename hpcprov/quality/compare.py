"""What each field of a dataset has become in another one: `quality.diff`, told in few words, for `why` and `rerun`.

    with open_data("out.h5") as one, open_data("out.zarr") as other:
        compare(one, other, rtol=1e-6)
    ->  [{"path": "depth", "status": "within", "count": 138632, "differing": 12, "outside": 0, "max_abs": 3e-16,
          "max_rel": 2e-13, "where": [17, 3], "first": [17, 3], "reason": None}]

The second is the one that counts as right, as in numpy.isclose. `where` is where the absolute difference is largest,
`first` the first element that lies outside the tolerance, or that differs where none does.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from hpcprov.data.interface import Dataset, Field
from hpcprov.quality.diff.fields import DIFFERENT, MISSING, NEW, diff_field
from hpcprov.quality.diff.options import Options
from hpcprov.quality.elements import is_number
from hpcprov.record.wording import extents
from hpcprov.signature.watch import Watch

Facts: TypeAlias = dict[str, Any]

COUNTS = ("count", "differing", "outside")
NOTHING = dict.fromkeys((*COUNTS, "max_abs", "max_rel", "where", "first"))


def compare(
    one: Dataset, other: Dataset, *, rtol: float = 0.0, atol: float = 0.0, watch: Watch | None = None
) -> list[Facts]:
    """What each field of `other` has become in `one`, then what is new in `one`. Raises what their readers raise."""
    found = {field.path: field for field in one.fields}
    pairs = [(field, found.pop(field.path, None)) for field in other.fields]
    watch, options = watch or Watch(), Options(rtol=rtol, atol=atol)
    for right, mine in pairs:
        watch.expect(right.octets if mine is not None and _unlike(mine, right) is None else 0)
    results = []
    for right, mine in pairs:
        if mine is None:
            results.append(_facts(right, MISSING, "it is not there"))
        else:
            results.append(compare_fields(mine, right, options, watch=watch))
    return results + [_facts(field, NEW, "it was not there") for field in found.values()]


def compare_fields(one: Field, other: Field, options: Options, *, watch: Watch | None = None) -> Facts:
    """How the values of two fields differ. Numbers of two types are compared as numbers."""
    reason = _unlike(one, other)
    if reason is not None:
        return _facts(one, DIFFERENT, reason)
    found = diff_field(other, one, options, watch=watch)
    said = None if one.type.text == other.type.text else f"its type is {one.type.text}, was {other.type.text}"
    return _facts(one, found["status"], said) | {
        **{name: found[name] for name in COUNTS},
        "max_abs": _measure(found["largest"]),
        "max_rel": _measure(found["relative"]),
        "where": _place(found["largest"]),
        "first": _place(found["first"]),
    }


def _unlike(one: Field, other: Field) -> str | None:
    """Why two fields cannot be compared element by element."""
    if one.shape != other.shape:
        return f"its shape is {extents(one.shape)}, was {extents(other.shape)}"
    if one.type.token != other.type.token and not (is_number(one.type) and is_number(other.type)):
        return f"its type is {one.type.text}, was {other.type.text}"
    return None


def _facts(field: Field, status: str, reason: str | None) -> Facts:
    return {"path": field.name, "status": status, "reason": reason, **NOTHING}


def _measure(extreme: Facts | None) -> float | None:
    return None if extreme is None else float(extreme["value"])


def _place(extreme: Facts | None) -> list[int] | None:
    return None if extreme is None else extreme["at"]
