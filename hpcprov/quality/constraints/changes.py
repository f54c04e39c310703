"""Two files of constraints compared: what the second one says otherwise, and whether it lets more pass or less.

    changes(read("a.json"), read("b.json"))
    ->  [{"field": "depth", "constraint": "max", "a": 10.0, "b": 12.0, "change": "loosened"}, ...]

`added` and `removed` are constraints of one file only; `changed` what is neither tighter nor looser, or cannot be told.
The field None is the dataset, whose constraints are the globs of required and allowed fields and of files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hpcprov.quality.constraints.file import Constraint, Constraints
from hpcprov.quality.constraints.kinds import ANY, INFINITE, KINDS

TIGHTENED, LOOSENED, CHANGED, ADDED, REMOVED = "tightened", "loosened", "changed", "added", "removed"

#: What each sign lets pass, and each order of a neighbour.
SIGNS = {
    "positive": "+", "non-negative": "0+", "zero": "0", "non-positive": "-0", "negative": "-", "null": "",
}  # fmt: skip
ORDERS = {
    "increasing": ">", "non-decreasing": "=>", "constant": "=", "non-increasing": "<=", "decreasing": "<",
}  # fmt: skip


def changes(one: Constraints, other: Constraints) -> list[dict[str, Any]]:
    """What differs, by field in the order of the files, then by kind; the dataset first."""
    found = [*_of_dataset(one, other)]
    for name in dict.fromkeys((*one.fields, *other.fields)):
        left, right = one.fields.get(name, {}), other.fields.get(name, {})
        for kind in KINDS:
            a, b = left.get(kind), right.get(kind)
            change = change_of(kind, a, b)
            if change is not None:
                found.append({"field": name, "constraint": kind, "a": shown(a), "b": shown(b), "change": change})
    return found


def shown(constraint: Constraint | None) -> Any:
    """A constraint as the file has it."""
    if constraint is None or constraint.precision is None:
        return None if constraint is None else constraint.value
    return {"value": constraint.value, "precision": constraint.precision}


def change_of(kind: str, a: Constraint | None, b: Constraint | None) -> str | None:
    """What has become of a constraint; None where it is the same."""
    if a is None or b is None:
        return None if a is b else ADDED if a is None else REMOVED
    if a == b and type(a.value) is type(b.value):
        return None
    narrower = NARROWER.get(kind)
    try:
        inner, outer = (False, False) if narrower is None else (narrower(b, a), narrower(a, b))
    except TypeError:  # bounds of two types
        return CHANGED
    return None if inner and outer else TIGHTENED if inner else LOOSENED if outer else CHANGED


def _at_least(a: Constraint, b: Constraint) -> bool:
    """Whether all that a lower bound lets pass, the other one does."""
    left, right = _bound(a.value), _bound(b.value)
    return bool(left > right or (left == right and (_is_open(a) or not _is_open(b))))


def _at_most(a: Constraint, b: Constraint) -> bool:
    left, right = _bound(a.value), _bound(b.value)
    return bool(left < right or (left == right and (_is_open(a) or not _is_open(b))))


def _is_open(constraint: Constraint) -> bool:
    return constraint.precision == "open"


def _bound(value: Any) -> Any:
    """A bound that can be compared; dates of one zone compare as text, once they are written alike."""
    if type(value) is str:
        return INFINITE.get(value) or value.replace("T", " ").replace("/", "-").removesuffix("Z").removesuffix("+00:00")
    return value


def _subset(a: set[Any], b: set[Any]) -> bool:
    return a <= b


def _listed(value: Any) -> set[Any]:
    return {(type(one) is bool, one) for one in (value if type(value) is list else [value])}


def _shape(a: Constraint, b: Constraint) -> bool:
    if len(a.value) != len(b.value):
        return False
    return all(want in ANY or want == have for have, want in zip(a.value, b.value, strict=True))


#: kind: whether all that the first one lets pass, the second one does.
NARROWER: dict[str, Callable[[Constraint, Constraint], bool]] = {
    "type": lambda a, b: _subset(_listed(a.value), _listed(b.value)),
    "min": _at_least, "min_length": _at_least,
    "max": _at_most, "max_length": _at_most, "max_nulls": _at_most, "max_gap": _at_most,
    "sign": lambda a, b: _subset(set(SIGNS[a.value]), set(SIGNS[b.value])),
    "order": lambda a, b: _subset(set(ORDERS[a.value]), set(ORDERS[b.value])),
    "no_duplicates": lambda a, b: a.value >= b.value, "finite": lambda a, b: a.value >= b.value,
    "allowed_values": lambda a, b: _subset(_listed(a.value), _listed(b.value)),
    "rex": lambda a, b: _subset(_listed(a.value), _listed(b.value)),
    "shape": _shape,
}  # fmt: skip


def _of_dataset(one: Constraints, other: Constraints) -> Iterator[dict[str, Any]]:
    for name, a, b in (
        ("required_fields", one.required, other.required),
        ("allowed_fields", one.allowed, other.allowed),
        ("files", one.files or None, other.files or None),
    ):
        if a is None or b is None:
            change = None if a is b else ADDED if a is None else REMOVED
        else:
            change = None if set(a) == set(b) else CHANGED
        if change is not None:
            yield {"field": None, "constraint": name, "a": a, "b": b, "change": change}
