"""The forms of a dictionary that programs read, and that can be taken back: JSON, CSV, XLSX.

FORMS["csv"](dictionary)  ->  "name,type,shape,...\\n..."
"""

from __future__ import annotations

import json

from hpcprov.quality.dictionary import sheet_csv, sheet_xlsx
from hpcprov.quality.dictionary.cells import dataset_mark, editable
from hpcprov.quality.dictionary.mark import mark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def as_json(dictionary: dict[str, Any]) -> str:
    """JSON, each part with the mark that tells later what was changed in it."""
    dataset = dictionary["dataset"] | {"as_exported": dataset_mark(dictionary["dataset"])}
    fields = [field | {"as_exported": mark(field["name"], editable(field))} for field in dictionary["fields"]]
    return json.dumps(dictionary | {"dataset": dataset, "fields": fields}, indent=1) + "\n"


FORMS: dict[str, Callable[[dict[str, Any]], str | bytes]] = {
    "json": as_json,
    "csv": sheet_csv.write,
    "xlsx": sheet_xlsx.write,
}
