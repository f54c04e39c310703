"""How fields were made that nobody defined: they were kept as an input has them, or the step, the rule or the command
did it that made the whole dataset.

definition(record, "/data/out.h5")["expression"]
->  "smooth(field, width=3)"                      a step of a Python program
    "rule flood_map: python map.py flood.h5"      a rule of a Snakemake workflow
    "python map.py flood.h5"                      any other run
"""

from __future__ import annotations

import json

from hpcprov.quality.definitions.context import rendered
from hpcprov.quality.definitions.told import Known, every_artifact, names_of, who
from hpcprov.record.artifact import is_memory
from hpcprov.record.definition import LONGEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.model import Record

    Definition = dict[str, Any]

MOST_INPUTS = 64
TELLING = 64  # bytes; fewer are equal by chance
STRICT = "set -euo pipefail;"
SHELLS = ("sh", "bash", "dash", "ksh", "zsh")
WORD = 200  # characters of one argument


def field_names(record: Record, path: str) -> list[str]:
    """The fields of a dataset as the run left it, where they were signed."""
    for one in every_artifact(record):
        if one["path"] == path and one["signature"]:
            return [field["path"].strip("/") for field in one["signature"]["fields"]]
    return []


def definition(record: Record, path: str) -> Definition | None:
    """What made a dataset, and from what; None when the run did not make it."""
    names = names_of(record, path)
    if not any(one["path"] in names for one in record["artifacts"]["generated"]):
        return None
    step = maker(record, names)
    if step is not None:
        language, expression, used = "python", called(step), step["used"]
    else:
        language, expression = by_run(record)
        used = [one["path"] for one in record["artifacts"]["used"] if not is_memory(one["path"])]
    known = Known(record)
    inputs = [known.input(one, "") for one in dict.fromkeys(used) if one not in names][:MOST_INPUTS]
    about = who(record, step["ended"] if step else None, step["name"] if step else None)
    context = rendered(expression, None, inputs)
    return (
        {"expression": expression, "language": language, "inputs": inputs, "context": context}
        | about
        | {"how": "derived"}
    )


def kept(record: Record, path: str) -> dict[str, Definition]:
    """The fields whose values an input has, too: what was copied from it. Few bytes are equal by chance, so they count
    only under the same name."""
    names = names_of(record, path)
    generated = next(
        (one for one in record["artifacts"]["generated"] if one["path"] == path and one["signature"]), None
    )
    if generated is None:
        return {}
    sources: dict[str | tuple[str, str], tuple[str, str]] = {}  # the first of a signature; and of a name as well
    for used in record["artifacts"]["used"]:
        if used["signature"] and used["path"] not in names and not is_memory(used["path"]):
            for field in used["signature"]["fields"]:
                name = field["path"].strip("/")
                sources.setdefault(field["signature"], (used["path"], name))
                sources.setdefault((field["signature"], name), (used["path"], name))
    known, about = Known(record), who(record)
    found = {}
    for field in generated["signature"]["fields"]:
        name = field["path"].strip("/")
        source = sources.get((field["signature"], name))
        if source is None and field.get("bytes", TELLING) >= TELLING:
            source = sources.get(field["signature"])
        if source is not None:
            inputs = [known.input(*source)]
            said = inputs[0]["field"] or "all of it"
            found[name] = {"expression": said, "language": "text", "inputs": inputs, "how": "kept", **about}
            found[name] |= {"context": rendered(said, None, inputs)}
    return found


def maker(record: Record, names: set[str]) -> dict[str, Any] | None:
    """The innermost step that made an artifact, the last of these; a block that is the run itself says no more than
    the run."""
    found = [step for step in record.get("steps", ()) if not names.isdisjoint(step["generated"]) and step["function"]]
    return max(found, key=lambda step: (step["ended"] or "", step["id"]), default=None)


def called(step: dict[str, Any]) -> str:
    """The call of a function: what it used, then its parameters."""
    words = [name_of(path) for path in step["used"]]
    words += [f"{name}={shown(value)}" for name, value in step["parameters"].items()]
    return cut(f"{step['name']}({', '.join(words)})")


def name_of(path: str) -> str:
    """`memory:smooth(field)#1b7d` is `field`; a file is its name."""
    if is_memory(path):
        name = path.partition(":")[2].rpartition("#")[0] or path.partition(":")[2]
        inner = name.partition("(")[2].removesuffix(")")
        return inner or name
    return path.rstrip("/").rpartition("/")[2]


def shown(value: Any) -> str:
    if type(value) is dict and value.keys() == {"type"}:
        return f"<{str(value['type']).rpartition('.')[2]}>"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= WORD else f"{text[: WORD - 1]}…"


def by_run(record: Record) -> tuple[str, str]:
    """The language and the expression of what a run as a whole has made."""
    run = record["run"]
    command = shell_text(run["argv"] or []) or run["name"] or "(unknown command)"
    rule = run["tags"].get("rule")
    return ("snakemake", cut(f"rule {rule}: {command}")) if rule else ("command", cut(command))


def shell_text(argv: list[str]) -> str:
    """A command as one line; of `bash -c TEXT` the text, without the options that Snakemake sets in it."""
    if len(argv) == 3 and argv[1] == "-c" and name_of(argv[0]) in SHELLS:
        return " ".join(argv[2].strip().removeprefix(STRICT).split())
    return " ".join(argv)


def cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
