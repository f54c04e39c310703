"""What a data dictionary tells of each field: one column each, in the order of every form that it is written in.

[column.key for column in COLUMNS if column.editable]
->  ["units", "short_name", "long_name", "standard_name", "description", "tags"]
"""

from __future__ import annotations

from typing import NamedTuple


class Column(NamedTuple):
    """`key` in JSON, `title` for people, a `note` on what it means; `editable`: people may write it, in a sheet or by
    `hpcprov annotate`; everything else is read from the data."""

    key: str
    title: str
    note: str
    editable: bool = False


COLUMNS = (
    Column("name", "Name", "path of the field in its dataset"),
    Column("type", "Type", "type of one element"),
    Column("shape", "Shape", "extents; of a table the number of rows"),
    Column("dimensions", "Dimensions", "names of the axes"),
    Column("units", "Units", "units of measurement, as UDUNITS spells them", editable=True),
    Column("short_name", "Short name", "a name for plots and tables", editable=True),
    Column("long_name", "Long name", "what it is, in a few words", editable=True),
    Column("standard_name", "Standard name", "the name in the CF standard name table", editable=True),
    Column("description", "Description", "what one must know to use it", editable=True),
    Column("tags", "Tags", "words to find it by, with commas between them", editable=True),
    Column("cell_methods", "Cell methods", "how values stand for their cells, as CF says"),
    Column("packing", "Packing", "how values follow from the stored numbers, which all figures are of"),
    Column("period", "Period", "first and last moment of a time axis"),
    Column("min", "Min", "least value that is not missing"),
    Column("max", "Max", "greatest value that is not missing"),
    Column("mean", "Mean", "mean of the finite values"),
    Column("std", "Std", "population standard deviation of the finite values"),
    Column("min_length", "Min length", "length of the shortest text"),
    Column("max_length", "Max length", "length of the longest text"),
    Column("missing", "Missing", "NaN, null, or the value that the file declares as missing"),
    Column("zeros", "Zeros", "zeros; of text, empty ones; of bool, false"),
    Column("positive", "Positive", "values above zero; of bool, true"),
    Column("negative", "Negative", "values below zero"),
    Column("infinite", "Infinite", "infinite values"),
    Column("distinct", "Distinct", "different values that are not missing"),
    Column("duplicates", "Duplicates", "values that are not the first of their kind"),
    Column("order", "Order", "whether the values rise or fall, of one axis"),
    Column("step", "Step", "the distance from each value to the next, when it is always the same"),
    Column("values", "Values", "all different values, when they are few, and how often each occurs"),
    Column("not_read", "Not read", "why its values were not read"),
    Column("definition", "Definition", "the expression by which it was made"),
    Column("context", "Context", "the data that it was made from"),
    Column("chunks", "Chunks", "extents of a chunk in storage"),
    Column("shards", "Shards", "extents of a shard in storage"),
    Column("codec", "Codec", "compression and filters"),
    Column("fill", "Fill", "the value of what was never written"),
    Column("signature", "Signature", "digest of the values, in whatever file"),
)
KEYS = tuple(column.key for column in COLUMNS)
EDITABLE = tuple(column.key for column in COLUMNS if column.editable)
#: What people may write of a dataset as a whole.
OF_DATASET = ("description", "tags")
#: What a field's statistics give (docs/statistics.md); the rest of them stays where it is.
COUNTED = (
    *("min", "max", "mean", "std", "min_length", "max_length", "missing", "zeros", "positive", "negative", "infinite"),
    *("distinct", "duplicates", "order", "step", "values"),
)
STORED = ("dimensions", "chunks", "shards", "codec", "fill")


def tag_list(text: str) -> list[str]:
    """The words of `tags`, each once."""
    return list(dict.fromkeys(word for word in (part.strip() for part in text.split(",")) if word))
