"""What a record is: its words, its names on disk, its frames and its schema. Pure, standard library only."""

from __future__ import annotations

import os


def schema_path() -> str:
    """The JSON Schema (draft 2020-12) of version 1 records."""
    return os.path.join(os.path.dirname(__file__), "schema", "record-v1.json")
