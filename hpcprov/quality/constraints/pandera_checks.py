"""Constraints that Pandera checks alike in tables and arrays, as the text of its calls.

compared("min", Constraint(0.5), is_date=False)  ->  "pa.Check.ge(0.5)"
"""

from __future__ import annotations

import math
from typing import Any

from hpcprov.quality.constraints.file import Constraint
from hpcprov.quality.constraints.kinds import INFINITE

COMPARED = {"min": ("ge", "gt"), "max": ("le", "lt")}
SIGNS = {
    "positive": "pa.Check.gt(0)", "non-negative": "pa.Check.ge(0)", "zero": "pa.Check.eq(0)",
    "non-positive": "pa.Check.le(0)", "negative": "pa.Check.lt(0)", "null": "no_values()",
}  # fmt: skip
ENTRY = """        {name}: {kind}(
            checks=[
{checks}            ],
            {options},
        ),
"""


def entry(name: str, kind: str, checks: list[str], options: list[str]) -> str:
    """A column or variable with its checks."""
    listed = "".join(f"                {check},\n" for check in checks)
    return ENTRY.format(name=ascii(name), kind=kind, checks=listed, options=", ".join(options))


def options_of(members: dict[str, Constraint], *, required: bool) -> list[str]:
    return [f"nullable={members.get('max_nulls') != Constraint(0)}", f"required={required}"]


def compared(kind: str, constraint: Constraint, *, is_date: bool) -> str:
    """min or max."""
    closed, opened = COMPARED[kind]
    return f"pa.Check.{opened if constraint.precision == 'open' else closed}({literal(constraint.value, is_date)})"


def literal(value: Any, is_date: bool = False) -> str:
    """A value of the file in Python."""
    number = INFINITE.get(value) if type(value) is str else value
    if type(number) is float and math.isinf(number):
        return f"float('{number}')"
    return f"pd.Timestamp({value!a})" if is_date and type(value) is str else ascii(value)
