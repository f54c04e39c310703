"""A data dictionary put together from what is known: layout, attributes, statistics, annotations. Pure.

    compose({"format": "csv", "kind": "table", "fields": [{"path": "id", "type": "i8", "shape": [10]}]})
    ->  {"format": "hpcprov-dictionary-1", "dataset": {"name": None, "records": 10, ...},
         "fields": [{"name": "id", "type": "i8", "units": None, ...}], "annotations": {"version": 0, "by": None}}

A word that a person wrote (an annotation) stands before that of the file's own attribute; `annotated` of a field or
dataset tells which are such, with what the file itself says.
"""

from __future__ import annotations

from hpcprov.quality.dictionary.cells import word
from hpcprov.quality.dictionary.columns import COUNTED, EDITABLE, KEYS, OF_DATASET, STORED, tag_list
from hpcprov.quality.dictionary.period import period

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeAlias

    from hpcprov.quality.dictionary.annotations import Annotations

    Facts: TypeAlias = dict[str, Any]

FORMAT = "hpcprov-dictionary-1"
#: What is told of the dataset as a whole, in order; `about` brings what its layout and attributes do not have.
DATASET = (
    *("name", "path", "host", "format", "signature", "description", "tags", "created", "modified", "size", "files"),
    *("kind", "records", "shape", "dimensions", "fields", "run", "statistics"),
)
#: The attributes in which files tell what a dictionary asks for, the first that is there counts (CF, ACDD).
OF_FIELD_ATTRIBUTES = {
    "units": ("units",),
    "short_name": ("short_name",),
    "long_name": ("long_name",),
    "standard_name": ("standard_name",),
    "description": ("description", "comment"),
    "tags": ("keywords", "tags"),
    "cell_methods": ("cell_methods",),
}
OF_DATASET_ATTRIBUTES = {
    "description": ("description", "summary", "title", "comment"),
    "tags": ("keywords", "tags"),
    "created": ("date_created", "creation_date"),
}


def compose(
    layout: Facts,
    *,
    attributes: Facts | None = None,
    statistics: Mapping[str, Facts] | None = None,
    annotations: Annotations | None = None,
    definitions: Mapping[str, Facts] | None = None,
    about: Facts | None = None,
) -> Facts:
    """The dictionary. `layout` as `layout.layout_of` gives it; `attributes`: {"dataset": {...}, "fields": {path:
    {...}}}; `statistics` by path; `definitions` as `quality.definitions` gives them; `about`: members of DATASET that
    are known from elsewhere."""
    attributes = attributes or {}
    own = own_values(layout, attributes)
    fields = [
        _field(field, own.get(field["path"], {}), (statistics or {}).get(field["path"]), annotations)
        | _decoded(
            (attributes.get("fields") or {}).get(field["path"]) or {}, (statistics or {}).get(field["path"]) or {}
        )
        | _defined((definitions or {}).get(field["path"].strip("/")))
        for field in layout["fields"]
    ]
    return {
        "format": FORMAT,
        "dataset": _dataset(layout, own[None], annotations, about or {}, fields),
        "fields": fields,
        "annotations": {
            "version": annotations.version if annotations else 0,
            "by": annotations.found if annotations else None,
        },
    }


def own_values(layout: Facts, attributes: Facts) -> dict[str | None, dict[str, str]]:
    """What a file's own attributes say, as text, of each field by its path, and under None of the dataset."""
    found: dict[str | None, dict[str, str]] = {None: _words(attributes.get("dataset") or {}, OF_DATASET_ATTRIBUTES)}
    of_fields = attributes.get("fields") or {}
    for field in layout["fields"]:
        found[field["path"]] = _words(of_fields.get(field["path"]) or {}, OF_FIELD_ATTRIBUTES)
    return found


