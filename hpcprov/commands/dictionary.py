"""Show what is in a dataset: a row for each field, with units, values, descriptions.

Of the dataset: path, signature, description, tags, size, and which run made it. Of each field: type, shape, units,
names and cell methods (CF attributes, and what `hpcprov annotate` keeps beside the data), least and greatest value,
what is missing, zeros, signs, different values and all of them when they are few, definition, chunks, compression.

On a terminal as two tables. With -o a file for an appendix (.md), to read (.html), for programs (.json, .csv), or to
write in (.xlsx, .csv): `hpcprov annotate PATH --from FILE` takes back what was written. Values are read once; what was
counted before is not read again.
"""

from __future__ import annotations

import argparse
import os
import sys

from hpcprov.commands.bar import Bar
from hpcprov.commands.choose import tell
from hpcprov.commands.ending import tidy
from hpcprov.commands.outputs import check_not_read
from hpcprov.commands.reading import comparer, thread_number
from hpcprov.record.errors import HpcprovError, UnreadableData
from hpcprov.record.text import printable
from hpcprov.record.wording import size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EXAMPLE = """hpcprov dictionary flood.nc
         hpcprov dictionary flood.nc -o flood.xlsx     (to write descriptions, units, tags in)
         hpcprov dictionary flood.nc -o flood.html     (to read, print and keep)"""

FORMATS = ("text", "md", "html", "xlsx", "csv", "json")
#: Forms that are no text.
BINARY = ("xlsx",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov dictionary`."""
    parser.add_argument("path", metavar="PATH", help="a file or a Zarr store with fields")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="where to; its ending says the format; - is standard output"
    )
    parser.add_argument("--format", choices=FORMATS, metavar="FORMAT", help=", ".join(FORMATS))
    parser.add_argument("--json", action="store_true", help="the same as --format json")
    parser.add_argument(
        "--no-stats", action="store_true", help="read no values: only names, types, attributes, storage"
    )
    parser.add_argument("--force", action="store_true", help="overwrite FILE")
    parser.add_argument("--threads", metavar="N", type=thread_number, help="threads (default: the CPUs it may use)")


def run(args: argparse.Namespace) -> int:
    """Make the dictionary and put it where it belongs."""
    form = form_of(args)
    check_not_read(args.output, args.path)
    put(rendered(dictionary_of(args), form), form, args)
    return 0


def form_of(args: argparse.Namespace) -> str:
    """The format that was asked for. Raises HpcprovError when that cannot be told."""
    named = "json" if args.json else args.format
    suffix = os.path.splitext(args.output or "")[1].lower().lstrip(".")
    by_name = {"markdown": "md", "htm": "html", "txt": "text"}.get(suffix, suffix)
    if named is None and args.output not in (None, "-") and by_name not in FORMATS:
        raise HpcprovError(f"{args.output!a} does not say its format", hint="--format " + "|".join(FORMATS))
    return named or (by_name if by_name in FORMATS else "text")


def dictionary_of(args: argparse.Namespace) -> dict[str, Any]:
    """The dictionary of the path that was given."""
    from hpcprov.commands.dictionary_made import annotations_of, look, settings

    bar = Bar()
    with comparer(settings(args.threads), bar) as reading:
        seen = look(args.path, reading)
        if not args.no_stats and seen.counted is None:
            try:
                seen.read(reading, bar, counting=True)
            except UnreadableData as error:
                raise UnreadableData(error.message, hint="--no-stats tells what needs no values") from error
            seen.look_up()
    return seen.dictionary(annotations_of(seen))


def rendered(dictionary: dict[str, Any], form: str) -> str | bytes:
    """A dictionary in one of FORMATS."""
    if form == "text":
        from hpcprov.commands.dictionary_page import lines
        from hpcprov.commands.screen import screen

        return "\n".join(lines(dictionary, screen(os.environ))) + "\n"
    if form in ("md", "html"):
        from hpcprov.commands.dictionary_told import told
        from hpcprov.report import dictionary as page

        return page.markdown(told(dictionary)) if form == "md" else page.render(told(dictionary))
    from hpcprov.quality.dictionary import forms

    return forms.FORMS[form](dictionary)


def put(content: str | bytes, form: str, args: argparse.Namespace) -> None:
    """Write it to the file that was named, else to standard output; say where it is."""
    from hpcprov.export import place

    if args.output in (None, "-"):
        if form in BINARY and sys.stdout.isatty():
            raise HpcprovError("a workbook is nothing for a terminal", hint=f"-o FILE.{form}")
        place.to_stream(content, sys.stdout.buffer)
        return
    with tidy():
        place.write(content, args.output, force=args.force)
    tell(f"written: {printable(args.output)} ({size(len(place.encoded(content)))})")
