"""Definitions in the attributes of the fields themselves, so that they travel with the file:

    hpcprov_definition   the expression, text
    hpcprov_context      JSON: {"inputs": [{"path", "field", "signature", "dataset"}], "language", "context", "by",
                         "name", "when"}; what is not known is left out

    definitions({"depth": {"hpcprov_definition": "h * (h > 0.01)", "hpcprov_context": "{...}"}})["depth"]["by"]
    ->  "20261121T..."

A file's attributes are anybody's words: what has another form than this counts as not said.
"""

from __future__ import annotations

import json

from hpcprov.quality.definitions.context import rendered
from hpcprov.record import moment
from hpcprov.record.definition import CONTEXT, EXPRESSION, LANGUAGES, LONGEST, LONGEST_PATH, MOST_INPUTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Definition = dict[str, Any]

LARGEST = 64 << 10  # characters of one attribute
ABOUT = ("by", "name", "step", "when")
INPUT = ("path", "field", "signature", "dataset")


def attributes(definition: Definition) -> dict[str, str]:
    """The attributes that say so; of many inputs as many as there is room for."""
    told = {key: definition[key] for key in ABOUT if definition.get(key)} | {"language": definition["language"]}
    told |= {"context": definition["context"]} if definition.get("context") else {}
    inputs = [{key: one[key] for key in INPUT if one.get(key)} for one in definition["inputs"]]
    while len(text := json.dumps(told | {"inputs": inputs}, ensure_ascii=True)) > LARGEST:
        inputs = inputs[: len(inputs) // 2]
    return {EXPRESSION: definition["expression"], CONTEXT: text}


def definitions(fields: Mapping[str, Mapping[str, Any]]) -> dict[str, Definition]:
    """The definitions of the fields that have one. `fields`: the attributes of each, by its path."""
    found = {name.strip("/"): definition(its) for name, its in fields.items()}
    return {name: one for name, one in found.items() if one is not None}


def definition(its: Mapping[str, Any]) -> Definition | None:
    """What the attributes of one field say."""
    expression = its.get(EXPRESSION)
    if type(expression) is not str or not 0 < len(expression) <= LONGEST:
        return None
    told = parsed(its.get(CONTEXT))
    said = its[CONTEXT] if not told and text(its.get(CONTEXT), LONGEST) else None  # words that a person wrote there
    inputs = [one for one in map(checked, told.get("inputs") or ()) if one is not None][:MOST_INPUTS]
    language = told.get("language")
    context = told.get("context")
    about = {key: told[key] if text(told.get(key), LONGEST) else None for key in ABOUT}
    about |= {"when": about["when"] if is_moment(about["when"]) else None}
    return {
        "expression": expression,
        "language": language if language in LANGUAGES else "text",
        "inputs": inputs,
        "context": context if text(context, 2 * LONGEST) else said or rendered(expression, None, inputs),
        **about,
        "how": "attribute",
    }


def parsed(value: Any) -> dict[str, Any]:
    """A JSON object with a list of inputs, if any; {} for anything else."""
    if type(value) is not str or len(value) > LARGEST:
        return {}
    try:
        told = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return told if type(told) is dict and type(told.get("inputs", [])) is list else {}


def checked(one: Any) -> dict[str, Any] | None:
    """An input that names a path or a field."""
    if type(one) is not dict:
        return None
    kept = {key: one[key] if text(one.get(key), LONGEST_PATH) else None for key in INPUT}
    kept |= {"path": kept["path"] or "", "field": kept["field"] or ""}
    return kept if kept["path"] or kept["field"] else None


def is_moment(value: Any) -> bool:
    """ISO 8601 UTC text of this era, as `record.moment` reads it."""
    try:
        return value is not None and 0 <= moment.ns(value) < 1 << 62
    except (ValueError, OverflowError):
        return False


def text(value: Any, longest: int) -> bool:
    return type(value) is str and 0 < len(value) <= longest
