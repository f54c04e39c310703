"""`hpcprov constraints diff A B` and `export FILE`: what is done with files of constraints alone."""

from __future__ import annotations

import json

from hpcprov.commands.choose import tell
from hpcprov.commands.constraints_page import render_changes
from hpcprov.commands.export import put
from hpcprov.commands.outputs import check_not_read

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def diff(args: argparse.Namespace) -> int:
    """Compare two files; the exit status."""
    from hpcprov.quality.constraints.changes import changes
    from hpcprov.quality.constraints.file import read

    found = changes(read(args.first), read(args.second))
    print(json.dumps(found, indent=1) if args.json else "\n".join(render_changes(found)))
    return 1 if found else 0


def export(args: argparse.Namespace) -> int:
    """Write a file in another format, and say what that cannot say; the exit status."""
    from hpcprov.quality.constraints.file import read
    from hpcprov.quality.constraints.pandera_script import script

    check_not_read(args.output, args.constraints)
    text, left_out = script(read(args.constraints), args.constraints)
    put(text, args.output or "-", force=args.force)
    for line in left_out:
        tell(f"not in the schema: {line}")
    return 0
