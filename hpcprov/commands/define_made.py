"""Definitions from words or from a SQL query, kept beside the data.

made = from_sql(args, "select id, count(*) as n from trans group by id", reading, bar)
keep(made, reading, bar, embeds=False).version  ->  1
"""

from __future__ import annotations

import os
import time

from hpcprov.commands.annotate import SIGNED_AT_ONCE, field_of
from hpcprov.commands.annotate_kept import PAUSE, TRIES, home_of, user
from hpcprov.commands.dictionary_made import Seen, look
from hpcprov.data.origin import split
from hpcprov.quality.definitions import attributes, written
from hpcprov.quality.definitions.context import rendered
from hpcprov.quality.dictionary.annotations import Annotations, Cell, Taken, load, save
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from hpcprov.commands.bar import Bar
    from hpcprov.quality.isolated import Comparing

    Definition = dict[str, Any]

MOST_TOLD = 8


class Made:
    """Definitions of the fields of one dataset, by path, and what is to be said about them."""

    def __init__(self, seen: Seen, definitions: dict[str, Definition], notes: list[str]) -> None:
        self.seen, self.definitions, self.notes = seen, definitions, notes


class Written:
    """What was written, as `fields_page` shows it, and where."""

    def __init__(self, made: Made, version: int, store: str, *, embedded: bool) -> None:
        self.path, self.notes = made.seen.path, made.notes
        self.version, self.store, self.embedded = version, store, embedded
        facts = {one["path"]: one for one in made.seen.layout["fields"]}
        self.nodes = [
            {"path": self.path, "field": name.strip("/"), "type": facts[name]["type"], "shape": facts[name]["shape"]}
            | {"definition": one, "raw": None, "inputs": []}
            for name, one in made.definitions.items()
        ]


class Inputs:
    """The data that definitions name: each looked at once, and signed where that does not take long."""

    def __init__(self, reading: Comparing, bar: Bar) -> None:
        self.reading, self.bar = reading, bar
        self.known: dict[str, Seen] = {}
        self.signatures: dict[str, dict[str, str]] = {}

    def seen(self, path: str) -> Seen:
        """Raises HpcprovError."""
        if path not in self.known:
            seen = look(path, self.reading)
            if seen.signature is None and (seen.glance["size"] or 0) <= SIGNED_AT_ONCE:
                seen.read(self.reading, self.bar, counting=False)
            self.known[path] = seen
            self.signatures[path] = {one["path"]: one["signature"] for one in (seen.signed or {}).get("fields", ())}
        return self.known[path]

    def input(self, path: str, field: str) -> dict[str, Any]:
        """An input with its signatures, as far as they are known; a field that is not there is an error."""
        seen = self.seen(path)
        fields = self.signatures[path]
        name = field if field in fields else field_of(field, seen) if field else None
        signature = seen.signature if name is None else fields.get(name)
        return {"path": path, "field": (name or "").strip("/"), "signature": signature, "dataset": seen.signature}


def from_words(args: argparse.Namespace, reading: Comparing, bar: Bar) -> Made:
    """One field's, as the options say. Raises HpcprovError."""
    inputs = Inputs(reading, bar)
    seen = inputs.seen(os.path.abspath(args.path))
    name: str = field_of(args.field, seen) or ""
    own = {one["path"].strip("/") for one in seen.layout["fields"]}
    places = [(seen.path, text) if text.strip("/") in own else split(os.path.abspath(text)) for text in args.input]
    found = [inputs.input(*place) for place in places]
    definition = said(args.expression, "text", found, args.context, seen.path)
    return Made(seen, {name: definition}, [])


