"""Write about data, beside it: descriptions, tags, names and units of its fields.

What was written in a sheet that `hpcprov dictionary PATH -o FILE.xlsx` (or .csv, .json) has made is taken back with
--from; --field, or no field for the dataset as a whole, sets single words. They are kept in the store beside the data,
found again by its path and by its values: data that was moved, or made again, keeps them. With --embed they are written
into the file's own attributes, too. Values and signatures are never touched.

What somebody else has changed since a sheet was made is not overwritten: such cells are shown, nothing is written, and
the exit status is 1; --take sheet or --take store settles them.
"""

from __future__ import annotations

import argparse
import json
import os

from hpcprov.commands.bar import Bar
from hpcprov.commands.choose import listed, tell
from hpcprov.commands.ending import tidy
from hpcprov.commands.reading import comparer
from hpcprov.quality.dictionary.columns import OF_DATASET
from hpcprov.record.errors import HpcprovError, UnreadableData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpcprov.commands.dictionary_made import Seen
    from hpcprov.quality.dictionary.merge import Edit
    from hpcprov.quality.isolated import Comparing

EXAMPLE = """hpcprov annotate flood.nc --from flood.xlsx
         hpcprov annotate flood.nc --field depth --units m --description 'water above ground'
         hpcprov annotate flood.nc --description 'the flood of 1999' --tag terrain
         hpcprov annotate flood.nc --list"""

