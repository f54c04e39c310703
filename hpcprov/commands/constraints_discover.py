"""`hpcprov constraints discover`: the child reads the data, and a file of constraints comes of what it finds."""

from __future__ import annotations

import os
import socket
import time

from hpcprov import __version__
from hpcprov.commands.annotate_kept import user
from hpcprov.commands.choose import tell
from hpcprov.commands.constraints_verify import read_by_child
from hpcprov.commands.export import put
from hpcprov.commands.outputs import check_not_read
from hpcprov.record.text import printable
from hpcprov.record.wording import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

#: Lines about fields with outliers, and elements in each.
MOST_LINES, MOST_PLACES = 20, 3


def run(args: argparse.Namespace) -> int:
    """Discover; the exit status."""
    from hpcprov.quality.constraints.file import text_of

    check_not_read(args.output, args.path)
    options = {
        "rex": not args.no_rex, "exclude_outliers": args.exclude_outliers, "fields": args.field,
        "growing": args.growing,
    }  # fmt: skip
    found = read_by_child(args, lambda reading: reading.discover(args.path, options))
    for line in told(found):
        tell(line)
    place = args.output or "-"
    put(text_of(file_of(found, args.path, narrowed=bool(args.field))), place, force=args.force)
    return 0


def file_of(found: dict[str, Any], path: str, *, narrowed: bool) -> dict[str, Any]:
    """The file's JSON. Of some fields only, the others are nobody's business: any may be there."""
    now = time.time()
    metadata = {
        "local_time": time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now)),
        "utc_time": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(now)),
        "creator": f"hpcprov {__version__}",
        "source": os.path.abspath(path),
        "dataset": os.path.basename(path.rstrip("/")),
        "host": socket.gethostname(),
        "user": user(),
    }
    if found["rows"] is not None:
        metadata |= {"n_records": found["rows"], "n_selected": found["rows"]}
    dataset: dict[str, Any] = {} if narrowed else {"allowed_fields": []}
    dataset |= {"required_fields": ["*"]}
    if found["kind"] == "tree":
        from hpcprov.quality.constraints.file import FORMAT, VERSION

        dataset |= {"format": FORMAT, "version": VERSION}
    return {"creation_metadata": metadata, "fields": found["fields"], "dataset": dataset}


def told(found: dict[str, Any]) -> list[str]:
    """What the file does not say: what was left out as outliers, and what could not be done."""
    lines = list(found["notes"])
    for one in found["excluded"][:MOST_LINES]:
        low, high = one["kept"]
        places = ", ".join(f"{place['index']} {place['value']}" for place in one["places"][:MOST_PLACES])
        more = ", ..." if one["count"] > MOST_PLACES else ""
        values = count(one["count"], "value")
        kept = f"{printable(one['path'])}: {low} to {high}"
        lines.append(f"{kept}, without {values} far outside: {printable(places)}{more}")
    if len(found["excluded"]) > MOST_LINES:
        lines.append(f"... and outliers in {len(found['excluded']) - MOST_LINES} more fields")
    return lines