def from_sql(args: argparse.Namespace, query: str, reading: Comparing, bar: Bar) -> Made:
    """Those of all columns of a query's result. Raises HpcprovError."""
    inputs = Inputs(reading, bar)
    given = {name: os.path.abspath(path) for name, _, path in (text.partition("=") for text in args.input)}
    for name in reading.sql_tables(query, args.dialect):
        if name.casefold() not in {one.casefold() for one in given} and os.path.exists(name):
            given[name] = os.path.abspath(name)
    tables = {name: [one["path"] for one in inputs.seen(path).layout["fields"]] for name, path in given.items()}
    try:
        columns = reading.sql_columns(query, tables, args.dialect)
    except HpcprovError as error:
        hint = "--input NAME=PATH says which file a table is" if "reads from" in error.message else error.hint
        raise HpcprovError(error.message, hint=hint) from error
    seen = inputs.seen(os.path.abspath(args.output))
    own = {one["path"].casefold(): one["path"] for one in seen.layout["fields"]}
    definitions = {}
    for column in columns:
        if (there := own.get(column["name"].casefold())) is not None:
            found = [inputs.input(given[table], field) for table, field in column["inputs"]]
            definitions[there] = said(column["expression"], "sql", found, column["context"], seen.path)
    if not definitions:
        gives = ", ".join(column["name"] for column in columns[:MOST_TOLD])
        hint = f"the query gives {gives}; {args.output} has {', '.join(list(own.values())[:MOST_TOLD])}"
        raise HpcprovError(f"no column of the query is in {args.output!a}", hint=hint)
    return Made(seen, definitions, notes(args.output, columns, own, definitions))


def notes(
    output: str, columns: list[dict[str, Any]], own: dict[str, str], definitions: dict[str, Definition]
) -> list[str]:
    """Which columns the query and its result do not have in common."""
    more = [column["name"] for column in columns if column["name"].casefold() not in own]
    left = [name for name in own.values() if name not in definitions]
    found = [f"the query also gives {listed(more)}, which {output} does not have"] if more else []
    return found + ([f"the query does not give {listed(left)}, which {output} has"] if left else [])


def listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_TOLD} more" if len(names) > MOST_TOLD else ""
    return ", ".join(names[:MOST_TOLD]) + more


def said(expression: str, language: str, inputs: list[dict[str, Any]], context: str | None, own: str) -> Definition:
    """A definition that is written now, by who is logged in."""
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    told = rendered(expression, context, inputs, own={own})
    who = {"by": None, "name": user(), "step": None, "when": when, "how": "written"}
    return {"expression": expression, "language": language, "inputs": inputs, "context": told} | who


def keep(made: Made, reading: Comparing, bar: Bar, *, embeds: bool) -> Written:
    """Write a new version of the annotations, and into the file where that is wanted. Raises HpcprovError, OSError."""
    store = home_of(made.seen)
    for _ in range(TRIES):
        annotations = with_definitions(load(store, made.seen.path, made.seen.signature), made.definitions)
        try:
            version = save(store, made.seen.path, made.seen.signature, annotations).version
            break
        except Taken:
            time.sleep(PAUSE)
    else:
        raise HpcprovError("others write annotations of the same data all the time", hint="try again")
    if embeds:
        embed(made, reading, bar)
    return Written(made, version, store.root, embedded=embeds)


def with_definitions(annotations: Annotations, definitions: dict[str, Definition]) -> Annotations:
    """What is kept already, with the words of definitions in place of earlier ones."""
    for name, definition in definitions.items():
        for key, word in written.words(definition).items():
            annotations.put(name, key, Cell(word, definition["when"], definition["name"]) if word else None)
    return annotations


def embed(made: Made, reading: Comparing, bar: Bar) -> None:
    """Set the attributes. Raises HpcprovError with the reason for which nothing was written there."""
    seen = made.seen
    if seen.signature is None:
        seen.read(reading, bar, counting=False)
    assert seen.signature is not None
    fields = {name: attributes.attributes(definition) for name, definition in made.definitions.items()}
    try:
        reading.embed(seen.path, {}, fields, signature=seen.signature)
    except HpcprovError as error:
        hint = "the definitions are kept beside the data all the same; without --embed nothing is said of this"
        raise HpcprovError(f"{seen.path!a} was left as it is: {error.message}", hint=error.hint or hint) from error
