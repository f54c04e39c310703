"""The Pandera schema of a pandas table: its template, and its columns.

column("x", {"min": Constraint(1)}, required=True)  ->  ("        'x': pa.Column(...", [])
"""

from __future__ import annotations

from hpcprov.quality.constraints.file import Constraint
from hpcprov.quality.constraints.pandera_checks import COMPARED, SIGNS, compared, entry, literal, options_of

TABLE = '''# Written by hpcprov from the constraints in {source}.
"""A Pandera schema of a table.

    schema.validate(pandas.read_parquet("new.parquet"), lazy=True)
"""

import re

import pandas as pd
import pandera.pandas as pa
from pandas.api import types


def of_type(*names):
    """As TDDA has types: whole floats are integers, since a column with missing values has floats in pandas."""

    def check(column):
        if types.is_bool_dtype(column):
            return "bool" in names
        if types.is_integer_dtype(column):
            return "int" in names
        if types.is_float_dtype(column):
            whole = not (column.dropna() % 1 != 0).any()
            return "real" in names or (whole and ("int" in names or "bool" in names))
        if types.is_datetime64_any_dtype(column):
            return "date" in names
        return "string" in names and bool(column.dropna().map(lambda value: isinstance(value, str)).all())

    return pa.Check(check, ignore_na=False, name="type " + ", ".join(names))


def at_most_missing(count):
    return pa.Check(lambda column: column.isna().sum() <= count, ignore_na=False, name=f"max_nulls {{count}}")


def no_duplicates():
    return pa.Check(lambda column: not column.dropna().duplicated().any(), name="no_duplicates")


def matches_one_of(*patterns):
    def check(column):
        return column.map(lambda text: any(re.match(pattern, text, re.DOTALL) for pattern in patterns)).astype(bool)

    return pa.Check(check, name="rex")


def no_values():
    return pa.Check(lambda column: not len(column.dropna()), name="sign null")


schema = pa.DataFrameSchema(
    {{
{entries}    }},
    strict={strict},
)
'''


def column(name: str, members: dict[str, Constraint], *, required: bool) -> tuple[str, list[str]]:
    """A column, and the kinds of constraints that it does not say."""
    is_date = members.get("type") == Constraint("date")
    checks = {kind: _check(kind, constraint, is_date) for kind, constraint in members.items()}
    unsaid = [kind for kind, check in checks.items() if check is None]
    return entry(name, "pa.Column", [*filter(None, checks.values())], options_of(members, required=required)), unsaid


def _check(kind: str, constraint: Constraint, is_date: bool) -> str | None:
    """A check of a column, empty where an option says it, None where none can."""
    value = constraint.value
    if kind == "type":
        return f"of_type({', '.join(map(repr, value if type(value) is list else [value]))})"
    if kind in COMPARED:
        return compared(kind, constraint, is_date=is_date)
    if kind == "sign":
        return SIGNS[value]
    if kind == "max_nulls":
        return f"at_most_missing({value!r})" if value else ""
    if kind in ("min_length", "max_length"):
        return f"pa.Check.str_length({kind.replace('length', 'value')}={value!r})"
    if kind == "allowed_values":
        return f"pa.Check.isin([{', '.join(literal(one, is_date) for one in value if one is not None)}])"
    if kind == "no_duplicates":
        return "no_duplicates()" if value else ""
    return f"matches_one_of({', '.join(map(ascii, value))})" if kind == "rex" else None
