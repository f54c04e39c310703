"""Where a report goes: to the file that was named, to a page here, or to standard output.

put(html, args, "report-last.html")     # says: written: ./report-last.html (41 kB)
"""

from __future__ import annotations

import os
import sys

from hpcprov.commands.choose import tell
from hpcprov.commands.ending import tidy
from hpcprov.record.text import printable
from hpcprov.record.wording import size

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

#: What a file of ours has in its first bytes, whatever its format.
MARKS = (b'<meta name="generator" content="hpcprov ', b"<!-- hpcprov report -->", b"hpcprov report: ")
HEAD = 4096


def put(text: str, args: argparse.Namespace, usual: str) -> None:
    """Write a report to the file that was named, else a page to `usual` and other forms to standard output; say where
    it is. Raises HpcprovError when what is there is no report."""
    from hpcprov.export import place

    where = args.output or (os.path.join(os.curdir, usual) if args.format == "html" else "-")
    if where == "-":
        place.to_stream(text, sys.stdout.buffer)
        return
    with tidy():
        place.write(text, where, force=args.force or is_report(where))
    tell(f"written: {printable(where)} ({size(len(text.encode('utf-8', 'replace')))})")


def is_report(path: str) -> bool:
    """Is there a report of ours, which a newer one may replace?"""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            begin = file.read(HEAD)
    except OSError:
        return False
    return any(mark in begin for mark in MARKS)
