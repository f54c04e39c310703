"""The commands that ask further about a run, for the end of its page.

ask(record)[0]  ->  ("hpcprov show 20261121T093000Z-1f2e3d4c", "the run on one screen")
"""

from __future__ import annotations

from hpcprov.record.artifact import is_memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.record.model import Record


def ask(record: Record) -> list[tuple[str, str]]:
    """Commands and what each tells."""
    from shlex import quote

    run = record["run"]
    name = run["id"]
    made, used = _signed(record, "generated"), _signed(record, "used")
    asks = [
        (f"hpcprov verify {name}", "is the data still what was recorded?", True),
        (f"hpcprov lineage {quote(made or '')}", "where an output comes from", made),
        (f"hpcprov lineage --down {quote(used or '')}", "what else came of an input", used),
        (f"hpcprov rerun {name}", "run it again and compare the outputs field by field", run["argv"]),
        (f"hpcprov log {name}", "its commands again, as a script", run["argv"] or record["parts"]),
        (f"hpcprov log {name} --output", "all that it printed", record["output"]["files"]),
        (f"hpcprov export {name} --to rocrate", "the run as a research object others can read", True),
        (f"hpcprov show {name} --json", "the record itself", True),
    ]
    return [(command, text) for command, text, wanted in asks if wanted]


def _signed(record: Record, role: str) -> str | None:
    """The path of an input or output that was signed and lies in a file."""
    paths = (one["path"] for one in record["artifacts"][role] if one["state"] == "ok")
    return next((path for path in paths if not is_memory(path)), None)
