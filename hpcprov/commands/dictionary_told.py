"""A data dictionary as the texts that a page of it shows: facts of the dataset, then tables of fields.

    told(dictionary)["tables"][0]
    ->  {"id": "fields", "title": "Fields", "columns": [("Field", "name"), ("Units", "text")], "rows": [["depth", "m"]]}

A column that is empty throughout is left out, and so is a table without rows.
"""

from __future__ import annotations

from hpcprov.quality.dictionary.cells import cell
from hpcprov.quality.dictionary.columns import COLUMNS
from hpcprov.record.wording import count, extents, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Facts = dict[str, Any]

#: A definition that says no more than the run does.
DERIVED = "derived"
#: More fields than that are only counted on a page.
MOST_FIELDS = 2000
TITLES = {column.key: column.title for column in COLUMNS}
#: id, title, the keys of its columns; rows without any of the keys behind the bar are left out.
TABLES = (
    ("fields", "Fields", ("type", "shape", "units", "long_name", "description", "tags", "short_name", "standard_name",
                          "cell_methods", "packing"), ()),
    ("values", "Values", ("min", "max", "mean", "std", "min_length", "max_length", "missing", "zeros", "positive",
                          "negative", "infinite", "distinct", "duplicates"), ("missing",)),
    ("order", "Order, and values where they are few", ("order", "step", "period", "values"),
     ("order", "step", "period", "values")),
    ("not_read", "Not read", ("type", "not_read"), ("not_read",)),
    ("made", "How fields were made", ("definition", "context"), ("definition", "context")),
    ("storage", "Storage", ("dimensions", "chunks", "shards", "codec", "fill", "signature"),
     ("dimensions", "chunks", "shards", "codec", "fill", "signature")),
)  # fmt: skip
NUMBERS = {"min", "max", "mean", "std", "missing", "zeros", "positive", "negative", "infinite", "distinct"} | {
    *("duplicates", "min_length", "max_length", "step")
}
KINDS = dict.fromkeys(NUMBERS, "number") | {"signature": "digest", "definition": "code", "shape": "shape"}
KINDS |= dict.fromkeys(("description", "values", "not_read", "context"), "words")
#: Columns that say nothing when they are zero throughout.
ONLY_IF_ANY = ("negative", "infinite", "duplicates", "min_length", "max_length")


def told(dictionary: Facts) -> Facts:
    """What a page shows."""
    dataset, fields = dictionary["dataset"], dictionary["fields"]
    return {
        "title": dataset["name"] or "Data in memory",
        "lead": ", ".join(_lead(dataset)),
        "description": dataset["description"],
        "tags": dataset["tags"],
        "facts": [(label, text, kind) for label, text, kind in _facts(dictionary) if text],
        "tables": [table for one in TABLES if (table := _table(fields[:MOST_FIELDS], *one))["rows"]],
        "more": max(0, len(fields) - MOST_FIELDS),
    }


def _lead(dataset: Facts) -> list[str]:
    found = [dataset["format"], count(dataset["fields"], "field")]
    found += [count(dataset["records"], "record")] if dataset["records"] is not None else []
    found += [extents(dataset["shape"])] if dataset["shape"] else []
    return found + ([size(dataset["size"])] if dataset["size"] is not None else [])


def _facts(dictionary: Facts) -> list[tuple[str, Any, str]]:
    """Label, text and kind of what is known of the dataset as a whole."""
    dataset, run, version = (
        dictionary["dataset"],
        dictionary["dataset"]["run"] or {},
        dictionary["annotations"]["version"],
    )
    lengths = dataset["dimensions"] or {}
    return [
        ("Path", dataset["path"], "code"),
        ("Host", dataset["host"], "text"),
        ("Signature", dataset["signature"], "digest"),
        ("Dimensions", ", ".join(f"{name} {length}" for name, length in lengths.items()), "text"),
        ("Created", dataset["created"], "text"),
        ("Modified", dataset["modified"], "text"),
        ("Run", f"{run['id']}, which {run['how']}" if run else None, "text"),
        ("Command", run.get("command"), "code"),
        ("Started", run.get("when"), "text"),
        ("User", run.get("user"), "text"),
        ("Values", dataset["statistics"], "text"),
        ("Annotations", f"version {version}" if version else None, "text"),
    ]


def _table(fields: list[Facts], name: str, title: str, keys: tuple[str, ...], needed: tuple[str, ...]) -> Facts:
    rows = [(field, [_text(field, key) for key in keys]) for field in fields]
    rows = [row for row in rows if not needed or any(row[0][key] is not None for key in needed)]
    rows = [row for row in rows if name != "made" or row[0]["defined"] != DERIVED]
    kept = [at for at, key in enumerate(keys) if any(_tells(key, texts[at]) for _, texts in rows)]
    columns = [("Field", "name"), *((TITLES[keys[at]], KINDS.get(keys[at], "text")) for at in kept)]
    body = [[field["name"] or "(the array)", *(texts[at] for at in kept)] for field, texts in rows]
    return {"id": name, "title": title, "columns": columns, "rows": body}


def _tells(key: str, text: str) -> bool:
    return bool(text) and not (key in ONLY_IF_ANY and text == "0")


def _text(field: Facts, key: str) -> str:
    value = cell(key, field[key])
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    said = field["annotated"].get(key)
    return f"{text} (the file says: {said})" if said else text
