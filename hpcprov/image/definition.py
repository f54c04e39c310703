"""Definition files of Apptainer and Singularity: what an image is built from, and the labels in `%labels`.

    header("Bootstrap: docker\\nFrom: debian:12\\n")               ->  {"bootstrap": "docker", "from": "debian:12"}
    labelled("Bootstrap: docker\\nFrom: debian:12\\n", {"a": "1"})
    -> "Bootstrap: docker\\nFrom: debian:12\\n\\n%labels\\n    a 1\\n"

The last stage of a file makes the image; a section starts with a `%` in the first column; of several lines with one key
the last one counts. Source: pkg/build/types/parser/deffile.go in https://github.com/apptainer/apptainer.
"""

from __future__ import annotations

import re

from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

STAGE = re.compile(r"(?mi)^bootstrap:")
LABELS = re.compile(r"(?i)%labels(?: .*)?")
INDENT = "    "


def header(text: str) -> dict[str, str]:
    """Keywords (in lower case) and values above the first section of the last stage."""
    found = {}
    for line in text[last_stage(text) :].split("\n"):
        if line.strip().startswith("%"):
            break
        key, colon, value = line.partition("#")[0].partition(":")
        if colon:
            found[key.strip().lower()] = value.strip()
    return found


def labelled(text: str, labels: Mapping[str, str]) -> str:
    """The file with these labels in its last stage; everything else in it stays as it is. Raises HpcprovError."""
    for key, value in labels.items():
        if "{{" in value:
            raise HpcprovError(f"the label {key!a} holds `{{{{`, which definition files replace: {value[:80]!a}")
    start = last_stage(text)
    end = "\r\n" if 0 < text.count("\n") == text.count("\r\n") else "\n"
    lines = text[start:].split(end)
    for key, value in labels.items():
        put(lines, key, f"{key} {value}".rstrip())
    return text[:start] + end.join(lines)


def last_stage(text: str) -> int:
    """Where the last stage starts."""
    return max((found.start() for found in STAGE.finditer(text)), default=0)


def put(lines: list[str], key: str, label: str) -> None:
    """Give a stage's lines this label: in place of the line of that key which counts, else after the other labels."""
    places = label_lines(lines)
    same = [place for place in places if lines[place].strip().split(" ")[0] == key]
    if same:
        old = lines[same[-1]]
        lines[same[-1]] = old[: len(old) - len(old.lstrip())] + label
        return
    sections = [place for place, line in enumerate(lines) if LABELS.fullmatch(line.rstrip())]
    if not sections:
        while lines and not lines[-1].strip():
            lines.pop()
        lines += ["", "%labels", INDENT + label, ""]
        return
    place = max([*places, sections[-1]]) + 1
    lines.insert(place, INDENT + label)


def label_lines(lines: list[str]) -> list[int]:
    """Which of a stage's lines are labels."""
    found, inside = [], False
    for place, line in enumerate(lines):
        word = line.strip()
        if word.startswith("%"):
            inside = LABELS.fullmatch(line.rstrip()) is not None
        elif inside and word and not word.startswith("#"):
            found.append(place)
    return found
