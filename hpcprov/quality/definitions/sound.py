"""Whether what the reading child says of a SQL query has the form that it should have. Standard library only.

is_columns([{"name": "n", "expression": "count(*)", "context": "by id", "inputs": [["trans", ""]]}])  ->  True
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def is_names(found: Any) -> bool:
    """As `sql.tables_of` gives them."""
    return type(found) is list and all(type(name) is str for name in found)


def is_columns(found: Any) -> bool:
    """As `sql.columns` gives them."""
    return type(found) is list and all(map(_is_column, found))


def _is_column(one: Any) -> bool:
    return (
        type(one) is dict
        and type(one.get("name")) is str
        and type(one.get("expression")) is str
        and type(one.get("context")) in (str, type(None))
        and type(one.get("inputs")) is list
        and all(is_names(pair) and len(pair) == 2 for pair in one["inputs"])
    )
