"""Constraints as a Python script that makes a Pandera schema: of pandas tables, and of xarray datasets for arrays.

    text, left_out = script(read("iris.json"), "iris.json")
    # python -c 'import pandas, iris_schema; iris_schema.schema.validate(pandas.read_csv("iris.csv"), lazy=True)'

Every name and value stands in it as a literal. What Pandera has no word for is a check of a line; what it cannot tell
is named in `left_out`.
"""

from __future__ import annotations

from hpcprov.quality.constraints.file import FORMAT, Constraints
from hpcprov.quality.constraints.pandera_arrays import ARRAYS, is_coordinate, variable
from hpcprov.quality.constraints.pandera_table import TABLE, column


def script(constraints: Constraints, source: str) -> tuple[str, list[str]]:
    """The script, and a line for each constraint that it leaves out."""
    arrays = is_of_arrays(constraints)
    template, entry = (ARRAYS, variable) if arrays else (TABLE, column)
    required, left_out = set(constraints.missing_of([])), _not_said(constraints)
    entries: list[str] = []
    coordinates: list[str] = []
    for name, members in constraints.fields.items():
        text, unsaid = entry(name, members, required=name in required)
        (coordinates if arrays and is_coordinate(members) else entries).append(text)
        left_out += [f"{name!a}: {kind}" for kind in unsaid]
    strict = constraints.allowed is not None and not constraints.allowed
    parts = {"entries": "".join(entries), "coordinates": "".join(coordinates)}
    return template.format(source=ascii(source), strict=strict, **parts), left_out


def _not_said(constraints: Constraints) -> list[str]:
    """What is about the dataset and has no place in a schema."""
    left_out = [
        f"required field {name!a}, which has no constraints"
        for name in constraints.missing_of(list(constraints.fields))
    ]
    if constraints.allowed:
        left_out.append(f"allowed_fields {constraints.allowed!a}: any others may be there, too")
    return left_out


def is_of_arrays(constraints: Constraints) -> bool:
    """Whether the file is about arrays: it was made from such, or speaks of shapes."""
    made = constraints.raw.get("dataset")
    marked = type(made) is dict and made.get("format") == FORMAT
    return marked or any("shape" in members for members in constraints.fields.values())
