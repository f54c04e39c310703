"""What the reading child does with constraints: it opens the file, and looks at it as its bounds allow.

discover_file("out.nc", {"rex": True, "growing": ["time"]}, threads=2, watch=Watch())    # Found, as JSON
verify_file("out.nc", {"fields": {...}}, {}, threads=2, watch=Watch())                   # as verify.verify gives it
"""

from __future__ import annotations

from typing import Any

from hpcprov.data import write_arrays, write_table
from hpcprov.data.attributes import read_attributes, storage_of
from hpcprov.data.interface import Dataset
from hpcprov.data.no_fields import NO_FIELDS, why
from hpcprov.data.open import open_data
from hpcprov.data.write_over import clear
from hpcprov.quality.constraints.detect import detect
from hpcprov.quality.constraints.discover import Options, discover, is_wanted
from hpcprov.quality.constraints.file import parse
from hpcprov.quality.constraints.verify import answer, check_fields, run
from hpcprov.record.errors import HpcprovError, UnreadableData
from hpcprov.signature.artifact import check_declared
from hpcprov.signature.snapshot import CHANGED, Snapshot, look
from hpcprov.signature.watch import Watch


def discover_file(path: str, options: dict[str, Any], *, threads: int, watch: Watch) -> dict[str, Any]:
    """The constraints that the data keeps. Raises what its readers raise, HpcprovError where there are no fields."""
    wanted = Options(
        rex=options["rex"],
        exclude_outliers=options["exclude_outliers"],
        fields=tuple(options["fields"]),
        growing=tuple(options["growing"]),
    )
    before = look(path)
    with open_data(path, partial=True) as data:
        check(path, data, before)
        unread = [one for one in data.unread if is_wanted(one.name, wanted.fields)]
        if not unread and not any(is_wanted(field.name, wanted.fields) for field in data.fields):
            raise HpcprovError(f"no field of it matches {', '.join(map(ascii, wanted.fields))}")
        axes = {name: found.dimensions or [] for name, found in storage_of(path).items()} if wanted.growing else {}
        check_axes(wanted, data, axes)
        attributes = read_attributes(path)
        found = discover(
            data, attributes=attributes, dimensions=axes, options=wanted, threads=threads, watch=watch
        )  # fmt: skip
        check_unchanged(path, before)
        for one in unread:  # it may be there, and nothing is known of it
            found.fields[one.name] = {}
            found.notes.append(f"{one.name}: not read: {one.reason}")
            found.rows = one.shape[0]
        return found.as_json() | {"kind": data.kind}


def verify_file(
    path: str, raw: Any, options: dict[str, Any], *, threads: int, watch: Watch, deadline: float | None = None
) -> dict[str, Any]:
    """The verdict on the data; with `output` what violates it is written there, and what is to be replaced there is
    removed when nothing does. Raises what its readers raise, TimeUp, HpcprovError where it cannot be written."""
    output, replace = options.get("output"), options.get("replace") is True
    checking = {"type_checking": options["type_checking"], "epsilon": options["epsilon"]}
    constraints = parse(raw)
    before = look(path)
    with open_data(path, partial=True) as data:
        check(path, data, before)
        attributes = read_attributes(path)
        if output is not None:
            check_output(output, data.kind, replace=replace)
        checked = check_fields(data, constraints, attributes, **checking)
        run(checked, threads, watch, deadline=deadline)
        check_unchanged(path, before)
        found = answer(data, constraints, checked)
        if output is None:
            return found
        count = detect(data, checked, output, replace=replace)
        return found | {"detected": count, "removed": replace and not count and clear(output)}


def check_axes(wanted: Options, data: Dataset, names: dict[str, list[str]]) -> None:
    """Raises HpcprovError for a growing axis that no field has: nothing would be said of what must not grow."""
    fields = [field for field in data.fields if is_wanted(field.name, wanted.fields)]
    known = dict.fromkeys(name for field in fields for name in names.get(field.name, []) if name)
    most = max((len(field.shape or ()) for field in fields), default=0)
    for axis in wanted.growing:
        if axis not in known and axis not in map(str, range(most)):
            named = f"{', '.join(map(ascii, known))}, or " if known else ""
            raise HpcprovError(f"no field of it has an axis {axis!a}: there are {named}numbers below {most}")


def check_output(path: str, kind: str, *, replace: bool) -> None:
    """Raises HpcprovError, before anything is read, when nothing can be written there."""
    if path.rstrip("/").lower().endswith(tuple(write_arrays.FORMS)):
        if kind == "table":
            raise HpcprovError(f"{path!a}: rows of a table are written as {', '.join(write_table.FORMS)}")
        write_arrays.check_place(path, replace=replace)
    else:
        write_table.check_place(path, replace=replace, form=write_table.form_of(path))


def check_unchanged(path: str, before: Snapshot) -> None:
    """Raises UnreadableData when somebody has written into it since: nobody knows of what the answer is true."""
    if look(path) != before:
        raise UnreadableData(CHANGED)


def check(path: str, data: Dataset, before: Snapshot) -> None:
    """Raises what `check_declared` raises, HpcprovError for what has no fields."""
    check_declared(data, before.size)
    if data.format in NO_FIELDS:
        raise HpcprovError(why(path, data.format))
