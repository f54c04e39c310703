"""Files of constraints: read with suspicion, compared, exported to Pandera, whose verdict is ours."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpcprov.data.opened import opened
from hpcprov.quality.constraints.answer import is_discovery, is_verdict
from hpcprov.quality.constraints.changes import changes
from hpcprov.quality.constraints.discover import Options, discover
from hpcprov.quality.constraints.file import BadFile, parse, read, text_of
from hpcprov.quality.constraints.pandera_script import script
from hpcprov.quality.constraints.verify import verify
from tests.require import require

REFUSED = {
    "sign": ["plus", 1, True],
    "type": ["float", [], ["int", "date", "x"], {"value": 7}],
    "min": [[1], float("nan"), {"value": 1, "precision": "vague"}, {"value": 1, "precison": "open"}],
    "max_nulls": [-1, "none", True, float("nan"), 10**400],
    "no_duplicates": ["yes", 1],
    "allowed_values": ["a", [["a"]], [{}]],
    "rex": ["a", [1], ["x" * 20_000], ["a"] * 2000],
    "min_length": ["1", -3],
    "shape": [3, [-1], [1.5], ["n"], [1] * 100],
    "order": ["up"],
    "step": ["daily", "3 fortnights", False, float("inf"), -(10**400)],
    "max_gap": [True, 10**400],
    "units": [3],
    "dtype": [None, 4],
    "finite": [0],
}


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind in REFUSED for value in REFUSED[kind]])
def test_values_that_a_kind_cannot_have_are_refused_by_name(kind: str, value: Any) -> None:
    if value is None:
        assert parse({"fields": {"a": {kind: value}}}).fields == {"a": {}}
        return
    with pytest.raises(BadFile, match=f"field a: {kind}"):
        parse({"fields": {"a": {kind: value}}})


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", '{"fields": []}', '{"fields": {"a": 3}}', '{"dataset": 1}', '{"x": {}}', "[" * 100_000,
     "\udcff", '{"fields": {}, "dataset": {"allowed_fields": [1]}}',
     '{"dataset": {"format": "hpcprov-constraints", "version": 2}}',
     '{"fields": {"a": {"max": 1' + "0" * 5000 + "}}}"],
)  # fmt: skip
def test_what_is_no_file_of_constraints_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadFile, match=r"c\.json"):
        read(str(path))


def test_pipes_and_directories_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "c.json")
    for name in ("c.json", "."):
        with pytest.raises((BadFile, OSError)):
            read(str(tmp_path / name))


def test_kinds_that_are_not_known_are_named_and_count_for_nothing() -> None:
    found = parse({"fields": {"a": {"maximum": 3, "#why": "x", "min": {"value": 1, "comment": "c"}}}, "more": 1})
    assert found.ignored == [("a", "maximum")] and list(found.fields["a"]) == ["min"]


def test_names_of_any_bytes_come_back(tmp_path: Path) -> None:
    raw = {"fields": {"a\udcff": {"min": 1}, 'b"\n</script>': {"rex": ["é"]}}}
    (tmp_path / "c.json").write_text(text_of(raw), encoding="utf-8")
    assert read(str(tmp_path / "c.json")).raw == raw


A = {
    "gone": {"min": 1}, "same": {"max": 3}, "min": {"min": 1}, "max": {"max": 2.5}, "open": {"max": 3},
    "sign": {"sign": "positive"}, "date": {"min": "2024-01-01T00:00:00"}, "dates": {"max": "2024-01-01"},
    "set": {"allowed_values": ["a", "b"]}, "type": {"type": "int"}, "other": {"min": 3}, "shape": {"shape": [3, 4]},
    "rex": {"rex": ["a"]}, "dup": {"no_duplicates": True}, "order": {"order": "increasing"}, "units": {"units": "m"},
}  # fmt: skip
B = {
    "new": {"max": 1}, "same": {"max": 3}, "min": {"min": 2}, "max": {"max": 3},
    "open": {"max": {"value": 3, "precision": "open"}},
    "sign": {"sign": "non-negative"}, "date": {"min": "2024-01-01 00:00:00"}, "dates": {"max": "2023-12-31"},
    "set": {"allowed_values": ["b", "a", "c"]}, "type": {"type": ["real", "int"]}, "other": {"min": "x"},
    "shape": {"shape": [None, 4]}, "rex": {"rex": ["b"]}, "dup": {"no_duplicates": False},
    "order": {"order": "non-decreasing"}, "units": {"units": "km"},
}  # fmt: skip


def test_changes_say_what_is_tighter_and_what_is_looser() -> None:
    one, other = parse({"fields": A, "dataset": {"required_fields": ["*"]}}), parse({"fields": B})
    found = {change["field"]: change["change"] for change in changes(one, other)}
    assert found == {
        None: "removed", "gone": "removed", "new": "added", "min": "tightened", "max": "loosened", "open": "tightened",
        "sign": "loosened", "dates": "tightened", "set": "loosened", "type": "loosened", "other": "changed",
        "shape": "loosened", "rex": "changed", "dup": "loosened", "order": "loosened", "units": "changed",
    }  # fmt: skip
    back = {change["field"]: change["change"] for change in changes(other, one)}
    turned = {"tightened": "loosened", "loosened": "tightened", "added": "removed", "removed": "added"}
    assert back == {name: turned.get(change, change) for name, change in found.items()}
    assert changes(one, one) == []


def schema_of(raw: dict[str, Any], source: str = "c.json") -> tuple[Any, list[str]]:
    """The schema that the exported script makes."""
    require("pandera", _pandera())
    text, left_out = script(parse(raw), source)
    names: dict[str, Any] = {}
    exec(compile(text, "schema.py", "exec"), names)  # noqa: S102
    return names["schema"], left_out


def _pandera() -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pandera.pandas
            import pandera.xarray  # noqa: F401
    except ImportError:
        return False
    return True


def accepts(schema: Any, data: Any) -> bool:
    import pandera.errors

    try:
        schema.validate(data, lazy=True)
    except (pandera.errors.SchemaError, pandera.errors.SchemaErrors):
        return False
    return True


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_pandera_says_of_tables_what_we_say() -> None:
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(
        {
            "n": [1, 2, 3, 4], "x": [0.5, None, 2.5, 9.0], "s": ["a-1", "b-2", "c-3", "d-4"],
            "k": ["u", "v", "u", "u"], "b": [True, False, True, True],
            "t": pd.to_datetime(["2024-01-31", "2024-02-01", "2024-03-01", "2024-03-02"]),
        }
    )  # fmt: skip
    fields = discover(opened(table), options=Options()).fields
    raw = {"fields": fields, "dataset": {"required_fields": ["*"], "allowed_fields": []}}
    schema, left_out = schema_of(raw)
    assert left_out == []
    spoiled = [
        table, table.assign(n=[1, 2, 3, 9]), table.assign(n=[1, 2, 2, 4]), table.assign(x=[-0.5, 1, 1, 1]),
        table.assign(x=[None, None, 2.5, 1]), table.assign(s=["a-1", "b-2", "c-3", "??"]),
        table.assign(k=["w", "v", "u", "u"]),
        table.assign(t=table["t"] + pd.Timedelta("900D")), table.drop(columns="b"), table.assign(z=1),
        table.assign(n=[1.0, 2.0, 3.0, 4.0]), table.assign(n=[1.5, 2, 3, 4]), table.assign(k=[1, 2, 3, 4]),
        table.assign(b=[1, 0, 1, 1]), table.iloc[:0],
    ]  # fmt: skip
    for at, one in enumerate(spoiled):
        ours = verify(opened(one), parse(raw))["failures"] == 0
        assert accepts(schema, one) == ours, at
    assert accepts(schema, table) and not accepts(schema, spoiled[1])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_pandera_says_of_arrays_what_we_say() -> None:
    xr = pytest.importorskip("xarray")
    depth = np.random.default_rng(1).random((4, 3, 5)).astype("f4")
    coords = {"time": np.arange(4) * 6, "x": np.array([0.0, 1.0, 2.5, 3.0, 4.5])}
    data = xr.Dataset({"depth": (("time", "y", "x"), depth, {"units": "m"})}, coords=coords)
    from hpcprov.data.attributes import attributes_of

    found = discover(opened(data), attributes=attributes_of(data), options=Options(growing=("0",)))
    raw = {"fields": found.fields, "dataset": {"format": "hpcprov-constraints", "version": 1}}
    schema, left_out = schema_of(raw)
    assert left_out == []
    spoiled = [
        data, data - 1, data.isel(x=[0, 1]), data.isel(time=[0, 1, 3]), data.isel(time=[0, 1]), data.astype("f8"),
        data.where(data.depth > 0.5), data.assign(depth=data.depth.assign_attrs(units="km")), data.drop_vars("x"),
        data.isel(x=[0, 2, 1, 3, 4]), data * np.float32(np.inf),
    ]  # fmt: skip
    for at, one in enumerate(spoiled):
        ours = verify(opened(one), parse(raw), attributes=attributes_of(one))["failures"] == 0
        assert accepts(schema, one) == ours, at
    assert accepts(schema, data) and not accepts(schema, spoiled[1])


def test_names_and_values_cannot_leave_their_literals() -> None:
    evil = "'); raise SystemExit('''\"\"\"\n{x}\\"
    raw = {"fields": {evil: {"allowed_values": [evil], "rex": [".*"], "min_length": 0}}}
    schema, _ = schema_of(raw, source=f'{evil}"""\nraise SystemExit')
    assert list(schema.columns) == [evil]


def test_what_pandera_cannot_say_is_named() -> None:
    raw = {
        "fields": {"a": {"dtype": "c16", "order": "increasing"}},
        "dataset": {"allowed_fields": ["tmp_*"], "required_fields": ["a", "z"]},
    }
    _, left_out = script(parse(raw), "c.json")
    assert left_out == [
        "required field 'z', which has no constraints", "allowed_fields ['tmp_*']: any others may be there, too",
        "'a': dtype", "'a': order",
    ]  # fmt: skip


def test_answers_that_no_sound_child_gives_are_refused() -> None:
    table = np.arange(3)
    verdict = verify(opened(table), parse({"fields": {"": {"max": 1}}}))
    assert is_verdict(verdict) and is_verdict(json.loads(json.dumps(verdict)))
    for key, value in (("passes", "1"), ("fields", {}), ("fields", [{"path": 3}]), ("ignored", [["a"]])):
        assert not is_verdict(verdict | {key: value})
    found = discover(opened(table)).as_json() | {"kind": "tree"}
    assert is_discovery(found)
    for key, value in (("fields", {"a": {"evil": 1}}), ("notes", [1]), ("kind", "x"), ("excluded", [{}])):
        assert not is_discovery(found | {key: value})
