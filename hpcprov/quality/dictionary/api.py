"""`hpcprov.dictionary(thing)`: what is in a file, or in an object that a program holds open.

    found = hpcprov.dictionary("flood.nc")
    found["depth"]["units"], found["depth"]["max"]      ->  "m", 5.956
    found.dataset["signature"]                          ->  "hpcprov1:..."
    found                                               # shows itself in a notebook; print(found): on a terminal

Everything is read in this process; `hpcprov dictionary` reads in a child, and knows runs and annotations, too.
"""

from __future__ import annotations

import os
import time
from html import escape
from typing import Any

from hpcprov.data.attributes import Attributes, Storage, attributes_of, read_attributes, storage_of
from hpcprov.data.interface import Dataset
from hpcprov.data.no_fields import NO_FIELDS, why
from hpcprov.data.open import open_data, readable
from hpcprov.data.opened import opened
from hpcprov.data.types import Unsigned
from hpcprov.quality.definitions import definitions_of, written
from hpcprov.quality.dictionary import forms, sheet_csv
from hpcprov.quality.dictionary.annotations import Annotations, load
from hpcprov.quality.dictionary.cells import cell
from hpcprov.quality.dictionary.columns import COLUMNS
from hpcprov.quality.dictionary.compose import compose
from hpcprov.quality.dictionary.layout import as_plain, layout_of
from hpcprov.quality.statistics.reading import counter_for
from hpcprov.record import layout as places
from hpcprov.record.text import printable
from hpcprov.signature import tree
from hpcprov.signature.artifact import check_declared
from hpcprov.signature.cpus import thread_count
from hpcprov.signature.snapshot import look
from hpcprov.signature.threads import sign_field

#: Fields that a notebook shows.
MOST_SHOWN = 200
#: Characters of a cell that is printed.
WIDEST = 40
SHOWN = ("name", "type", "shape", "units", "min", "max", "missing", "distinct", "long_name", "description")


