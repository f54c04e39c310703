"""Write down how a field was made, or have a SQL query tell of all columns.

A program says it best itself: hpcprov.define("out.h5/depth", "h * 2", inputs=["flood.h5/h"]). This is for data that is
there already. Definitions are kept in the store beside the data, as `hpcprov annotate` keeps what people write, and
with --embed in the file's own attributes, too; values and signatures are never touched. `hpcprov fields` shows them.

With --sql a query that made a table is read, in the dialect of its system: of each column of --output it tells the
expression, down to the columns of the tables that the query reads, and the context: groups, filters, joins. A table of
the query is the --input of that name, or the file that it names: FROM 'trans.parquet'.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.commands.define_made import Written

EXAMPLE = """hpcprov define out.h5 depth 'h * (h > 0.01)' --input flood.h5/h
         hpcprov define --sql by_id.sql --dialect duckdb --input trans=trans.parquet --output by_id.parquet"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov define`."""
    parser.add_argument("path", metavar="PATH", nargs="?", help="a file or a Zarr store with fields")
    parser.add_argument("field", metavar="FIELD", nargs="?", help="the field; '' for an array that stands alone")
    parser.add_argument("expression", metavar="EXPRESSION", nargs="?", help="how it was made")
    parser.add_argument(
        "--input",
        metavar="WHAT",
        action="append",
        default=[],
        help="what it was made of: PATH/FIELD, PATH, or a field of the same data; with --sql NAME=PATH; repeatable",
    )
    parser.add_argument("--context", metavar="TEXT", help="what the expression is evaluated over: 'by id'")
    parser.add_argument("--sql", metavar="FILE", help="a query; - reads it from standard input")
    parser.add_argument("--dialect", metavar="NAME", help="of the query: duckdb, postgres, sqlite, spark, ...")
    parser.add_argument("--output", metavar="PATH", help="the table that the query made")
    parser.add_argument("--embed", action="store_true", help="write it into the file's attributes, too")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Write definitions, and print them."""
    from hpcprov.commands.bar import Bar
    from hpcprov.commands.define_made import from_sql, from_words, keep
    from hpcprov.commands.dictionary_made import settings
    from hpcprov.commands.ending import tidy
    from hpcprov.commands.reading import comparer

    check(args)
    query = None if args.sql is None else text_of(args.sql)
    bar = Bar()
    with tidy(), comparer(settings(None), bar, copies=args.embed) as reading:
        made = from_words(args, reading, bar) if query is None else from_sql(args, query, reading, bar)
        written = keep(made, reading, bar, embeds=args.embed)
    sys.stdout.writelines(f"{line}\n" for line in told(args, written))
    return 0


def check(args: argparse.Namespace) -> None:
    """Refuse what does not go together, before anything is read. Raises HpcprovError."""
    from hpcprov.record.definition import is_expression

    if args.sql is None:
        if args.expression is None or args.output is not None or args.dialect is not None:
            raise HpcprovError("PATH, FIELD and EXPRESSION, or --sql FILE and --output", hint="hpcprov define --help")
        for what, text in (("EXPRESSION", args.expression), ("--context", args.context)):
            if text is not None and not (is_expression(text) and text.strip()):
                raise HpcprovError(f"{what} is a text of 1 to 4,096 characters")
    elif args.path is not None or args.output is None or args.context is not None:
        raise HpcprovError("--sql goes with --output, and without PATH, FIELD and --context")
    elif wrong := [text for text in args.input if not all(text.partition("="))]:
        raise HpcprovError(f"--input {wrong[0]!a}: with --sql it is NAME=PATH, the table's name in the query")


def text_of(name: str) -> str:
    """The query. Raises HpcprovError."""
    most = 1 << 20  # bytes; the reader of SQL takes less
    if name == "-":
        content = sys.stdin.buffer.read(most)
    else:
        with open(name, "rb") as file:
            content = file.read(most)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise HpcprovError(f"{name!a} is no text: byte {error.start} is not UTF-8") from error


def told(args: argparse.Namespace, written: Written) -> list[str]:
    """What was written, as text or JSON."""
    if args.json:
        facts: dict[str, Any] = {"path": written.path, "fields": written.nodes, "notes": written.notes}
        return [json.dumps(facts | {"version": written.version, "embedded": written.embedded}, indent=1)]
    from hpcprov.commands.fields_page import render
    from hpcprov.commands.screen import count, screen
    from hpcprov.record.text import printable

    lines = render(written.nodes, screen(os.environ), os.getcwd(), written.notes, follows=False)
    number = count(len(written.nodes), "definition")
    lines.append(f"{number} of {printable(written.path)} kept in {printable(written.store)}")
    return lines + (["and in its attributes; its signature is what it was"] if written.embedded else [])
