"""An image's page: what `image.describe` tells, as lines for a terminal. Pure: facts and screen in, lines out.

identity   sha256:b47e4f28... (primary partition)
built      2026-11-21 07:51:42 with apptainer 1.4.5 from localimage im/
signed     group 1 by 610FD9DB...: objects 1, 2, 3 are as they were signed
"""

from __future__ import annotations

import time

from hpcprov.commands.page import lay_out
from hpcprov.commands.screen import cut, size
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.commands.screen import Screen

    Row = tuple[str, str]

MOST_LABELS = 40
MOST_OBJECTS = 16
MOST_DEFINITION_LINES = 12


def render(facts: dict[str, Any], screen: Screen) -> list[str]:
    """The lines of the page."""
    parts = PARTS if facts["format"] == "sif" else (other, identity, labels)
    rows = [row for part in parts for row in part(facts, screen)]
    return [screen.paint(printable(facts["path"]), "bold"), "", *lay_out(rows, screen)]


def image(facts: dict[str, Any], screen: Screen) -> Iterator[Row]:
    yield "image", f"SIF, {facts['arch']}, {size(facts['size'])}, {facts['uuid']}"


def other(facts: dict[str, Any], screen: Screen) -> Iterator[Row]:
    """Of an image that is no SIF file."""
    yield "image", printable(facts["format"])
    if facts.get("definition"):
        yield "definition", printable(f"sha256:{facts['definition']['sha256']}")


def identity(facts: dict[str, Any], screen: Screen) -> Iterator[Row]:
    found = facts["identity"] or {"reason": facts["reason"]}
    if "reason" in found:
        yield "identity", printable(f"unknown: {found['reason']}")
        return
    yield "identity", printable(f"{found['digest']} ({found['of']})")
    for one in found.get("others", ()):
        yield "identity", printable(f"{one['digest']} ({one['of']}, object {one['id']})")


def built(facts: dict[str, Any], screen: Screen) -> Iterator[Row]:
    found = facts["built"]
    parts = [stamp(found["created"])] if found["created"] else []
    parts += [f"with {found['with']}"] if found["with"] else []
    parts += [f"from {found['bootstrap']} {found['from'] or ''}".rstrip()] if found["bootstrap"] else []
    parts += [f"by run {found['run']}"] if found["run"] else []
    yield "built", cut(" ".join(parts) or "the image does not say", 2 * screen.width)


def stamp(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def labels(facts: dict[str, Any], screen: Screen) -> Iterator[Row]:
    found = facts["labels"]
    if not found:
        yield "labels", printable(facts.get("reason") or "none")
        return
    for key in sorted(found)[:MOST_LABELS]:
        yield "labels", cut(f"{key}: {found[key]}", 2 * screen.width)
    if len(found) > MOST_LABELS:
        yield "labels", f"... and {len(found) - MOST_LABELS} more (--json)"


def signatures(facts: dict[str, Any], screen: Screen) -> Iterator[Row]:
    if not facts["signatures"]:
        yield "signed", "no"
    for one in facts["signatures"]:
        by = one["fingerprint"] or "a key without a fingerprint"
        yield "signed", f"group {one['group']} by {by}: {standing(one, screen)}"
    if facts["signatures"]:
        yield "signed", "whose key it is, `apptainer verify` checks"


def standing(one: dict[str, Any], screen: Screen) -> str:
    """Whether what a signature covers is still what was signed."""
    if one["reason"]:
        return printable(f"not compared: {one['reason']}")
    if one["changed"]:
        names = ", ".join("the header" if number == 0 else f"object {number}" for number in one["changed"])
        return screen.paint(f"{names} CHANGED since", "red")
    return f"object{'s' if len(one['objects']) != 1 else ''} {', '.join(map(str, one['objects']))} as signed"


def objects(facts: dict[str, Any], screen: Screen) -> Iterator[Row]:
    for one in facts["objects"][:MOST_OBJECTS]:
        about = [one["file_system"], one["role"], one["arch"]] if "role" in one else []
        group = [f"group {one['group']}"] if one["group"] else []
        told = ", ".join([one["type"], *about, size(one["size"]), *group, *([one["name"]] if one["name"] else [])])
        yield "objects", cut(f"{one['id']:<3}{told}", screen.width)
    if len(facts["objects"]) > MOST_OBJECTS:
        yield "objects", f"... and {len(facts['objects']) - MOST_OBJECTS} more (--json)"


def definition(facts: dict[str, Any], screen: Screen) -> Iterator[Row]:
    found = facts["definition"]
    if type(found) is not str:
        yield "definition", "the image keeps none" if found is None else printable(found["reason"])
        return
    lines = [line for line in found.splitlines() if line.strip()]
    for line in lines[:MOST_DEFINITION_LINES]:
        yield "definition", cut(line.expandtabs(4), screen.width)
    if len(lines) > MOST_DEFINITION_LINES:
        yield "definition", f"... and {len(lines) - MOST_DEFINITION_LINES} more lines (--json)"


PARTS = (image, identity, built, labels, signatures, objects, definition)
