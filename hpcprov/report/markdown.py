"""The report of one run as Markdown, for a paper's appendix: a paragraph, then tables of data, software and problems.

    render(run.values(record, directory, {}))  ->  "<!-- hpcprov report -->\\n\\n## flood\\n…"

Everything that a record tells is escaped or stands in a code span, so that none of it is markup or a link. The tables
are those of GitHub's Markdown, which pandoc reads, too.
"""

from __future__ import annotations

import re

from hpcprov.record.text import printable
from hpcprov.report.methods import sentences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

MARK = "<!-- hpcprov report -->"
LONGEST = 2000
MOST_PACKAGES = 400
# Backslash escapes are for ASCII punctuation; colons and dots only where GitHub's Markdown would make a link of them.
PUNCTUATION = re.compile(r"[\\`*_{}\[\]<>&#|~$!@^]|:(?=//)|(?<=www)\.|^[-+=]", re.I)
NUMBERED = re.compile(r"^(\d+)([.)])(?=\s|$)")
TICKS = re.compile(r"`+")


def render(values: dict[str, Any]) -> str:
    """The whole text, ending in a line feed."""
    head = values["head"]
    lines = [MARK, "", f"## {plain(head['title'])}", ""]
    lines += [plain(head["note"]), ""] if head["note"] else []
    lines += [" ".join(sentences(values, code, plain)), ""]
    lines += section("What to know", bullets(one["text"] for one in values["troubles"]))
    lines += section("Outputs", data(values["outputs"]))
    lines += section("Inputs", data(values["inputs"]))
    lines += section("Runs", runs(values["parts"]))
    lines += section("Ranks", ranks(values["timeline"]))
    lines += section("Software", software(values))
    lines += section("Attestation", bullets(values["attested"]))
    return "\n".join(lines).rstrip("\n") + "\n"


def plain(text: Any) -> str:
    """Text in which nothing is markup."""
    return NUMBERED.sub(r"\1\\\2", PUNCTUATION.sub(r"\\\g<0>", _cut(str(text)).strip()))


def code(text: Any) -> str:
    """A code span."""
    shown = _cut(str(text))
    if not shown.strip():
        return ""
    fence = "`" * (max((len(ticks) for ticks in TICKS.findall(shown)), default=0) + 1)
    space = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{space}{shown}{space}{fence}"


def cell(text: Any) -> str:
    """A code span in a table, where no backslash makes a | safe behind another backslash: it is shown as an escape."""
    return code(text).replace("|", "\\x7c")


def _cut(text: str) -> str:
    shown = printable(text[:LONGEST])
    return f"{shown}…" if len(text) > LONGEST else shown


def section(title: str, body: Sequence[str]) -> list[str]:
    return [f"### {title}", "", *body, ""] if body else []


def bullets(texts: Iterable[str]) -> list[str]:
    return [f"- {plain(text)}" for text in texts]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table of cells that are Markdown by now."""
    body = [f"| {' | '.join(row)} |" for row in rows]
    return [f"| {' | '.join(head)} |", f"|{'|'.join(' --- ' for _ in head)}|", *body] if body else []


def data(told: dict[str, Any]) -> list[str]:
    """Inputs or outputs, and the fields in them."""
    entries = told["entries"]
    rows = [
        (cell(one["path"]), plain(one["format"]), plain(one["size"]), cell(one["digest"] or one["storage"])
         or plain(one["state"]))
        for one in entries
    ]  # fmt: skip
    lines = table(("Path", "Format", "Size", "Signature"), rows)
    fields = [
        (cell(one["path"]), cell(field["path"]), plain(field["type"]),
         plain(", ".join(filter(None, (field["shape"], field["values"])))), cell(field["digest"]))
        for one in entries
        for field in one["fields"]
    ]  # fmt: skip
    lines += ["", *table(("In", "Field", "Type", "Shape", "Signature"), fields)] if fields else []
    left = told["count"] - len(entries)
    more = [f"{left:,} more are only counted here."] if left > 0 else []
    more += [
        f"Fields of {plain(one['path'])}: {one['more']:,} more." for one in entries if one["fields"] and one["more"]
    ]
    return [*lines, *(["", *more] if more else [])]


def runs(told: dict[str, Any]) -> list[str]:
    """The runs of a job or workflow."""
    rows = [
        (cell(one["run"]), plain(one["name"]), plain(one["status"]["word"]), plain(one["took"]), plain(one["outputs"]))
        for one in told["rows"]
    ]
    more = ["", f"… and {told['more']:,} more."] if told["more"] else []
    return table(("Run", "Name", "Status", "Took", "Outputs"), rows) + more


def ranks(told: dict[str, Any] | None) -> list[str]:
    """What is told of many ranks at once; of one nothing."""
    if told is None or told["count"] < 2:
        return []
    rows = [
        (plain(one["label"]), plain(one["low"]), plain(one["middle"]), plain(one["high"])) for one in told["spread"]
    ]
    ended = [f"{one['count']:,} {plain(one['state'])}" for one in told["states"]]
    lines = [f"{'; '.join(ended)}.", "", *table(("Of all ranks", "Lowest", "Middle", "Highest"), rows)]
    return lines + (["", *bullets(told["outliers"])] if told["outliers"] else [])


def software(values: dict[str, Any]) -> list[str]:
    """Modules, what was opened, and the packages that were installed."""
    told = values["software"]
    modules = [plain(one["name"]) for one in told["modules"]["loaded"]]
    lines = [f"Modules: {', '.join(modules)}.", ""] if modules else []
    opened = [(plain(one["name"]), plain(one["version"]), plain(one["kind"])) for one in told["used"]]
    lines += [*table(("Opened", "Version", "Kind"), opened), ""] if opened else []
    for one in told["packages"]:
        names = ", ".join(plain(text) for text in one["entries"][:MOST_PACKAGES])
        more = f" and {one['count'] - MOST_PACKAGES:,} more" if one["count"] > MOST_PACKAGES else ""
        lines += [f"Packages of {plain(one['title'])}: {names}{more}.", ""]
    return lines[:-1]
