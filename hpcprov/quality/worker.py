"""The child that compares untrusted files: that of `hpcprov.signature.worker`, which can do one thing more.

{"do": "compare", "path": "a.h5", "other": "b.h5", "rtol": 0.0, "atol": 1e-9}  ->  {"is": "answer", "fields": [...]}
"""

from __future__ import annotations

import sys

from hpcprov.signature.worker import Worker, main

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.signature.watch import Watch


class Comparer(Worker):
    """A reader that compares two files, too."""

    def do_compare(self, request: dict[str, Any], body: bytes, watch: Watch) -> tuple[dict[str, Any], bytes]:
        from hpcprov.data.open import open_data
        from hpcprov.quality.compare import compare
        from hpcprov.signature.artifact import check_declared
        from hpcprov.signature.snapshot import look

        with open_data(request["path"]) as one, open_data(request["other"]) as other:
            check_declared(one, look(request["path"]).size)
            check_declared(other, look(request["other"]).size)
            return {"fields": compare(one, other, rtol=request["rtol"], atol=request["atol"], watch=watch)}, b""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Comparer))
