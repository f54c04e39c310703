"""`hpcprov fields` and `hpcprov define`: what they print of records, of files that have travelled, and of nothing."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from merge.build import Launch

from hpcprov.commands.fields_page import render
from hpcprov.commands.screen import Screen
from hpcprov.record.layout import Store

from .conftest import Call, day, publish

h5py = pytest.importorskip("h5py")


def artifact(role: str, path: str, value: str, **fields: str) -> dict[str, Any]:
    listed = [
        {"path": name, "signature": f"hpcprov1:{letter * 64}", "type": "f8", "shape": [9], "tile": [9], "bytes": 72}
        for name, letter in fields.items()
    ]
    signature = {"digest": f"hpcprov1:{value * 64}", "how": "full", "kind": "tree", "fields": listed}
    known = {"declared": ["x"], "state": "ok", "format": "hdf5", "size": 5000, "signature": signature}
    return {"role": role, "path": path, "storage": {"digest": f"blake3:{value * 64}", "how": "full"}} | known


def entry(path: str, field: str, expression: str, *inputs: str, **keys: Any) -> dict[str, Any]:
    pairs = [{"path": place, "field": name} for place, _, name in (text.rpartition("/") for text in inputs)]
    return {"path": path, "field": field, "expression": expression, "language": "python", "inputs": pairs} | keys


def ran(
    store: Store, run: str, at: float, *artifacts: dict[str, Any], told: list[dict[str, Any]] | None = None
) -> None:
    launch = (
        Launch(launch=f"{int(at)}-1").start(at=at, name=run, cwd="/d", argv=["python", f"{run}.py"]).exit(at=at + 1)
    )
    launch.add("definition", at + 0.5, rank=0, pid=70, ticks=5, entries=told or [])
    for one in artifacts:
        launch.add("artifact", at + 1, **one)
    publish(store, run, launch)


@pytest.fixture
def history(store: Store) -> Store:
    """terrain -> flood.h5 (h told, u not) -> map.h5 (depth, speed), which plot reads."""
    ran(
        store,
        "flood",
        day(1),
        artifact("used", "/d/terrain", "1", z="a"),
        artifact("generated", "/d/flood.h5", "2", h="b", u="c"),
        told=[entry("/d/flood.h5", "h", "3 * z", "/d/terrain/z")],
    )
    ran(
        store,
        "map",
        day(2),
        artifact("used", "/d/flood.h5", "2", h="b", u="c"),
        artifact("generated", "/d/map.h5", "3", depth="d", speed="e"),
        told=[
            entry("/d/map.h5", "depth", "h * (h > 0.01)", "/d/flood.h5/h"),
            entry("/d/map.h5", "speed", "hypot(u, h)", "/d/flood.h5/u", "/d/flood.h5/h", context="by cell"),
        ],
    )
    return store


def test_definitions_of_a_file_that_is_gone(history: Store, call: Call) -> None:
    status, out, err = call("fields", "/d/map.h5")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "depth  f8  9",
        "  = h * (h > 0.01)   [in flood.h5 @ hpcprov1:22222222…]",
        "  map  2026-11-20 11:06:40",
        "speed  f8  9",
        "  = hypot(u, h) by cell [in flood.h5 @ hpcprov1:22222222…]",
        "  map  2026-11-20 11:06:40",
    ]


def test_fields_that_were_made_in_one_way_are_followed_once(history: Store, call: Call) -> None:
    ran(
        history,
        "sums",
        day(3),
        artifact("used", "/d/map.h5", "3", depth="d", speed="e"),
        artifact("generated", "/d/sums.h5", "5", a="5", b="6", c="7"),
        told=[entry("/d/sums.h5", "c", "max depth", "/d/map.h5/depth")],
    )
    status, out, _ = call("fields", "/d/sums.h5", "--follow")
    assert status == 0
    assert out.splitlines()[:6] == [
        "/d/sums.h5/a  f8  9",
        "/d/sums.h5/b  f8  9",
        "│ made by python sums.py   [in map.h5 @ hpcprov1:33333333…]",
        "│ sums  2026-11-21 11:06:41",
        "└─ /d/map.h5",
        "   │ made by python map.py   [in flood.h5 @ hpcprov1:22222222…]",
    ]
    assert out.count("made by python sums.py") == 1 and "/d/sums.h5/c  f8  9\n│ = max depth" in out


def test_following_goes_back_to_the_raw_input(history: Store, call: Call) -> None:
    status, out, _ = call("fields", "/d/map.h5", "--follow")
    assert status == 0
    assert out.splitlines() == [
        "/d/map.h5/depth  f8  9",
        "│ = h * (h > 0.01)   [in flood.h5 @ hpcprov1:22222222…]",
        "│ map  2026-11-20 11:06:40",
        "└─ /d/flood.h5/h",
        "   │ = 3 * z   [in terrain @ hpcprov1:11111111…]",
        "   │ flood  2026-11-19 11:06:40",
        "   └─ /d/terrain/z  raw: no run made it",
        "",
        "/d/map.h5/speed  f8  9",
        "│ = hypot(u, h) by cell [in flood.h5 @ hpcprov1:22222222…]",
        "│ map  2026-11-20 11:06:40",
        "├─ /d/flood.h5/u",
        "│  │ made by python flood.py   [in terrain @ hpcprov1:11111111…]",
        "│  │ flood  2026-11-19 11:06:41",
        "│  └─ /d/terrain  raw: no run made it",
        "└─ /d/flood.h5/h  (above)",
    ]


def test_one_field_and_a_depth(history: Store, call: Call) -> None:
    status, out, _ = call("fields", "/d/map.h5/speed", "--depth", "1", "--json")
    (node,) = json.loads(out)["fields"]
    assert (status, node["field"]) == (0, "speed")
    assert [(one["field"], one["inputs"]) for one in node["inputs"]] == [("u", []), ("h", [])]
    assert node["inputs"][1]["definition"]["expression"] == "3 * z"


def test_what_is_not_there_is_an_error(history: Store, call: Call) -> None:
    assert call("fields", "/d/map.h5/nothing")[0] == 2
    assert "its fields are depth, speed" in call("fields", "/d/map.h5/nothing")[2]
    status, _, err = call("fields", "/d/nowhere.h5")
    assert (status, "no record knows of fields" in err) == (2, True)


def test_a_figure_is_followed_as_a_whole(history: Store, call: Call) -> None:
    figure = artifact("generated", "/d/fig.png", "4") | {"signature": None, "format": "file"}
    ran(history, "plot", day(3), artifact("used", "/d/map.h5", "3", depth="d", speed="e"), figure)
    status, out, _ = call("fields", "/d/fig.png", "--depth", "2")
    assert status == 0
    assert out.splitlines()[:4] == [
        "/d/fig.png",
        "│ made by python plot.py   [in map.h5 @ hpcprov1:33333333…]",
        "│ plot  2026-11-21 11:06:41",
        "└─ /d/map.h5",
    ]


def test_a_file_that_defines_itself_ends(store: Store, call: Call) -> None:
    ran(
        store,
        "loop",
        day(1),
        artifact("used", "/d/a.h5", "1", x="a"),
        artifact("generated", "/d/a.h5", "2", x="b"),
        told=[entry("/d/a.h5", "x", "y + 1", "/y"), entry("/d/a.h5", "y", "x + 1", "/x", "/d/a.h5/x")],
    )
    status, out, _ = call("fields", "/d/a.h5", "--follow")
    assert status == 0
    assert "/d/a.h5/x  (above)" in out


def test_a_long_chain_stops(store: Store, call: Call) -> None:
    names = [f"f{number}" for number in range(300)]
    told = [entry("/d/a.h5", one, f"{other} + 1", f"/{other}") for one, other in pairwise(names)]
    ran(store, "chain", day(1), artifact("generated", "/d/a.h5", "2", f0="b"), told=told)
    status, out, _ = call("fields", "/d/a.h5", "--follow")
    assert status == 0
    assert "f99 + 1" in out and "f150" not in out


def test_a_file_that_has_travelled_tells_by_itself(tmp_path: Path, store: Store, call: Call) -> None:
    with h5py.File("out.h5", "w") as file:
        file["depth"] = np.arange(3.0)
        file["depth"].attrs["hpcprov_definition"] = "h * 2"
        context = {"inputs": [{"path": "/far/flood.h5", "field": "h"}], "by": "r7", "when": "2026-11-20T00:00:00Z"}
        file["depth"].attrs["hpcprov_context"] = json.dumps(context)
    status, out, _ = call("fields", "out.h5", "--follow")
    assert status == 0
    assert out.splitlines() == [
        "out.h5/depth  f8  3",
        "│ = h * 2   [in flood.h5]",
        "│ the file says so: r7  2026-11-20 00:00:00",
        "└─ /far/flood.h5/h  raw: nothing is recorded of it",
    ]


def test_a_stamped_command_is_no_expression(tmp_path: Path, store: Store, call: Call) -> None:
    with h5py.File("out.h5", "w") as file:
        file["depth"] = np.arange(3.0)
        file["depth"].attrs["hpcprov_definition"] = "python map.py"
        inputs = [{"path": f"/{'far' * 60}/flood.h5", "field": ""}]
        file["depth"].attrs["hpcprov_context"] = json.dumps({"inputs": inputs, "by": "r7", "language": "command"})
    told = call("fields", "out.h5", "--follow")[1].splitlines()
    assert told[1] == "│ made by python map.py   [in flood.h5]"
    assert told[3] == "└─ flood.h5  raw: nothing is recorded of it"


def test_where_nothing_is_known_it_says_what_was_asked(tmp_path: Path, store: Store, call: Call) -> None:
    with h5py.File("out.h5", "w") as file:
        file["depth"], file["wet"] = np.arange(3.0), [1]
    status, out, _ = call("fields", "out.h5")
    assert (status, out.splitlines()[:2]) == (0, ["depth  f8  3", "wet    i8  1"])
    assert f"note: asked were its own attributes and the records in {store.root}" in " ".join(out.split())
    raw = "raw: nothing is recorded of it"
    told = [f"out.h5/depth  f8  3  {raw}", f"out.h5/wet  i8  1  {raw}"]
    assert call("fields", "out.h5", "--follow")[1].splitlines()[:2] == told
    ran(store, "made", day(1), artifact("generated", str(tmp_path / "out.h5"), "2", depth="b"))
    assert "asked" not in call("fields", "out.h5")[1]


def test_a_damaged_file_is_an_error(store: Store, call: Call) -> None:
    Path("bad.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 100)
    status, _, err = call("fields", "bad.h5")
    assert status == 2
    assert "bad.h5" in err and "Traceback" not in err


def test_define_one_field(store: Store, call: Call) -> None:
    with h5py.File("out.h5", "w") as file:
        file["h"], file["depth"] = np.arange(3.0), np.arange(3.0) * 2
    np.savez("terrain.npz", z=np.arange(3.0))
    status, out, _ = call("define", "out.h5", "depth", "h * 2", "--input", "h", "--input", "terrain.npz/z")
    assert status == 0
    assert out.splitlines()[1].startswith("  = h * 2   [in terrain.npz @ hpcprov1:")
    (_, node) = sorted(
        json.loads(call("fields", "out.h5", "--json")[1])["fields"], key=lambda one: one["field"] == "depth"
    )
    assert node["definition"]["how"] == "written"
    assert [one["field"] for one in node["definition"]["inputs"]] == ["h", "z"]
    assert all(one["signature"] for one in node["definition"]["inputs"])
    shutil.move("out.h5", "moved.h5")
    assert "= h * 2" in call("fields", "moved.h5")[1]  # found by its values


def test_define_in_the_attributes_leaves_the_signature(store: Store, call: Call) -> None:
    with h5py.File("out.h5", "w") as file:
        file["g/depth"] = np.arange(3.0)
    before = json.loads(call("hash", "out.h5", "--json")[1])[0]["signature"]["digest"]
    status, _, err = call("define", "out.h5", "g/depth", "h * 2", "--embed")
    assert (status, err) == (0, "")
    assert json.loads(call("hash", "out.h5", "--json")[1])[0]["signature"]["digest"] == before
    with h5py.File("out.h5") as file:
        assert bytes(file["g/depth"].attrs["hpcprov_definition"]) == b"h * 2"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("out.npz", "y", "x * 2"), "no field 'y'"),
        (("out.npz", "x", "x * 2", "--input", "nowhere.h5/x"), "nowhere.h5"),
        (("out.npz", "x"), "EXPRESSION"),
        (("out.npz", "x", " "), "1 to 4,096"),
        (("--sql", "q.sql"), "--output"),
        (("--sql", "q.sql", "--output", "out.npz", "--input", "trans"), "NAME=PATH"),
        (("--sql", "nowhere.sql", "--output", "out.npz"), "nowhere.sql"),
        (("--sql", "q.sql", "--output", "out.npz"), "--input NAME=PATH"),
        (("--sql", "q.sql", "--output", "out.npz", "--input", "trans=out.npz"), "no column of the query"),
        (("--sql", "bin.sql", "--output", "out.npz"), "not UTF-8"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_what_define_refuses(store: Store, call: Call, words: tuple[str, ...], said: str) -> None:
    if "--sql" in words:
        pytest.importorskip("sqlglot")
    np.savez("out.npz", x=np.arange(3.0))
    Path("q.sql").write_text("select x as other from trans")
    Path("bin.sql").write_bytes(b"select \xff")
    status, _, err = call("define", *words)
    assert status == 2
    assert said in err


def test_a_query_defines_all_columns(store: Store, call: Call) -> None:
    pytest.importorskip("sqlglot")
    pytest.importorskip("pyarrow")
    Path("trans.csv").write_text("id,amount\n1,2.5\n1,3.5\n2,1.5\n")
    Path("by_id.csv").write_text("id,n,more\n1,2,0\n2,1,0\n")
    Path("q.sql").write_text("select id, count(*) as n, sum(amount) as total from trans group by id")
    status, out, _ = call("define", "--sql", "q.sql", "--input", "trans=trans.csv", "--output", "by_id.csv")
    assert status == 0
    assert "  = count(*) by id [in trans.csv @ hpcprov1:" in out
    assert "note: the query also gives total, which by_id.csv does not have" in out
    assert "note: the query does not give more, which by_id.csv has" in out
    status, out, _ = call("fields", "by_id.csv/n", "--follow")
    assert "= count(*) by id [in trans.csv @ hpcprov1:" in out
    assert "└─ trans.csv  raw: " in out


def test_hostile_names_and_expressions_are_shown_as_escapes() -> None:
    text = "a\x1b[31m\u202eb\udcff\n<script>"
    one = {"expression": text, "language": "text", "inputs": [], "context": text, "by": text, "name": text}
    node = {"path": f"/d/{text}", "field": text, "type": text, "shape": [2**70, 0], "inputs": [], "raw": None}
    node |= {"definition": one | {"when": None, "how": "attribute", "step": None}}
    for follows in (False, True):
        lines = render(
            [node, node | {"definition": None, "raw": "no run made it"}],
            Screen(colour=False, width=80),
            "/d",
            follows=follows,
        )
        assert all(line.isprintable() for line in lines)


def test_lines_keep_to_the_width() -> None:
    one = {
        "expression": "x + " * 400,
        "language": "text",
        "inputs": [],
        "context": "[in a]",
        "by": "r" * 200,
        "name": "n",
    }
    node = {"path": "/d/" + "p" * 200, "field": "f", "type": "f8", "shape": [], "inputs": [], "raw": None}
    node |= {"definition": one | {"when": None, "how": "told", "step": None}}
    lines = render([node], Screen(colour=False, width=80), "/d", follows=False)
    assert max(map(len, lines)) <= 80
    assert len(lines) < 12
