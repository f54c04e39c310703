"""Two datasets compared, field by field: which fields both have, which have another name, and what differs in each.

    with open_data("a.h5") as one, open_data("b.zarr") as other:
        diff(one, other, Options(rtol=1e-6))["fields"]

The first counts as right. Fields with equal signatures are never read; where tile digests are known, only the tiles
that differ are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any, TypeAlias

from hpcprov.data.attributes import Attributes, missing_values
from hpcprov.data.interface import Dataset, Field
from hpcprov.quality.diff.block import NOTHING, Declared
from hpcprov.quality.diff.fields import DIFFERENT, MISSING, NEW, SAME, WITHIN, blank, diff_field, equal
from hpcprov.quality.diff.known import Known
from hpcprov.quality.diff.options import Options
from hpcprov.quality.diff.picture import Picture, drawn
from hpcprov.quality.diff.shift import LEAST_COMPARED, find_shift
from hpcprov.quality.names import matches
from hpcprov.record.errors import HpcprovError
from hpcprov.signature.threads import sign_field
from hpcprov.signature.watch import Watch

Facts: TypeAlias = dict[str, Any]
Pair: TypeAlias = tuple[Field, Field]

#: Fields on one side only are signed to see whether they were renamed, as long as these are not more bytes.
MOST_SIGNED = 1 << 30
#: Fewer elements that differ are no shift.
FEW = 3


def diff(
    one: Dataset,
    other: Dataset,
    options: Options | None = None,
    *,
    known: Known | None = None,
    watch: Watch | None = None,
    attributes: Sequence[Attributes] = (),
) -> Facts:
    """`status` (same, within, different) and `fields`: those of both in the order of the first, then those that only
    one of them has. The `attributes` of both tell which values are missing. Raises HpcprovError for a field that
    neither has, and what readers raise."""
    options, watch = options or Options(), watch or Watch()
    known = Known() if known is None or options.nan_differs else known  # equal signatures may hold NaN
    pairs, gone, new = paired(one, other, options.fields)
    moved, gone, new = _renamed(gone, new, known, options)
    read = [not known.equal(mine.name, theirs.name) for mine, theirs in pairs]
    for (mine, _), is_read in zip(pairs, read, strict=True):
        watch.expect(mine.octets if is_read else 0)
    fields = [
        _compared(pair, options, known, watch, _declared(pair, attributes)) if is_read else equal(*pair)
        for pair, is_read in zip(pairs, read, strict=True)
    ]
    fields += [equal(*pair) | {"reason": f"renamed to {pair[1].name!r}", "status": "renamed"} for pair in moved]
    fields += [blank(field, None, MISSING, "only in the first") for field in gone]
    fields += [blank(None, field, NEW, "only in the second") for field in new]
    return {"status": status_of(fields), "kind": [one.kind, other.kind], "fields": fields, "table": None}


def status_of(fields: list[Facts]) -> str:
    """One word on all fields."""
    found = {field["status"] for field in fields}
    if found - {SAME, WITHIN}:
        return DIFFERENT
    return WITHIN if WITHIN in found else SAME


def paired(one: Dataset, other: Dataset, wanted: tuple[str, ...]) -> tuple[list[Pair], list[Field], list[Field]]:
    """Fields of one name; those that only the first has, and only the second. Two datasets of one field each are
    compared whatever its name."""
    left, right = list(one.fields), list(other.fields)
    named = {field.name: field for field in right}
    chosen_pairs: list[Pair] = []
    patterns = []
    for word in wanted:
        pair = _explicit(word, left, named)
        if pair is not None:
            chosen_pairs.append(pair)
        else:
            patterns.append(word)
    if wanted:
        _check_names(one, other, patterns)
        left = [field for field in left if matches(field.name, patterns)]
        right = [field for field in right if matches(field.name, patterns)]
    sides = _only(one, left, wanted), _only(other, right, wanted)
    if len(sides[0]) == len(sides[1]) == 1 and not (chosen_pairs or (wanted and left and right)):
        return [(sides[0][0], sides[1][0])], [], []
    both = [(field, named[field.name]) for field in left if field.name in named]
    paths = {field.name for field, _ in both}
    rest = ([field for field in side if field.name not in paths] for side in (left, right))
    gone, new = rest
    return chosen_pairs + both, gone, new


def selected(
    one: Dataset, other: Dataset, wanted: tuple[str, ...], *, also: tuple[str, ...] = ()
) -> tuple[Dataset, Dataset]:
    """Both datasets with the fields of these names or patterns only, and `also` others; with all when none is wanted.
    Raises HpcprovError for a name that neither has."""
    if not wanted:
        return one, other
    _check_names(one, other, list(wanted))
    patterns = [*wanted, *also]
    left, right = (
        replace(dataset, fields=tuple(field for field in dataset.fields if matches(field.name, patterns)))
        for dataset in (one, other)
    )
    return left, right


def chosen(dataset: Dataset, wanted: tuple[str, ...]) -> Dataset:
    """The dataset with the fields that may be read, when these are asked for: also by one half of `OLD=NEW`."""
    if not wanted:
        return dataset
    patterns = [*wanted, *(half for word in wanted for half in word.split("=", 1))]
    return replace(dataset, fields=tuple(field for field in dataset.fields if matches(field.name, patterns)))


def _check_names(one: Dataset, other: Dataset, patterns: list[str]) -> None:
    """Raises HpcprovError for a name or pattern that no field has."""
    for word in patterns:
        if not any(matches(field.name, [word]) for field in (*one.fields, *other.fields)):
            raise HpcprovError(f"no field is called {word!a}; {_hint(one, other)}")


def _only(dataset: Dataset, found: list[Field], wanted: tuple[str, ...]) -> list[Field]:
    """What was asked for by name; of a dataset without it its only field."""
    return found if found or not wanted else [*dataset.fields] if len(dataset.fields) == 1 else []


def _explicit(word: str, left: list[Field], right: dict[str, Field]) -> Pair | None:
    """`OLD=NEW`, unless a field has that name."""
    found = {field.name: field for field in left}
    old, sign, new = word.partition("=")
    if not sign or word in found or word in right:
        return None
    if old not in found or new not in right:
        lacking = old if old not in found else new
        raise HpcprovError(f"no field is called {lacking!a}: OLD=NEW names one of each")
    return found[old], right[new]


def _hint(one: Dataset, other: Dataset) -> str:
    names = list(dict.fromkeys(field.name or "(the array)" for field in (*one.fields, *other.fields)))
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"there are {', '.join(names[:10])}{more}" if names else "neither has fields"


def _renamed(
    gone: list[Field], new: list[Field], known: Known, options: Options
) -> tuple[list[Pair], list[Field], list[Field]]:
    """Fields that have another name in the second, and the same values."""
    if not gone or not new or options.fields:
        return [], gone, new
    names = known.renamed([field.name for field in gone], [field.name for field in new])
    by_name = {field.name: field for field in new}
    pairs = [(field, by_name[names[field.name]]) for field in gone if field.name in names]
    taken = {id(field) for pair in pairs for field in pair}
    left, right = ([field for field in side if id(field) not in taken] for side in (gone, new))
    pairs += _alike(left, right, options)
    taken = {id(field) for pair in pairs for field in pair}
    left, right = ([field for field in side if id(field) not in taken] for side in (gone, new))
    return pairs, left, right


def _alike(gone: list[Field], new: list[Field], options: Options) -> list[Pair]:
    """Pairs of fields of one signature; only those are signed that have a type and shape which both sides have."""
    frames = {_frame(field) for field in gone} & {_frame(field) for field in new}
    sides = [
        [field for field in side if _frame(field) in frames and prod(field.shape or ()) > 1] for side in (gone, new)
    ]
    if sum(field.octets for side in sides for field in side) > MOST_SIGNED:
        return []
    roots: dict[bytes, Field] = {}
    for field in reversed(sides[1]):
        roots[sign_field(field, threads=options.threads).root] = field
    pairs = []
    for field in sides[0]:
        match = roots.pop(sign_field(field, threads=options.threads).root, None)
        if match is not None:
            pairs.append((field, match))
    return pairs


def _frame(field: Field) -> tuple[bytes, tuple[int, ...] | None]:
    return field.type.token, field.shape


def _declared(pair: Pair, attributes: Sequence[Attributes]) -> Declared:
    """The values that mean missing in each of two fields."""
    if not attributes:
        return NOTHING
    one, other = (
        missing_values(of.fields.get(field.name, {}), field.type) for field, of in zip(pair, attributes, strict=True)
    )
    return one, other


def _compared(pair: Pair, options: Options, known: Known, watch: Watch, declared: Declared) -> Facts:
    one, other = pair
    picture = _picture(one, other) if options.picture else None
    seen = picture.seen if picture is not None else None
    places = known.places(one.name, other.name)
    found = diff_field(one, other, options, places=places, watch=watch, seen=seen, declared=declared)
    some = [found[name]["at"] for name in ("first", "largest") if found[name] is not None]
    if found["outside"] and found["outside"] >= FEW and found["count"] >= LEAST_COMPARED:
        found["shift"] = find_shift(one, other, some, found["outside"], options)
    if picture is not None and found["differing"]:
        found["picture"] = drawn(one, other, picture.shape, picture, options, declared)
    return found


def _picture(one: Field, other: Field) -> Picture | None:
    """An empty picture of what both fields have; None where they cannot be compared."""
    if one.shape is None or other.shape is None or len(one.shape) != len(other.shape):
        return None
    return Picture(tuple(min(pair) for pair in zip(one.shape, other.shape, strict=True)))
