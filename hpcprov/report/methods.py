"""A run in a few sentences, as the methods section of a paper would tell it. Shared by the forms for Markdown and text.

    sentences(values, mark, plain)  ->  ["The run flood (`mpi-vm-19077-4653761.0`) executed `python flood.py`. …", …]

`values` are those of the page (run.values). `mark` writes what is code: a command, a path, a digest.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Values = dict[str, Any]
    Mark = Callable[[str], str]

MOST_NAMES = 12
LONGEST = 300  # characters of a command


def sentences(values: Values, mark: Mark, plain: Mark) -> list[str]:
    """Sentences; `mark` writes code, `plain` everything else that a record tells."""
    found = [_ran(values, mark, plain), _machine(values, plain), _code(values, mark, plain)]
    found += [_software(values, plain), _container(values, mark, plain), _data(values), _record(values, mark)]
    return [text for text in found if text]


def _ran(values: Values, mark: Mark, plain: Mark) -> str:
    about, head = dict(values["about"]), values["head"]
    kind = "run" if head["kind"] == "command" else plain(head["kind"])
    named = f"The {kind} {plain(head['title'])} ({mark(head['id'])})"
    command = about.get("Command", "")
    if len(command) > LONGEST:
        command = f"{command[:LONGEST]}…"
    did = f" executed {mark(command)}" if command else " was recorded"
    return f"{named}{did}. {plain(head['lead'])} When: {plain(about['When'])}."


def _machine(values: Values, plain: Mark) -> str:
    kinds = []
    for host in values["hosts"][:3]:
        told = dict(host["rows"])
        parts = [told[key] for key in ("Processor", "Memory", "System", "Kernel") if key in told]
        if parts:
            kinds.append(f"{host['count']:,} node{'' if host['count'] == 1 else 's'} with {', '.join(parts)}")
    gpus = f"; graphics processors: {', '.join(values['devices'][:4])}" if values["devices"] else ""
    job = dict(values["job"])
    batch = f"; batch job {job['Job']}" if "Job" in job else ""
    return plain(f"It ran on {'; '.join(kinds)}{gpus}{batch}") + "." if kinds else ""


def _code(values: Values, mark: Mark, plain: Mark) -> str:
    for place in values["code"]["places"]:
        told = dict(place["rows"])
        if "Commit" in told:
            where = told.get("Remote") or told.get("Repository", "")
            state = f" ({plain(told['State'])})" if "State" in told else ""
            return f"The code was {mark(place['path'])} at commit {mark(told['Commit'])} of {mark(where)}{state}."
    script = next((dict(place["rows"]) for place in values["code"]["places"] if place["label"] == "Script"), {})
    if "SHA-256" in script:
        path, digest = mark(script.get("Path", "")), mark(script["SHA-256"])
        return f"The code was {path} (SHA-256 {digest}), in no repository that is known."
    return ""


def _software(values: Values, plain: Mark) -> str:
    software = values["software"]
    modules = [one["name"] for one in software["modules"]["loaded"]]
    opened = [f"{one['name']} {one['version']}" for one in software["used"] if one["version"]]
    parts = [f"loaded modules were {_listed(modules)}"] if modules else []
    parts += [f"software that it opened was {_listed(opened)}"] if opened else []
    text = "; ".join(parts)
    return plain(text[:1].upper() + text[1:]) + "." if text else ""


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _container(values: Values, mark: Mark, plain: Mark) -> str:
    for one in values["software"]["containers"]:
        told = dict(one["rows"])
        if "Digest" in told:
            of = f", the digest of its {plain(told['Digest is of'])}" if "Digest is of" in told else ""
            return f"It ran in the container image {mark(told.get('Image', ''))} ({mark(told['Digest'])}{of})."
    return ""


def _data(values: Values) -> str:
    used, made = values["inputs"]["count"], values["outputs"]["count"]
    if not used and not made:
        return ""
    parts = [f"{used:,} input{'' if used == 1 else 's'}", f"{made:,} output{'' if made == 1 else 's'}"]
    return f"It had {parts[0]} and {parts[1]}; their signatures (hpcprov1, of values and not of bytes) are below."


def _record(values: Values, mark: Mark) -> str:
    seal = values["seal"]
    if not seal["digest"]:
        return ""
    state = "is intact" if seal["state"] == "intact" else "was CHANGED since it was sealed"
    return f"Its record, sealed as {mark(seal['digest'])}, {state}."