def _words(attributes: Mapping[str, Any], names: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    texts = {
        key: next((text for name in some if (text := _text(attributes.get(name)))), "") for key, some in names.items()
    }
    return {key: text for key, text in texts.items() if text}


def _text(value: Any) -> str:
    """An attribute as text; numbers are words, too (`units: 1`)."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value).strip()


def _field(field: Facts, own: dict[str, str], counted: Facts | None, annotations: Annotations | None) -> Facts:
    found: Facts = dict.fromkeys(KEYS)
    found |= {
        "name": field["path"],
        "type": field["type"],
        "shape": field["shape"],
        "signature": field.get("signature"),
    }
    found |= {key: field.get(key) for key in STORED}
    found |= {key: (counted or {}).get(key) for key in COUNTED}
    found["not_read"] = field.get("not_read")
    found["count"] = (counted or {}).get("count")
    found["uncounted"] = (counted or {}).get("uncounted")
    return found | _written(own, annotations.fields.get(field["path"], {}) if annotations else {}, EDITABLE)


def _decoded(attributes: Mapping[str, Any], counted: Facts) -> Facts:
    """What the stored numbers stand for, as CF's attributes say."""
    packed = packing(attributes)
    moments = None if packed else period(attributes, counted.get("min"), counted.get("max"))
    return {"packing": packed, "period": moments}


def packing(attributes: Mapping[str, Any]) -> str | None:
    """What CF's `scale_factor` and `add_offset` say: `stored x 0.01 + 273.15`; None where they change nothing."""
    found = (attributes.get(name) for name in ("scale_factor", "add_offset"))
    scale, offset = (value if type(value) in (int, float) else None for value in found)
    by = f" x {word(scale)}" if scale not in (None, 1) else ""
    more = f" {'-' if offset < 0 else '+'} {word(abs(offset))}" if offset else ""
    return f"stored{by}{more}" if by or more else None


def _defined(definition: Facts | None) -> Facts:
    """How a field was made, and who says so: `told` by its program, an `attribute`, or `derived` from its run."""
    if definition is None:
        return {"defined": None}
    about = {"definition": definition["expression"], "context": definition["context"]}
    return about | {"defined": definition["how"]}


def _written(own: dict[str, str], cells: Mapping[str, Any], keys: tuple[str, ...]) -> Facts:
    """Words of the file and words of people, and which are which."""
    said = {key: cell.value for key, cell in cells.items() if key in keys}
    words = own | said
    annotated = {key: own.get(key) for key, text in said.items() if text != own.get(key, "")}
    found: Facts = {key: words[key] for key in words if words[key]}
    found |= {key: None for key in keys if not words.get(key)}
    found["tags"] = tag_list(words.get("tags", ""))
    return found | {"annotated": annotated}


def _dataset(
    layout: Facts, own: dict[str, str], annotations: Annotations | None, about: Facts, fields: list[Facts]
) -> Facts:
    found: Facts = dict.fromkeys(DATASET)
    found |= {"format": layout["format"], "kind": layout["kind"], "signature": layout.get("signature")}
    found |= {"fields": len(fields)} | _extent(layout["kind"], fields)
    found |= {key: value for key, value in about.items() if key in DATASET}
    return found | _written(own, annotations.dataset if annotations else {}, OF_DATASET)


def _extent(kind: str, fields: list[Facts]) -> Facts:
    """How many records a table has; of arrays the shape that all share, and the lengths of named dimensions."""
    if kind == "table":
        return {"records": fields[0]["shape"][0] if fields and fields[0]["shape"] else 0}
    lengths: dict[str, int] = {}
    for field in fields:
        names, shape = field["dimensions"], field["shape"]
        if names and shape and len(names) == len(shape):
            lengths |= {name: length for name, length in zip(names, shape, strict=True) if name}
    shapes = {tuple(field["shape"]) for field in fields if field["shape"] is not None}
    return {"shape": list(shapes.pop()) if len(shapes) == 1 else None, "dimensions": lengths or None}
