"""Print the storage digest of files and stores, and the signature of each field in them.

The storage digest says "the same bytes" (for a file it equals `b3sum`), a signature says "the same values": whatever
the format, chunking, compression or byte order.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from hpcprov.record.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = "hpcprov hash out.h5 out.zarr"

QUIET_FOR = 1.0
#: Columns grow no wider than that, whatever the longest name.
WIDEST = 40
UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov hash`."""
    parser.add_argument("paths", metavar="PATH", nargs="+", help="a file, a directory or a Zarr store")
    parser.add_argument("--json", action="store_true", help="print one JSON list with an object for each PATH")
    parser.add_argument(
        "--threads", metavar="N", type=_positive, help="threads (default: the CPUs this process may use)"
    )


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of threads: 1 or more")
    return number


def run(args: argparse.Namespace) -> int:
    """Hash every path; 2 when one of them could not be read."""
    results = []
    for path in args.paths:
        result = {"path": path, **_described(path, args.threads)}
        results.append(result)
        if not args.json:
            print("\n".join(lines(result)), flush=True)
        if result["state"] != "ok":
            print(f"hpcprov hash: {named(path)}: {printable(result['reason'])}", file=sys.stderr, flush=True)
    if args.json:
        print(json.dumps(results, indent=2))
    return 0 if all(result["state"] == "ok" for result in results) else 2


def _described(path: str, threads: int | None) -> dict[str, Any]:
    from hpcprov.signature.artifact import describe

    done = Event()
    watcher = Thread(target=_watch, args=(path, done), daemon=True)
    if sys.stderr.isatty():
        watcher.start()
    try:
        return describe(path, threads=threads)
    finally:
        done.set()
        if watcher.ident is not None:
            watcher.join()


def _watch(path: str, done: Event) -> None:
    """Say every half second how long it takes, once it takes long; leave a clean line."""
    began = time.monotonic()
    shown = False
    while not done.wait(QUIET_FOR if not shown else 0.5):
        shown = True
        print(
            f"\r\x1b[Khashing {printable(path)[:60]}  {time.monotonic() - began:.0f} s",
            end="",
            file=sys.stderr,
            flush=True,
        )
    if shown:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def named(path: str) -> str:
    """A path for people; an empty one must be seen."""
    return printable(path) or "'' (an empty name)"


def lines(result: dict[str, Any]) -> Iterator[str]:
    """A result as text: a heading, the two digests, one line for each field."""
    yield f"{named(result['path'])}  {', '.join(_facts(result))}"
    if result["storage"] is not None:
        yield f"  storage    {result['storage']['digest']}"
    if result["signature"] is not None:
        yield f"  signature  {result['signature']['digest']}"
        yield from _field_lines(result["signature"]["fields"])
    elif result["unsigned"] is not None:
        yield f"  signature  none: {printable(result['unsigned'])}"


def _facts(result: dict[str, Any]) -> Iterator[str]:
    if result["state"] != "ok":
        yield result["state"]
    if result["format"] is not None:
        yield result["format"]
    if result["files"] is not None:
        yield "1 file" if result["files"] == 1 else f"{result['files']} files"
    if result["size"] is not None:
        yield size_text(result["size"])


def _field_lines(fields: list[dict[str, Any]]) -> Iterator[str]:
    rows = [(printable(field["path"]) or "(the array)", printable(field["type"])) for field in fields]
    widths = [min(WIDEST, max((len(row[at]) for row in rows), default=0)) for at in (0, 1)]
    for field, (name, kind) in zip(fields, rows, strict=True):
        yield f"    {field['signature']}  {name:<{widths[0]}}  {kind:<{widths[1]}}  {shape_text(field['shape'])}"


def shape_text(shape: list[int] | None) -> str:
    """`721 x 1440`, `scalar` or `null`."""
    if shape is None:
        return "null"
    return " x ".join(map(str, shape)) or "scalar"


def size_text(size: int) -> str:
    """Bytes for people, in powers of 1000."""
    value, unit = float(size), 0
    while value >= 999.5 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.3g} {UNITS[unit]}"
