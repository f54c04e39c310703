"""The report of one run as plain text, 80 columns wide where that does not break a word: for a mail, a log, a diff.

render(run.values(record, directory, {}))  ->  "hpcprov report: flood (mpi-vm-19077-4653761.0)\\n\\nCompleted after …"
"""

from __future__ import annotations

from textwrap import fill, indent

from hpcprov.record.text import printable
from hpcprov.report.methods import sentences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

MARK = "hpcprov report: "
WIDTH = 80
LABEL = 34
LONGEST = 2000
MOST_PACKAGES = 400
LAST = 20  # lines that a run printed


def render(values: dict[str, Any]) -> str:
    """The whole text, ending in a line feed."""
    head = values["head"]
    parts = [f"{MARK}{shown(head['title'])} ({shown(head['id'])})"]
    parts += [wrapped(head["note"])] if head["note"] else []
    parts += [wrapped(" ".join(sentences(values, str, str)))]
    tags = [("Tags", ", ".join(f"{key}={value}" for key, value in head["tags"]))] if head["tags"] else []
    parts += [rows([*values["about"], *tags])]
    parts += section("What to know", [listed(one["text"] for one in values["troubles"])])
    parts += section("Outputs", data(values["outputs"]))
    parts += section("Inputs", data(values["inputs"]))
    parts += section("Runs", [run(one) for one in values["parts"]["rows"]])
    parts += section("Ranks", ranks(values["timeline"]))
    parts += section("Printed at the end", printed(values))
    parts += section("Resources", [rows(values["curves"]["totals"])] if values["curves"] else [])
    parts += section("Software", software(values["software"]))
    parts += section("Batch job", [rows(values["job"])] if values["job"] else [])
    parts += section(
        "Seal", [wrapped(values["seal"]["text"]), *(wrapped(f"Attested {text}") for text in values["attested"])]
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def shown(text: Any, most: int = LONGEST) -> str:
    whole = str(text)
    return printable(whole[:most]) + ("…" if len(whole) > most else "")


def wrapped(text: Any, before: str = "") -> str:
    return fill(
        shown(text, LONGEST * 10), WIDTH, break_long_words=False, break_on_hyphens=False, subsequent_indent=before
    )


def rows(pairs: Iterable[tuple[str, str]]) -> str:
    """Labels on the left, text beside them."""
    known = [(shown(label), text) for label, text in pairs]
    width = min(LABEL, max((len(label) for label, _ in known), default=0)) + 2
    return "\n".join(wrapped(f"{label:<{width}}{text}", " " * width) for label, text in known)


def listed(texts: Iterable[str]) -> str:
    return "\n".join(wrapped(f"- {text}", "  ") for text in texts)


def section(title: str, parts: Iterable[str]) -> list[str]:
    """A title, underlined, and what stands below it; nothing where there is nothing."""
    body = "\n".join(part for part in parts if part)
    return [f"{title}\n{'-' * len(title)}\n{body}"] if body else []


def data(told: dict[str, Any]) -> list[str]:
    """Inputs or outputs, and the fields in them."""
    lines = []
    for one in told["entries"]:
        about = "  ".join(shown(text) for text in (one["format"], one["size"], one["known"]) if text)
        lines.append(f"{shown(one['path'])}  {about}")
        lines += [f"    {shown(text)}" for text in (one["digest"] or one["storage"], one["state"]) if text]
        lines += [f"    {shown(its['line'])}" for its in one["verdicts"]]
        lines += [field(its) for its in one["fields"]]
        lines += [f"    … and {one['more']:,} more fields"] if one["more"] else []
    left = told["count"] - len(told["entries"])
    return lines + ([f"… and {left:,} more, only counted here"] if left > 0 else [])


def field(one: dict[str, str]) -> str:
    values = f"  {shown(one['values'])}" if one["values"] else ""
    name, about = shown(one["path"]), f"{shown(one['type'])} {shown(one['shape'])}{values}"
    return f"    {name}  {about}\n      {shown(one['digest'])}"


def run(one: dict[str, Any]) -> str:
    cause = f"  {shown(one['cause'])}" if one["cause"] else ""
    status = one["status"]["word"]
    return f"{shown(one['run'])}  {shown(one['name'])}\n    {shown(status)}  {one['took']}{cause}"


def ranks(told: dict[str, Any] | None) -> list[str]:
    if told is None:
        return []
    lines = [f"{one['count']:,} {shown(one['state'])}: {shown(one['ranks'])}" for one in told["states"]]
    for one in told["spread"] if told["count"] > 1 else ():
        lines.append(
            f"{one['label']}: {one['low']} (rank {one['low_rank']}) to {one['high']} (rank {one['high_rank']}), "
            f"middle {one['middle']}"
        )
    return [*lines, listed(told["outliers"])]


def printed(values: dict[str, Any]) -> list[str]:
    """The last lines of a run that ended badly: they often say why."""
    if values["head"]["status"]["look"] != "bad" or not values["output"]:
        return []
    lines = values["output"]["lines"]
    left = [f"… {len(lines) - LAST:,} lines before"] if len(lines) > LAST else []
    return left + [f"{one['rank']:>6} {one['stream']} | {shown(one['text'])}" for one in lines[-LAST:]]


def software(told: dict[str, Any]) -> list[str]:
    modules = " ".join(one["name"] for one in told["modules"]["loaded"])
    lines = [wrapped(f"Modules: {modules}", "  ")] if modules else []
    for one in told["containers"]:
        lines += [f"Container: {shown(one['title'])}", indent(rows(one["rows"]), "  ")]
    opened = ", ".join(f"{one['name']} {one['version']}".strip() for one in told["used"])
    lines += [wrapped(f"Opened: {opened}", "  ")] if opened else []
    for one in told["packages"]:
        names = ", ".join(one["entries"][:MOST_PACKAGES])
        lines.append(wrapped(f"{one['title']} with {names}", "  "))
    return lines
