"""The parts of a run's page that tell on which data it ran, by which programs and with what code of the user's own.

    programs   3 programs, executed 12 times
    code       job.sh, solve.py
    inputs     data/f.h5  observed  hdf5  42 kB  hpcprov1:78ad7e73ea22
               tiles/  observed  20,000 files  1.3 GB  19,000 not hashed
    outputs    out/u.h5  both  hdf5  8.3 MB  hpcprov1:abababababab

Of many artifacts those that nobody declared are one line for each directory that holds several.
"""

from __future__ import annotations

import textwrap

from hpcprov.commands.screen import count, cut, extents, size
from hpcprov.merge.observation import RECORDED
from hpcprov.record import verdicts
from hpcprov.record.artifact import is_memory
from hpcprov.record.statistics import spread
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from hpcprov.commands.screen import Screen
    from hpcprov.record.model import Record

    Artifact = dict[str, Any]

MOST_ARTIFACTS = 12
MOST_FIELDS = 8
MOST_CODE = 8
MOST_REASONS = 4
MOST_DIRECTORIES = 3
SEVERAL = 3  # files of a directory that are one line where there are many
SHORT = 12  # hex digits of a signature: enough to tell two apart by eye
BESIDE = 13  # columns that a label and the indentation take
LABELS = (("used", "inputs", "read"), ("generated", "outputs", "written"))


def artifacts(record: Record, screen: Screen) -> Iterator[tuple[str, str]]:
    """Inputs and outputs, with the fields that were signed."""
    cwd = (record["run"]["cwd"] or "/").rstrip("/") + "/"
    observation = record.get("observation")
    for role, label, verb in LABELS:
        found = sorted(record["artifacts"][role], key=lambda artifact: not artifact["declared"])
        rows = folded(found, cwd)
        for artifacts in rows[:MOST_ARTIFACTS]:
            if len(artifacts) > 1:
                yield label, _directory(artifacts, cwd, screen)
            else:
                known = source(artifacts[0]) if observation is not None else ""
                yield from ((label, line) for line in _artifact(artifacts[0], cwd, known, screen))
        if len(rows) > MOST_ARTIFACTS:
            yield label, f"... and {sum(map(len, rows[MOST_ARTIFACTS:])):,} more"
        yield from ((label, line) for line in _only_counted((observation or {}).get("directories", []), verb, screen))
        if not found and record["run"]["declared"][label]:
            running = record["run"]["status"] == "running"
            why = "looked at when the run has ended" if running else "not hashed: the run's end left nobody to do it"
            yield label, f"{cut(', '.join(record['run']['declared'][label]), screen.width)}  ({why})"


def folded(found: list[Artifact], cwd: str) -> list[list[Artifact]]:
    """The artifacts of each line: few have one each, of many there is one for all that lie in or below a directory."""
    if len(found) <= MOST_ARTIFACTS:
        return [[artifact] for artifact in found]
    rows: dict[str, list[Artifact]] = {}
    for artifact in found:
        path = artifact["path"]
        rows.setdefault(path if artifact["declared"] else top(path, cwd) or path, []).append(artifact)
    return [row for rows_of in rows.values() for row in ([rows_of] if len(rows_of) >= SEVERAL else singly(rows_of))]


def singly(artifacts: Iterable[Artifact]) -> list[list[Artifact]]:
    return [[artifact] for artifact in artifacts]


def top(path: str, cwd: str) -> str:
    """The directory under which a file is counted: the first one below the run's, elsewhere its own."""
    if path.startswith(cwd):
        first, slash, _ = path[len(cwd) :].partition("/")
        return cwd + first + slash if slash else ""
    return path[: path.rfind("/") + 1]


def _directory(artifacts: list[Artifact], cwd: str, screen: Screen) -> str:
    """The line of many artifacts in a directory."""
    left = sum(artifact["state"] != "ok" for artifact in artifacts)
    parts = ["observed", count(len(artifacts), "file"), size(sum(artifact["size"] or 0 for artifact in artifacts))]
    parts += [f"{left:,} not hashed"] if left else []
    return f"{end_of(_below(top(artifacts[0]['path'], cwd), cwd), screen.width // 2)}  {'  '.join(parts)}"


