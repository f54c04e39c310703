"""Dictionaries for tests: small ones, and one in which every name and word is an attack.

dictionary(["depth", "mask"])["fields"][0]["name"]  ->  "depth"
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from report.hostile import PAYLOADS

from hpcprov.quality.dictionary.annotations import Annotations, Cell
from hpcprov.quality.dictionary.compose import compose

NAMES = (
    *PAYLOADS[:6],
    *(
        "",
        "=1+1",
        "'=1+1",
        "''@x",
        "-x",
        "new\nline",
        "tab\tx",
        "cr\rx",
        "ünï",
        "\u202eevil",
        "_x0041_",
        "_x005F_",
        "raw\udcff",
    ),
    *("\x1b[31mred", "a,b;c\td", '"quoted"', "＝1", " blanks ", "#N/A", "TRUE", "1", "2026-11-21", "x" * 3000),
)


def layout(names: Iterable[str], kind: str = "tree") -> dict[str, Any]:
    fields = [
        {"path": name, "type": "f4", "shape": [4, 50], "chunks": [2, 50], "codec": "deflate(4)"} for name in names
    ]
    return {"format": "hdf5", "kind": kind, "fields": fields, "signature": f"hpcprov1:{'ab' * 32}"}


def statistics(**some: Any) -> dict[str, Any]:
    usual = {"count": 200, "missing": 3, "zeros": 10, "positive": 180, "negative": 7, "min": -1.5, "max": 2**64 - 1}
    return (
        usual
        | {"mean": 0.25, "std": 1e-300, "distinct": 2, "values": [[-1.5, 7], [0.0, 193]], "duplicates": 195}
        | some
    )


def dictionary(names: Iterable[str] = ("depth", "mask"), **more: Any) -> dict[str, Any]:
    """A dictionary of fields with these names, each with units and statistics."""
    names = list(names)
    attributes = {"dataset": {"title": "A flood", "keywords": "flood, terrain"}, "fields": {}}
    attributes["fields"] = {name: {"units": "m", "long_name": f"what {k} is"} for k, name in enumerate(names)}
    given = {"attributes": attributes, "statistics": {name: statistics() for name in names}}
    about = {"name": "flood.nc", "path": "/data/flood.nc", "host": "node7", "size": 8310}
    return compose(layout(names), **({"about": about} | given | more))


def hostile() -> dict[str, Any]:
    """Names, attributes, annotations, definitions and facts that all want to be executed."""
    bad = [PAYLOADS[k % 6] for k in range(len(NAMES))]
    words = {
        name: dict.fromkeys(("units", "long_name", "cell_methods", "keywords"), text)
        for name, text in zip(NAMES, bad, strict=True)
    }
    attributes = {"dataset": dict.fromkeys(("title", "keywords"), PAYLOADS[0]), "fields": words}
    notes = Annotations("x", dataset={"tags": Cell(PAYLOADS[4], "", "")})
    for k, name in enumerate(NAMES):
        notes.put(name, "description", Cell(PAYLOADS[k % 6], PAYLOADS[1], PAYLOADS[2]))
        notes.put(name, "units", Cell(PAYLOADS[(k + 1) % 6], PAYLOADS[1], PAYLOADS[2]))
    run = dict.fromkeys(("id", "how", "path", "command", "when", "user", "name", "status"), PAYLOADS[0]) | {
        "made": True
    }
    told = {"expression": PAYLOADS[5], "context": PAYLOADS[0], "how": "told"}
    counted = {name: statistics(min=PAYLOADS[0], max=PAYLOADS[1], values=[[PAYLOADS[2], 1], ["", 2]]) for name in NAMES}
    about = dict.fromkeys(("name", "path", "host", "created", "statistics"), PAYLOADS[0]) | {"run": run}
    return dictionary(NAMES, attributes=attributes, annotations=notes, statistics=counted, about=about,
                      definitions={name.strip("/"): told for name in NAMES})  # fmt: skip
