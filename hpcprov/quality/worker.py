"""The child that compares untrusted files: that of `hpcprov.signature.worker`, which can do one thing more.

{"do": "compare", "path": "a.h5", "other": "b.h5", "rtol": 0.0, "atol": 1e-9}  ->  {"is": "answer", "fields": [...]}
"""

from __future__ import annotations

import sys

from hpcprov.signature.worker import Worker, main

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.signature.counting import Counting
    from hpcprov.signature.watch import Watch


class Comparer(Worker):
    """A reader that compares two files, too."""

    def statistics(self) -> Counting | None:
        """What counts values while they are signed, where the settings ask for it."""
        if self.settings.get("statistics") is not True:
            return None
        from hpcprov.quality.statistics import counting

        return counting

    def do_compare(self, request: dict[str, Any], body: bytes, watch: Watch) -> tuple[dict[str, Any], bytes]:
        from hpcprov.data.open import open_data
        from hpcprov.quality.compare import compare
        from hpcprov.signature.artifact import check_declared
        from hpcprov.signature.snapshot import look

        with open_data(request["path"]) as one, open_data(request["other"]) as other:
            check_declared(one, look(request["path"]).size)
            check_declared(other, look(request["other"]).size)
            return {"fields": compare(one, other, rtol=request["rtol"], atol=request["atol"], watch=watch)}, b""

    def do_glance(self, request: dict[str, Any], body: bytes, watch: Watch) -> tuple[dict[str, Any], bytes]:
        """What a dictionary tells without reading values."""
        from hpcprov.quality.dictionary.layout import glance

        return {"found": glance(request["path"], cache_dir=self.settings.get("cache_dir"))}, b""

    def do_count(self, request: dict[str, Any], body: bytes, watch: Watch) -> tuple[dict[str, Any], bytes]:
        """The statistics of the fields that can be read."""
        from hpcprov.quality.statistics.reading import counted

        return {"found": counted(request["path"], threads=self.settings["threads"], watch=watch)}, b""

    def do_sheet(self, request: dict[str, Any], body: bytes, watch: Watch) -> tuple[dict[str, Any], bytes]:
        """What a dictionary's sheet says that somebody has written in."""
        from hpcprov.quality.dictionary.sheet import read_sheet

        return {"sheet": read_sheet(request["path"])}, b""

    def do_diff(self, request: dict[str, Any], body: bytes, watch: Watch) -> tuple[dict[str, Any], bytes]:
        """What exactly differs between two files."""
        from hpcprov.quality.diff.files import diff_files
        from hpcprov.quality.diff.options import from_message

        options = from_message(request["options"])._replace(threads=self.settings["threads"])
        places = {name: self.settings.get(name) for name in ("cache_dir", "tiles_dir")}
        return {"found": diff_files(request["path"], request["other"], options, watch=watch, **places)}, b""

    def do_trail(self, request: dict[str, Any], body: bytes, watch: Watch) -> tuple[dict[str, Any], bytes]:
        """What a dataset tells of what made it."""
        from hpcprov.quality.trail.stamping import trail

        return {"found": trail(request["path"])}, b""

    def do_stamp(self, request: dict[str, Any], body: bytes, watch: Watch) -> tuple[dict[str, Any], bytes]:
        """Append an entry to a dataset's audit trail."""
        from hpcprov.quality.trail.stamping import stamp

        names = ("path", "entry", "used", "recorded", "signature", "fields", "break_links")
        return {"found": stamp(**{name: request[name] for name in names}, watch=watch, **self._places())}, b""

    def do_embed(self, request: dict[str, Any], body: bytes, watch: Watch) -> tuple[dict[str, Any], bytes]:
        """Set attributes of a dataset and of its fields."""
        from hpcprov.data.embed import Changes
        from hpcprov.quality.trail.stamping import embedded

        changes = Changes(request["dataset"], request["fields"])
        options = {name: request[name] for name in ("signature", "break_links")}
        return {"result": embedded(request["path"], changes, watch=watch, **options, **self._places())}, b""

    def do_discover(self, request: dict[str, Any], body: bytes, watch: Watch) -> tuple[dict[str, Any], bytes]:
        """Constraints that data keeps."""
        from hpcprov.quality.constraints.child import discover_file

        threads = self.settings["threads"]
        return {"found": discover_file(request["path"], request["options"], threads=threads, watch=watch)}, b""

    def do_constrain(self, request: dict[str, Any], body: bytes, watch: Watch) -> tuple[dict[str, Any], bytes]:
        """Data held against constraints."""
        from hpcprov.quality.constraints.child import verify_file

        one, threads = request, self.settings["threads"]
        limits = {"threads": threads, "deadline": self.settings.get("deadline")}
        found = verify_file(one["path"], one["constraints"], one["options"], watch=watch, **limits)
        return {"found": found}, b""

    def do_sql(self, request: dict[str, Any], body: bytes, watch: Watch) -> tuple[dict[str, Any], bytes]:
        """The tables that a SQL query reads from; with `tables`, how each column of its result is made."""
        from hpcprov.quality.definitions import sql

        query, tables, dialect = request["query"], request["tables"], request["dialect"]
        if tables is None:
            return {"found": sql.tables_of(query, dialect=dialect)}, b""
        return {"found": sql.columns(query, tables, dialect=dialect)}, b""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Comparer))