class Dictionary:
    """A data dictionary: `document` is what `hpcprov dictionary --json` prints."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    @property
    def dataset(self) -> dict[str, Any]:
        """What is known of the dataset as a whole."""
        found: dict[str, Any] = self.document["dataset"]
        return found

    @property
    def fields(self) -> list[dict[str, Any]]:
        """One dict for each field, with the keys of `columns.COLUMNS`."""
        found: list[dict[str, Any]] = self.document["fields"]
        return found

    def __getitem__(self, name: str) -> dict[str, Any]:
        """The field of this name. Raises KeyError."""
        for field in self.fields:
            if field["name"] == name:
                return field
        raise KeyError(name)

    def __len__(self) -> int:
        return len(self.fields)

    def __repr__(self) -> str:
        return f"<Dictionary of {self.dataset['name'] or 'data in memory'}: {len(self)} fields>"

    def to_json(self) -> str:
        """As `hpcprov dictionary --json` prints it; `hpcprov annotate --from` takes it back."""
        return forms.as_json(self.document)

    def to_csv(self) -> str:
        return sheet_csv.write(self.document)

    def __str__(self) -> str:
        """The most telling columns, to be printed."""
        rows = [[text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…" for text in row] for row in self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
        ]
        more = len(self) - MOST_SHOWN
        return "\n".join([*lines, f"… and {more:,} more fields"] if more > 0 else lines)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """For IPython on a terminal."""
        printer.text(f"{self!r}\n{self}")

    def _repr_html_(self) -> str:
        """A table for a notebook."""
        titles, *rows = self._rows()
        head = "".join(f"<th>{title}</th>" for title in titles)
        body = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in rows)
        more = len(self) - MOST_SHOWN
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return table + (f"<p>… and {more:,} more fields</p>" if more > 0 else "")

    def _rows(self) -> list[list[str]]:
        """Titles, then a row for each field; columns in which nothing stands are left out."""
        titles = {column.key: column.title for column in COLUMNS}
        keys = [key for key in SHOWN if any(field[key] not in (None, "") for field in self.fields)]
        rows = [[_shown(key, field[key]) for key in keys] for field in self.fields[:MOST_SHOWN]]
        return [[titles[key] for key in keys], *rows]


def _shown(key: str, value: Any) -> str:
    found = cell(key, value)
    text = "" if found is None else f"{found:.6g}" if isinstance(found, float) else str(found)
    return printable(text[:1000])


def dictionary(thing: Any, *, stats: bool = True, threads: int | None = None) -> Dictionary:
    """The dictionary of `thing`: the path of a file or store, or an open object of numpy, h5py, zarr, xarray, pandas,
    polars or pyarrow. Without `stats` no values are read. Raises UnreadableData, Unsigned, MissingReader, TypeError."""
    if not isinstance(thing, str | os.PathLike):
        data, attributes = opened(thing), attributes_of(thing)
        return _dictionary(
            data, layout_of(data, _axes(thing)), attributes, Read(data, attributes, threads) if stats else None
        )
    path = os.path.abspath(os.fspath(thing))
    with readable(path):
        seen, attributes = look(path), read_attributes(path)
        about = {"name": os.path.basename(path), "path": path, "size": seen.size, "files": seen.files}
        with open_data(path, partial=True) as data:
            if data.format in NO_FIELDS:
                raise Unsigned(why(path, data.format))
            if stats:
                check_declared(data, seen.size)
            read = Read(data, attributes, threads) if stats else None
            return _dictionary(data, layout_of(data, storage_of(path)), attributes, read, about)


def _axes(thing: Any) -> dict[str, Storage]:
    """The names of the axes of what xarray holds."""
    if type(thing).__module__.partition(".")[0] != "xarray":
        return {}
    if hasattr(thing, "data_vars"):
        return {str(name): Storage(dimensions=[*map(str, one.dims)]) for name, one in thing.variables.items()}
    return {"": Storage(dimensions=[*map(str, thing.dims)])}


class Read:
    """The values of a dataset read once: the `signature` of it, where all of it can be read, and of each field by its
    path, with statistics."""

    def __init__(self, data: Dataset, attributes: Attributes, threads: int | None) -> None:
        count = thread_count(threads)
        signed = [sign_field(one, threads=count, counter=counter_for(one, attributes)) for one in data.fields]
        names = [field.name for field in data.fields]
        self.source = f"counted {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}"
        root = None if data.unread else tree.dataset_root(data.kind, [(one.path, one.root) for one in signed])
        self.signature = None if root is None else tree.text(root)
        self.signatures = {name: tree.text(one.root) for name, one in zip(names, signed, strict=True)}
        self.statistics = {name: one.statistics or {} for name, one in zip(names, signed, strict=True)}


def _dictionary(
    data: Dataset,
    layout: dict[str, Any],
    attributes: Attributes,
    read: Read | None,
    about: dict[str, Any] | None = None,
) -> Dictionary:
    facts = as_plain(attributes)
    path = (about or {}).get("path", "")
    known = {"host": os.uname().nodename, "statistics": read.source if read is not None else None}
    if read is not None:
        fields = [one | {"signature": read.signatures.get(one["path"])} for one in layout["fields"]]
        layout = layout | {"fields": fields, "signature": read.signature}
    notes = _annotations(path, layout.get("signature"))
    told = definitions_of(path, None, facts["fields"]) | (written.definitions(notes) if notes is not None else {})
    return Dictionary(
        compose(
            layout,
            attributes=facts,
            statistics=read.statistics if read is not None else None,
            annotations=notes,
            definitions=told,
            about=known | (about or {}),
        )
    )


def _annotations(path: str, signature: str | None) -> Annotations | None:
    """What people wrote of a file, in the nearest store above it."""
    stores = places.stores_above(os.environ, os.path.dirname(os.path.realpath(path))) if path else iter(())
    return next((found for store in stores if (found := load(store, path, signature)).version), None)
