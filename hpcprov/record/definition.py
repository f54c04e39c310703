"""How a field was made, as a Python program tells it, checked at the border: the entries of `definition` events
(docs/frames.md, "Definitions"). Any process of the run may have written them.

    definition({"path": "/data/out.h5", "field": "depth", "expression": "h * (h > 0.01)", "language": 3})
    ->  {"path": "/data/out.h5", "field": "depth", "expression": "h * (h > 0.01)"}
"""

from __future__ import annotations

from hpcprov.record.observed import checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Checks = dict[str, Callable[[Any], bool]]

#: The attributes of a field that hold its definition, where it is written into the data.
EXPRESSION, CONTEXT = "hpcprov_definition", "hpcprov_context"
LONGEST = 4096  # characters of an expression, and of a context
LONGEST_PATH = 1 << 14
LONGEST_FIELD = 4096
MOST_INPUTS = 256
#: What an expression is written in; `text`: words for people.
LANGUAGES = ("python", "sql", "snakemake", "command", "text")


def is_expression(value: Any) -> bool:
    return type(value) is str and 0 < len(value) <= LONGEST


def is_path(value: Any) -> bool:
    return type(value) is str and 0 < len(value) <= LONGEST_PATH


def is_field(value: Any) -> bool:
    return type(value) is str and len(value) <= LONGEST_FIELD


def is_language(value: Any) -> bool:
    return value in LANGUAGES


def is_inputs(value: Any) -> bool:
    return type(value) is list and len(value) <= MOST_INPUTS and all(map(is_input, value))


def is_input(value: Any) -> bool:
    """`{"path", "field"}`; an empty path: a field of the same dataset, an empty field: the dataset as a whole."""
    return (
        type(value) is dict
        and value.keys() == {"path", "field"}
        and is_field(value["field"])
        and (is_path(value["path"]) or (value["path"] == "" and value["field"] != ""))
    )


DEFINITION: Checks = (
    dict.fromkeys(("path", "real"), is_path)
    | dict.fromkeys(("expression", "context"), is_expression)
    | {"field": is_field, "step": is_field, "language": is_language, "inputs": is_inputs}
)


def definition(entry: Any) -> dict[str, Any] | None:
    """An entry of a `definition` event; None for one without a path or an expression."""
    kept = checked(entry, DEFINITION, "path")
    return kept if kept is not None and "expression" in kept else None
