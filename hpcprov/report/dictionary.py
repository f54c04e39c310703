"""A data dictionary as a page, and as Markdown for an appendix. What it shows comes as texts:

render({"title": "flood.nc", "facts": [("Path", "/scratch/ada/flood.nc", "code")], "tables": [...], ...})
"""

from __future__ import annotations

from hpcprov.report.markdown import MARK, cell, plain, table
from hpcprov.report.page import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CODE = ("name", "code", "digest")


def render(told: dict[str, Any]) -> str:
    """The page. Raises MissingTemplates."""
    return compose("dictionary.html", styles=["dictionary.css"], **told)


def markdown(told: dict[str, Any]) -> str:
    """The whole text, ending in a line feed; nothing that the data holds is markup in it."""
    lines = [MARK, "", f"## {plain(told['title'])}", "", f"{plain(told['lead'])}.", ""]
    lines += [plain(" ".join(told["description"].split())), ""] if told["description"] else []
    lines += [f"Tags: {plain(', '.join(told['tags']))}.", ""] if told["tags"] else []
    lines += [*table(("", ""), [(plain(label), _cell(text, kind)) for label, text, kind in told["facts"]]), ""]
    for one in told["tables"]:
        kinds = [kind for _, kind in one["columns"]]
        rows = [[_cell(text, kind) for text, kind in zip(row, kinds, strict=True)] for row in one["rows"]]
        lines += [f"### {one['title']}", "", *table([title for title, _ in one["columns"]], rows), ""]
    lines += [f"… and {told['more']:,} more fields.", ""] if told["more"] else []
    return "\n".join(lines).rstrip("\n") + "\n"


def _cell(text: Any, kind: str) -> str:
    return cell(text) if kind in CODE else plain(" ".join(str(text).split()))