def _only_counted(directories: list[dict[str, Any]], verb: str, screen: Screen) -> Iterator[str]:
    """Where files lie of which there were too many to be listed."""
    told = [one for one in directories if one[verb]]
    if told:
        names = ", ".join(f"{one['path']}/ ({one[verb]:,} {verb})" for one in told[:MOST_DIRECTORIES])
        more = f" and {len(told) - MOST_DIRECTORIES:,} directories more" if len(told) > MOST_DIRECTORIES else ""
        yield cut(f"... too many to be listed, only counted: {names}{more}", 2 * screen.width)


def programs(record: Record, screen: Screen) -> Iterator[tuple[str, str]]:
    """How many programs the run executed, how many of them could not be looked into, and what they ran."""
    observation = record.get("observation")
    if observation is None:
        return
    rows = [*observation["programs"], *observation["counted"]]
    dark = sum(row["count"] for row in rows if row["blind"] not in (None, RECORDED))
    beside = f", {dark:,} could not be looked into" if dark else ""
    if rows:
        times = count(sum(row["count"] for row in rows), "time")
        yield "programs", f"{count(len(rows), 'program')}, executed {times}{beside}"
    told = dict.fromkeys(reason for node in observation["nodes"] for reason in node["reasons"])
    reasons = [reason for reason in told if not (dark and reason.endswith(" programs could not be looked into"))]
    for reason in reasons[:MOST_REASONS]:
        yield "observed", cut(f"not all: {reason}", screen.width)
    cwd = (record["run"]["cwd"] or "/").rstrip("/") + "/"
    code = [_below(one["path"], cwd) for one in observation["code"]]
    if code:
        more = f" and {len(code) - MOST_CODE:,} more" if len(code) > MOST_CODE else ""
        yield "code", cut(", ".join(code[:MOST_CODE]), 2 * screen.width) + more


def source(artifact: Artifact) -> str:
    """How the run's record knows of an artifact."""
    if is_memory(artifact["path"]):
        return "in memory"
    if artifact.get("observed") is None:
        return "declared"
    return "declared, observed" if artifact["declared"] else "observed"


def _artifact(artifact: Artifact, cwd: str, known: str, screen: Screen) -> Iterator[str]:
    facts = [artifact["format"] or "", size(artifact["size"]) if artifact["size"] is not None else ""]
    signature, storage = artifact["signature"], artifact["storage"]
    digest = short(signature["digest"]) if signature else short(storage["digest"]) if storage else ""
    trail = "with its trail" if artifact.get("embedded") else ""
    state = "" if artifact["state"] == "ok" else f"{artifact['state']}: {artifact['reason'] or 'why is unknown'}"
    yield f"{end_of(_below(artifact['path'], cwd), screen.width // 2)}  " + "  ".join(
        cut(part, screen.width) for part in (known, *facts, digest, trail, state) if part
    )
    fields = signature["fields"] if signature else []
    for field in fields[:MOST_FIELDS]:
        shape = extents(field["shape"], "x")
        name = cut(field["path"] or "(the array)", 32)
        within = spread(field.get("statistics"))
        values = f"  {cut(within, 60)}" if within else ""
        yield f"  {name:<16}  {cut(field['type'], 24)} {shape}  {short(field['signature'])}{values}"
    if len(fields) > MOST_FIELDS:
        yield f"  ... and {len(fields) - MOST_FIELDS} more fields"
    for line in verdicts.lines(artifact):
        colour = "red" if verdicts.failed(artifact) else "green"
        yield from (f"  {screen.paint(part, colour)}" for part in _wrapped(line, screen.width - BESIDE))


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(printable(text), max(40, width), subsequent_indent="  ", break_on_hyphens=False)


def _below(path: str, cwd: str) -> str:
    return path.removeprefix(cwd)


def end_of(path: str, width: int) -> str:
    """An untrusted path on at most `width` characters: of a long one the end, which tells more than its beginning."""
    shown = printable(path)
    return shown if len(shown) <= width else f"…{shown[len(shown) - width + 1 :]}"


def short(digest: str) -> str:
    """`hpcprov1:` or `blake3:` and the beginning of the hexadecimal digits."""
    kind, _, digits = printable(digest).partition(":")
    return f"{kind}:{digits[:SHORT]}"
