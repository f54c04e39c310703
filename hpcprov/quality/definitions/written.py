"""Definitions that a person wrote afterwards (`hpcprov define`): annotations of a field, beside the data.

definition    the expression                    context   as it is shown
inputs        JSON: {"inputs": [...], "language": ..., as in the attribute `hpcprov_context`}

words(definition)   ->  {"definition": "h * 2", "context": "[in flood.h5 @ ...]", "inputs": "{...}"}
"""

from __future__ import annotations

from hpcprov.quality.definitions import attributes
from hpcprov.record.definition import CONTEXT, EXPRESSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.quality.dictionary.annotations import Annotations

    Definition = dict[str, Any]

KEYS = ("definition", "context", "inputs")


def words(definition: Definition) -> dict[str, str]:
    """What is written of a field, by key; an empty word takes an earlier one away."""
    embedded = attributes.attributes(definition)
    return {
        "definition": embedded[EXPRESSION],
        "context": definition.get("context") or "",
        "inputs": embedded[CONTEXT],
    }


def definitions(annotations: Annotations) -> dict[str, Definition]:
    """Of each field that somebody defined, by its path."""
    found = {}
    for path, cells in annotations.fields.items():
        if "definition" not in cells:
            continue
        own = {EXPRESSION: cells["definition"].value}
        own |= {CONTEXT: cells["inputs"].value} if "inputs" in cells else {}
        one = attributes.definition(own)
        if one is not None:
            said = {"by": None, "name": cells["definition"].by, "when": cells["definition"].changed, "how": "written"}
            context = {"context": cells["context"].value} if "context" in cells and "inputs" not in cells else {}
            found[path.strip("/")] = one | said | context
    return found
