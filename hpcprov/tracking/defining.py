"""`hpcprov.define(...)`: how a field was made, told by the program that makes it.

    hpcprov.define("out.h5/depth", "h * (h > 0.01)", inputs=["flood.h5/h"])
    hpcprov.define(file["speed"], "hypot(u, v)", inputs=["u", "v"])                  # fields of the same file
    hpcprov.define("by_id.parquet/count", "count", inputs=["trans.parquet/id"], context="by id")

It is recorded in the run that goes on, as @track does it; with `embed` also in the field's own attributes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from hpcprov.capture import redact
from hpcprov.record.definition import LANGUAGES, LONGEST, LONGEST_FIELD, MOST_INPUTS
from hpcprov.tracking import session, steps, values
from hpcprov.tracking.files import GENERATED, USED, stamp
from hpcprov.tracking.recorder import MOST_DEFINITIONS
from hpcprov.tracking.trouble import sheltered, warn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hpcprov.tracking.recorder import Recorder


def define(
    field: Any,
    expression: str,
    inputs: Iterable[Any] = (),
    *,
    context: str | None = None,
    language: str = "python",
    column: str | None = None,
    embed: bool = False,
) -> None:
    """Say how a field was made: by `expression` from `inputs`, in the run that goes on; outside of one this begins a
    run that ends with the program, as @track does.

    `field`: "PATH/FIELD", an open object of h5py, zarr or netCDF4, an array or table in memory, or the name of an
    output of the current block. `inputs`: the same, and names of fields of the same dataset. `context`: what the
    expression is evaluated over where that is not element by element ("by id"). `language`: python, sql or text.
    `column`: which field is meant, where `field` is a dataset or table as a whole.
    `embed`: also write it into the field's attributes `hpcprov_definition` and `hpcprov_context`, at once.

    Raises TypeError and ValueError for wrong arguments, and nothing when recording fails: that is a warning."""
    given = check(field, expression, inputs, context, language)
    if column is not None and not isinstance(column, str):
        raise TypeError(f"a column is named by text, not {type(column).__name__}")
    with sheltered("a definition"):
        recorder = session.active() or session.begin_implicit()
        told = entry(recorder, field, expression, given, context, language)
        if column is not None:
            told["field"] = f"{told['field']}/{column}".strip("/")[:LONGEST_FIELD]
        if recorder is not None:
            record(recorder, told)
        if embed:
            from hpcprov.tracking.embedding import embed_definition

            thing = field if column is None or isinstance(field, str | os.PathLike) else field[column]
            embed_definition(thing, told, recorder.run_id if recorder is not None else None)


def check(field: Any, expression: Any, inputs: Any, context: Any, language: Any) -> list[Any]:
    """The inputs as a list. Raises TypeError, ValueError."""
    for what, text in (("expression", expression), ("context", context)):
        if not isinstance(text, str) and (what == "expression" or text is not None):
            raise TypeError(f"the {what} of a definition is text, not {type(text).__name__}")
    if not expression.strip():
        raise ValueError("the expression of a definition is empty")
    if language not in LANGUAGES:
        raise ValueError(f"language={language!r}: it is one of {', '.join(LANGUAGES)}")
    if isinstance(inputs, str | os.PathLike) or not hasattr(inputs, "__iter__") or values.holds_values(inputs):
        raise TypeError("the inputs of a definition are a list of paths, fields and names")
    listed = list(inputs)
    for thing in (field, *listed):
        if not (isinstance(thing, str | os.PathLike) or values.holds_values(thing) or lies_in(thing)):
            kind = f"{type(thing).__module__}.{type(thing).__qualname__}"
            raise TypeError(f"{kind} is neither a path nor a field: give PATH/FIELD, an open object, or values")
        if isinstance(thing, str) and not thing:
            raise ValueError("a field or input without a name")
    return listed


def lies_in(thing: Any) -> tuple[str, str] | None:
    from hpcprov.data.origin import origin_of

    return origin_of(thing)


def record(recorder: Recorder, told: dict[str, Any]) -> None:
    """Write an entry into the log."""
    declare(recorder, GENERATED, told["path"])
    for one in told["inputs"]:
        declare(recorder, USED, one["path"])
    if not recorder.define(told):
        warn(f"more than {MOST_DEFINITIONS:,} definitions: the others are not recorded")


def entry(
    recorder: Recorder | None, field: Any, expression: str, inputs: list[Any], context: str | None, language: str
) -> dict[str, Any]:
    """The entry of a `definition` event (docs/frames.md)."""
    path, name = target(recorder, field)
    found = [source(recorder, thing) for thing in inputs[:MOST_INPUTS]]
    told: dict[str, Any] = {
        "path": path,
        "field": name[:LONGEST_FIELD],
        "expression": redact.scrub(expression)[:LONGEST],
    }
    told |= {"language": language, "inputs": [{"path": one, "field": inner[:LONGEST_FIELD]} for one, inner in found]}
    told |= {"context": redact.scrub(context)[:LONGEST]} if context else {}
    step = steps.current.get()
    told |= {"step": step.name} if step is not None and recorder is not None and step.recorder is recorder else {}
    real = os.path.realpath(path) if os.path.isabs(path) else path
    return told | ({"real": real} if real != path else {})


def target(recorder: Recorder | None, field: Any) -> tuple[str, str]:
    """The artifact and the field that are meant."""
    if isinstance(field, str):
        name, _, column = field.partition("/")
        memory = recorder.named(field) or recorder.named(name) if recorder is not None else None
        if memory is not None:
            return memory, "" if recorder is not None and recorder.named(field) else column
    return located(field) or in_memory(recorder, GENERATED, field)


def source(recorder: Recorder | None, thing: Any) -> tuple[str, str]:
    """An input's artifact and field; an empty path: a field of the same dataset."""
    from hpcprov.data.origin import looks_like_path

    if isinstance(thing, str):
        memory = recorder.named(thing) if recorder is not None else None
        if memory is not None:
            return memory, ""
        if not looks_like_path(thing):
            return "", thing
    return located(thing) or in_memory(recorder, USED, thing)


def located(thing: Any) -> tuple[str, str] | None:
    """Where a path or an open object is; None for values in memory."""
    from hpcprov.data.origin import origin_of, split

    if isinstance(thing, str | os.PathLike):
        return split(os.path.abspath(os.fsdecode(os.fspath(thing))))
    return None if values.holds_values(thing) else origin_of(thing)


def in_memory(recorder: Recorder | None, role: str, thing: Any) -> tuple[str, str]:
    """Values that the program holds, as an artifact of the run."""
    name = getattr(thing, "name", None)
    name = name if isinstance(name, str) and name else "values"
    step = steps.current.get()
    if recorder is None:
        return f"memory:{name}", ""
    if step is not None and step.recorder is recorder:
        step.values(role, name, thing)
    else:
        recorder.values(role, name, thing)
    return recorder.named(name) or f"memory:{name}", ""


def declare(recorder: Recorder, role: str, path: str) -> None:
    """Have a file signed that nobody watches."""
    if recorder.observed or not os.path.isabs(path) or not recorder.first_named(role, path):
        return
    if role == USED and recorder.wrote(path):
        return
    now = stamp(path)
    if role == GENERATED or now is not None:
        recorder.declare(role, path)
        step = steps.current.get()
        if step is not None and step.recorder is recorder:
            step.file(role, path, now)
        else:
            recorder.file(role, path, now)
