"""Why an artifact has no fields, and what to do where somebody expects some.

why("new.csv", "file")  ->  "it has a header and no rows: ..."

CSV tells no types: those of a table's columns are inferred from its rows, so that one without rows is no table.
"""

from __future__ import annotations

import os

from hpcprov.data.csv_rule import is_header_only, sample_of

NO_FIELDS = {"file": "a plain file: it has no fields", "directory": "a plain directory: it has no fields"}
EMPTY = "it is empty: it has no fields"
NO_ROWS = (
    "it has a header and no rows: nothing tells the types of its columns, so it is no table by the CSV rule; Parquet "
    "and Arrow keep the types of a table without rows"
)
NO_TABLE = (
    "it is no table by the CSV rule: that takes a header of two or more names, and rows with as many cells "
    "(docs/signature.md)"
)
#: Names that promise delimited text.
TEXTS = (".csv", ".tsv", ".psv")


def why(path: str, form: str) -> str:
    """The reason, for a file or a directory of a format without fields. Raises OSError."""
    if form != "file":
        return NO_FIELDS[form]
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        size = os.fstat(fd).st_size
        if not size:
            return EMPTY
        if not path.lower().endswith(TEXTS):
            return NO_FIELDS[form]
        sample, whole = sample_of(fd, size)
        return NO_ROWS if whole and is_header_only(sample) else NO_TABLE
    finally:
        os.close(fd)