#: Smaller data is signed at once, so that it is found by its values, too.
SIGNED_AT_ONCE = 1 << 30
MOST_PROBLEMS = 20
TEXTS = ("units", "short_name", "long_name", "standard_name", "description")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov annotate`."""
    parser.add_argument("path", metavar="PATH", help="a file or a Zarr store with fields")
    parser.add_argument("--from", dest="sheet", metavar="FILE", help="a dictionary: .xlsx, .csv or .json")
    parser.add_argument(
        "--take", choices=("sheet", "store"), help="of cells that both sides changed: whose word stands"
    )
    parser.add_argument("--field", metavar="NAME", help="the field that the next options are about")
    for key in TEXTS:
        option = f"--{key.replace('_', '-')}"
        parser.add_argument(option, dest=key, metavar="TEXT", help=None if key != "units" else "'' takes a word away")
    parser.add_argument(
        "--tag", action="append", default=[], metavar="WORD", help="add a tag; may be given several times"
    )
    parser.add_argument("--untag", action="append", default=[], metavar="WORD", help="take a tag away")
    parser.add_argument("--embed", action="store_true", help="write what is kept into the file's attributes, too")
    parser.add_argument("--list", action="store_true", help="show what is kept, since when, and by whom")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Take what was written, or show what is kept; 1 when somebody else was at it, too."""
    from hpcprov.commands.dictionary_made import look, settings

    check(args)
    bar = Bar()
    with tidy(), comparer(settings(None), bar, copies=args.embed) as reading:
        seen = look(args.path, reading)
        unknown = sign(seen, reading, bar)
        if args.list:
            return show(seen, args)
        if unknown is not None:
            tell(f"its words will be found by its path only, not when it is moved: {unknown}")
        edits = of_sheet(args.sheet, seen, reading) if args.sheet is not None else of_words(args, seen)
        return write(seen, edits, args, reading, bar)


def sign(seen: Seen, reading: Comparing, bar: Bar) -> str | None:
    """Find out the signature where it is not known and that does not take long; why it stays unknown."""
    if seen.signature is not None:
        return None
    if (seen.glance["size"] or 0) > SIGNED_AT_ONCE:
        return "it has not been read since it was changed (`hpcprov hash` reads it)"
    try:
        seen.read(reading, bar, counting=False)
    except UnreadableData as error:
        return error.message
    return None


def check(args: argparse.Namespace) -> None:
    """Refuse what does not go together, before anything is read. Raises HpcprovError."""
    words = [key for key in TEXTS if getattr(args, key) is not None] + [
        f"--{one}" for one in ("tag", "untag") if getattr(args, one)
    ]
    if args.list and (words or args.sheet or args.embed):
        raise HpcprovError("--list only shows", hint="hpcprov annotate --help")
    if args.sheet is not None and (words or args.field is not None):
        raise HpcprovError("--from takes a whole sheet, --field single words: one at a time")
    if args.take is not None and args.sheet is None:
        raise HpcprovError("--take goes with --from")
    if not (args.list or args.sheet or args.embed or words):
        raise HpcprovError(
            "nothing to write", hint="--from SHEET, --list, or --field NAME --units m --description TEXT ..."
        )
    if args.field is None and (left := [word for word in words if word not in OF_DATASET and word[:2] != "--"]):
        raise HpcprovError(f"--{left[0].replace('_', '-')} is said of a field", hint="--field NAME")
    check_words(args)


def of_sheet(path: str, seen: Seen, reading: Comparing) -> list[Edit]:
    """What a sheet says. Raises HpcprovError for one that is damaged, has formulas, or is of other data."""
    from hpcprov.quality.dictionary.edits import edits_of

    try:
        sheet = reading.sheet(os.path.abspath(path))
    except HpcprovError as error:
        raise HpcprovError(f"{path!a}: {error.message}", hint=error.hint) from error
    found = edits_of(sheet, [field["path"] for field in seen.layout["fields"]])
    if found.problems:
        more = [f"... and {len(found.problems) - MOST_PROBLEMS:,} more"] if len(found.problems) > MOST_PROBLEMS else []
        hint = "\n".join([*found.problems[:MOST_PROBLEMS], *more])
        raise HpcprovError(f"{path!a} is not taken; nothing was written", hint=hint)
    if found.unknown and not found.rows:
        hint = f"it names {listed(found.unknown)}"
        raise HpcprovError(f"{path!a} is of other data: no field of it is in {seen.path!a}", hint=hint)
    if found.unknown:
        tell(f"not in {seen.path!a}, and left out: {listed(found.unknown)}")
    if sheet["signature"] and seen.signature and sheet["signature"] != seen.signature:
        tell(f"{path!a} was made when the values were others; its words are taken all the same")
    if sheet["ignored"]:
        tell(f"columns that are none of a dictionary's, and left out: {listed(sheet['ignored'])}")
    return found.edits


def of_words(args: argparse.Namespace, seen: Seen) -> list[Edit]:
    """What the options say; tags are said when they are known (`annotate_kept.tags`). Raises HpcprovError."""
    from hpcprov.quality.dictionary.edits import canonical
    from hpcprov.quality.dictionary.merge import Edit

    field = field_of(args.field, seen)
    said = {key: getattr(args, key) for key in TEXTS}
    return [Edit(field, key, canonical(key, text), outright=True) for key, text in said.items() if text is not None]


def check_words(args: argparse.Namespace) -> None:
    """Raises HpcprovError for a text that cannot be kept."""
    from hpcprov.quality.dictionary.edits import refused

    for key in TEXTS:
        text = getattr(args, key)
        if text is not None and (reason := refused(key, text)) is not None:
            raise HpcprovError(f"--{key.replace('_', '-')} {text[:80]!a}: {reason}")
    for word in (*args.tag, *args.untag):
        if "," in word or not word.strip() or refused("tags", word) is not None:
            raise HpcprovError(f"{word[:80]!a} is no tag: one or more words without a comma")


def field_of(name: str | None, seen: Seen) -> str | None:
    """The path of the field that was named. Raises HpcprovError when there is none."""
    paths: list[str] = [field["path"] for field in seen.layout["fields"]]
    if name is None or name in paths:
        return name
    stripped = [path for path in paths if path.strip("/") == name.strip("/")]
    if len(stripped) == 1:
        return stripped[0]
    from difflib import get_close_matches

    near = get_close_matches(name, paths, 3) or paths[:8]
    raise HpcprovError(f"{seen.path!a} has no field {name!a}", hint=f"it has {', '.join(map(ascii, near))}")


def write(seen: Seen, edits: Sequence[Edit], args: argparse.Namespace, reading: Comparing, bar: Bar) -> int:
    """Keep what was written, unless somebody else was at it; the exit status."""
    from hpcprov.commands import annotate_page as page
    from hpcprov.commands.annotate_kept import keep

    kept = keep(seen, edits, args)
    if kept.conflicts and args.take is None:
        print(json.dumps(kept.as_json(), indent=1) if args.json else "\n".join(page.conflicts(kept, os.environ)))
        return 1
    embedded = None
    if args.embed:
        from hpcprov.commands.annotate_embed import embed

        embedded = embed(seen, kept.annotations, reading, bar)
    if args.json:
        print(json.dumps(kept.as_json() | ({"embedded": embedded} if args.embed else {}), indent=1))
    else:
        print("\n".join(page.kept(kept, embedded, os.environ)))
    return 0


def show(seen: Seen, args: argparse.Namespace) -> int:
    """Show what is kept."""
    from hpcprov.commands import annotate_page as page
    from hpcprov.commands.dictionary_made import annotations_of

    found = annotations_of(seen)
    if args.json:
        print(json.dumps(found.as_json() | {"found_by": found.found}, indent=1))
    else:
        print("\n".join(page.listing(found, seen, os.environ)))
    return 0
