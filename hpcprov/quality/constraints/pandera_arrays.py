"""The Pandera schema of an xarray dataset: its template, and its variables.

variable("u", {"shape": Constraint([None, 4])}, required=True)  ->  ("        'u': pa.DataVar(...", [])
"""

from __future__ import annotations

from typing import Any

from hpcprov.quality.constraints.file import Constraint
from hpcprov.quality.constraints.pandera_checks import COMPARED, SIGNS, compared, entry, options_of

ARRAYS = '''# Written by hpcprov from the constraints in {source}.
"""A Pandera schema of an xarray dataset.

    schema.validate(xarray.open_dataset("new.nc", decode_times=False), lazy=True)
"""

import numpy as np
import pandera.xarray as pa


def holds(name, check):
    return pa.Check(lambda values: bool(check(np.asarray(values))), name=name)


def fits(shape, wanted):
    return len(shape) == len(wanted) and all(want in (None, have) for have, want in zip(shape, wanted))


def at_most_missing(count):
    return holds(f"max_nulls {{count}}", lambda values: values.dtype.kind != "f" or np.isnan(values).sum() <= count)


schema = pa.DatasetSchema(
    data_vars={{
{entries}    }},
    coords={{
{coordinates}    }},
    strict={strict},
)
'''
ORDERS = {
    "increasing": "> 0", "non-decreasing": ">= 0", "decreasing": "< 0", "non-increasing": "<= 0", "constant": "== 0",
}  # fmt: skip
#: Types as signatures name them, and as numpy does.
DTYPES = {
    "bool": "bool", "c8": "complex64", "c16": "complex128", "f2": "float16", "f4": "float32", "f8": "float64",
    **{f"i{size}": f"int{size * 8}" for size in (1, 2, 4, 8)},
    **{f"u{size}": f"uint{size * 8}" for size in (1, 2, 4, 8)},
}  # fmt: skip
#: type: the kinds that numpy gives arrays of it.
KINDS_OF = {"bool": "b", "int": "iu", "real": "f", "date": "M", "string": "UOST"}
#: What is checked along the only axis.
LINE = "lambda values: values.ndim == 1 and"


def variable(name: str, members: dict[str, Constraint], *, required: bool) -> tuple[str, list[str]]:
    """A variable, and the kinds of constraints that it does not say."""
    if is_coordinate(members):
        return _coordinate(name, members, required=required)
    options = {kind: _option(kind, constraint.value) for kind, constraint in members.items()}
    checks = {kind: _check(kind, constraint) for kind, constraint in members.items() if options[kind] is None}
    unsaid = [kind for kind, check in checks.items() if check is None]
    listed = [*filter(None, options.values()), *options_of(members, required=required)]
    return entry(name, "pa.DataVar", [*filter(None, checks.values())], listed), unsaid


def is_coordinate(members: dict[str, Constraint]) -> bool:
    """Whether a variable is a coordinate to xarray: one axis, and an order on it."""
    return "order" in members


def _coordinate(name: str, members: dict[str, Constraint], *, required: bool) -> tuple[str, list[str]]:
    """A coordinate, which has a type but no options for shape and units."""
    checks = {kind: _check(kind, constraint) for kind, constraint in members.items()}
    if "shape" in members:
        extents = tuple(None if extent == "*" else extent for extent in members["shape"].value)
        checks["shape"] = f'holds("shape", lambda values: fits(values.shape, {extents!r}))'
    dtype = _option("dtype", members["dtype"].value) if "dtype" in members else None
    checks |= {} if dtype is None else {"dtype": ""}
    unsaid = [kind for kind, check in checks.items() if check is None]
    listed = [*filter(None, [dtype]), *options_of(members, required=required)]
    return entry(name, "pa.Coordinate", [*filter(None, checks.values())], listed), unsaid


def _option(kind: str, value: Any) -> str | None:
    """An option of a variable that says it."""
    if kind == "dtype" and value in DTYPES:
        return f"dtype={DTYPES[value]!r}"
    if kind == "shape":
        return f"shape={tuple(None if extent == '*' else extent for extent in value)!r}"
    return f"attrs={{'units': {value!a}}}" if kind == "units" else None


def _check(kind: str, constraint: Constraint) -> str | None:
    """A check of a variable, empty where nothing is to be checked, None where none can."""
    value = constraint.value
    if kind in COMPARED:
        return None if type(value) is str else compared(kind, constraint, is_date=False)
    if kind == "sign":
        return None if value == "null" else SIGNS[value]
    if kind == "max_nulls":
        return f"at_most_missing({value!r})" if value else ""
    if kind == "type":
        return _type(value if type(value) is list else [value])
    if kind in ("finite", "no_duplicates"):
        holds = "not np.isinf(values).any()" if kind == "finite" else "np.unique(values).size == values.size"
        return f'holds("{kind}", lambda values: {holds})' if value else ""
    return _along(kind, value)


def _along(kind: str, value: Any) -> str | None:
    """What is checked between neighbours."""
    if kind == "order":
        return f'holds("order {value}", {LINE} (np.diff(values) {ORDERS[value]}).all())'
    if type(value) not in (int, float):
        return None
    if kind == "step":
        return f'holds("step", {LINE} np.allclose(np.diff(values), {value!r}, rtol=1e-6))'
    return (
        f'holds("max_gap", {LINE} (np.abs(np.diff(values)) <= {value!r} * (1 + 1e-9)).all())'
        if kind == "max_gap"
        else None
    )


def _type(names: list[str]) -> str:
    kinds = "".join(KINDS_OF[name] for name in names)
    return f'holds("type {", ".join(names)}", lambda values: values.dtype.kind in {kinds!r})'
