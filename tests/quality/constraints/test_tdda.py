"""The tdda package and hpcprov agree: what one discovers the other verifies, with the same passes and failures."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpcprov.data.opened import opened
from hpcprov.quality.constraints.discover import Options, discover
from hpcprov.quality.constraints.file import parse, text_of
from hpcprov.quality.constraints.verify import verify
from tests.require import require

try:
    import pandas as pd
    import pyarrow

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tdda.constraints import discover_df, verify_df
except ImportError:
    pyarrow = None

pytestmark = pytest.mark.filterwarnings("ignore")

ROWS = 40


@pytest.fixture(autouse=True)
def _tdda() -> None:
    require("tdda", pyarrow is not None)


def table() -> Any:
    """A column of each type that TDDA knows, with and without missing values."""
    rng = np.random.default_rng(7)
    days = pd.to_datetime("2024-01-31") + pd.to_timedelta(rng.integers(0, 900, ROWS), unit="D")
    return pd.DataFrame(
        {
            "int": rng.integers(-5, 90, ROWS),
            "id": np.arange(ROWS) * 3 + 7,
            "count": pd.array([None, *rng.integers(1, 9, ROWS - 1)], dtype="Int64"),
            "whole": np.where(np.arange(ROWS) % 9 == 0, np.nan, 4.0),
            "real": rng.normal(0, 2, ROWS),
            "gap": np.where(np.arange(ROWS) < 1, np.nan, rng.random(ROWS)),
            "bool": rng.random(ROWS) < 0.5,
            "maybe": pd.array([None, None, *(rng.random(ROWS - 2) < 0.5)], dtype="boolean"),
            "day": days,
            "moment": days + pd.to_timedelta(rng.integers(0, 10**9, ROWS), unit="us"),
            "kind": rng.choice(["low", "high", "Überlauf"], ROWS),
            "code": [f"{chr(65 + at % 26)}{at:03d}-{at % 7}" for at in range(ROWS)],
            "name": [None if at == 3 else f"st. {at % 30} <b>" for at in range(ROWS)],
            "zero": np.zeros(ROWS, int),
        }
    )


def tdda_verdict(table: Any, raw: dict[str, Any], folder: Path, **options: Any) -> Any:
    """What tdda says, with the table as it is (without repairs of what its own CSV reader does)."""
    file = folder / "constraints.tdda"
    file.write_text(text_of(raw), encoding="utf-8")
    return verify_df(table, str(file), repair=False, **options)


def verdicts(found: dict[str, Any]) -> dict[str, dict[str, bool]]:
    fields = found["fields"]
    return {
        field["path"]: {one["constraint"]: one["ok"] for one in field["constraints"]}
        for field in fields
        if field["constraints"]
    }


def tdda_fields(found: Any) -> dict[str, dict[str, bool]]:
    return {name: {kind: bool(ok) for kind, ok in field.items()} for name, field in found.fields.items()}


def discovered(table: Any) -> dict[str, Any]:
    dataset = {"allowed_fields": [], "required_fields": ["*"]}
    return {"fields": discover(opened(table), options=Options()).fields, "dataset": dataset}


def discovered_by_tdda(table: Any, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    raw: dict[str, Any] = json.loads(discover_df(table, inc_rex=True).to_json())
    capsys.readouterr()
    return raw


def assert_agreement(table: Any, raw: dict[str, Any], folder: Path, *, strict: bool = False) -> int:
    """Both say the same of every constraint; how many failed."""
    checking = "strict" if strict else "sloppy"
    theirs = tdda_verdict(table, raw, folder, type_checking=checking)
    ours = verify(opened(table), parse(raw), type_checking=checking)
    assert verdicts(ours) == tdda_fields(theirs)
    assert (ours["passes"], ours["failures"]) == (theirs.passes, theirs.failures)
    return int(theirs.failures)


def test_both_discover_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs = discovered(table())["fields"], discovered_by_tdda(table(), capsys)["fields"]
    for fields in (ours, theirs):
        for members in fields.values():
            if "allowed_values" in members:
                members["allowed_values"] = sorted(members["allowed_values"])
            for kind in ("min", "max"):
                if members["type"] == "date":
                    members[kind] = str(pd.Timestamp(members[kind]))
    assert ours == theirs


def test_what_one_discovers_the_other_verifies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = table()
    assert assert_agreement(good, discovered(good), tmp_path) == 0
    assert assert_agreement(good, discovered_by_tdda(good, capsys), tmp_path) == 0


def changed(name: str, at: int, value: Any) -> Callable[[Any], Any]:
    def change(table: Any) -> Any:
        table.loc[at, name] = value
        return table

    return change


#: What is done to the table: the constraints that are violated then.
VIOLATIONS = {
    "min": (changed("int", 5, -99), {("int", "min")}),
    "max and duplicates": (changed("id", 5, 10_000), {("id", "max")}),
    "no_duplicates": (changed("id", 5, 10), {("id", "no_duplicates")}),
    "sign": (changed("real", 1, 1e9), {("real", "max")}),
    "sign of positive": (changed("gap", 1, -0.5), {("gap", "min"), ("gap", "sign")}),
    "max_nulls": (changed("gap", [1, 2], np.nan), {("gap", "max_nulls")}),
    "date before": (changed("day", 4, pd.Timestamp("1999-12-31")) if pyarrow else None, {("day", "min")}),
    "date after": (changed("moment", 4, pd.Timestamp("2099-12-31")) if pyarrow else None, {("moment", "max")}),
    "allowed_values": (changed("kind", 4, "?"), {("kind", "allowed_values"), ("kind", "min_length"), ("kind", "rex")}),
    "rex and lengths": (
        changed("code", 9, "?" * 20),
        {("code", "rex"), ("code", "max_length")},
    ),
    "type": (lambda table: table.assign(int=table["int"] - 0.5), {("int", "type"), ("int", "min")}),
    "type of text": (lambda table: table.assign(id=[f"x{at}" for at in range(ROWS)]), None),
    "text becomes numbers": (lambda table: table.assign(code=range(ROWS)), None),
    "a field is gone": (lambda table: table.drop(columns="bool"), set()),
    "a field more": (lambda table: table.assign(more=1), set()),
    "all is missing": (lambda table: table.assign(gap=np.nan), {("gap", "max_nulls")}),
    "zero": (changed("zero", 3, 1), {("zero", "max"), ("zero", "sign")}),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_of_every_kind_are_told_by_both(name: str, tmp_path: Path) -> None:
    change, expected = VIOLATIONS[name]
    raw = discovered(table())
    bad = change(table())
    assert assert_agreement(bad, raw, tmp_path) > 0
    found = verdicts(verify(opened(bad), parse(raw)))
    failed = {(field, kind) for field, kinds in found.items() for kind, ok in kinds.items() if not ok}
    assert expected is None or failed == expected


@pytest.mark.parametrize("strict", [False, True])
def test_types_are_checked_strictly_or_not(strict: bool, tmp_path: Path) -> None:
    table = pd.DataFrame({"n": [1.0, np.nan, 3.0], "b": [0.0, 1.0, np.nan], "r": [1, 2, 3]})
    raw = {"fields": {"n": {"type": "int"}, "b": {"type": ["bool", "int"]}, "r": {"type": "real"}}}
    assert assert_agreement(table, raw, tmp_path, strict=strict) == (3 if strict else 1)


#: Constraints by hand, with TDDA's longer forms.
BY_HAND = [
    {"int": {"min": {"value": -4, "precision": "open"}, "max": {"value": 200, "precision": "closed"}}},
    {"real": {"min": -0.5, "max": {"value": 0.5, "precision": "fuzzy"}, "sign": "non-positive"}},
    {"int": {"sign": "null"}, "kind": {"sign": "positive"}, "whole": {"sign": "negative"}},
    {"kind": {"min": 5}, "int": {"max": "text"}, "day": {"min": 3}},
    {"day": {"type": "date", "min": "2024/02/28", "max": "2025-01-01 10:30:00"}},
    {"kind": {"allowed_values": ["low"], "min_length": 4, "max_length": 3}},
    {"code": {"rex": ["^A", "[B-Z][0-9]{3}"]}, "int": {"rex": ["1"], "min_length": 1}},
    {"whole": {"allowed_values": [4.0, 5.0], "max_nulls": 2}, "maybe": {"max_nulls": 2, "allowed_values": [True]}},
    {"name": {"no_duplicates": True, "max_nulls": 0}, "zero": {"no_duplicates": False}},
    {"count": {"type": ["real", "int"], "min": 1, "max": 8.5}, "bool": {"min": True}},
]


@pytest.mark.parametrize("fields", BY_HAND, ids=lambda fields: ",".join(fields))
def test_constraints_by_hand_mean_the_same(fields: dict[str, Any], tmp_path: Path) -> None:
    assert_agreement(table(), {"fields": fields}, tmp_path)


def test_epsilon_widens_fuzzy_bounds(tmp_path: Path) -> None:
    data = pd.DataFrame({"x": [-101.0, 5.0, 101.0]})
    raw = {"fields": {"x": {"min": -100, "max": {"value": 100, "precision": "fuzzy"}}}}
    for part, failures in ((0.0, 2), (0.02, 0)):
        theirs = tdda_verdict(data, raw, tmp_path, epsilon=part)
        assert verify(opened(data), parse(raw), epsilon=part)["failures"] == theirs.failures == failures


def test_empty_and_blank_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blank = pd.DataFrame(
        {"x": pd.Series([], dtype=float), "s": pd.Series([], dtype=str), "i": pd.Series([], dtype=int)}
    )
    assert assert_agreement(blank, discovered(blank), tmp_path) == 0
    missing = pd.DataFrame({"x": [np.nan, np.nan], "i": pd.array([None, None], dtype="Int64")})
    assert assert_agreement(missing, discovered(missing), tmp_path) == 0
    assert assert_agreement(missing, discovered_by_tdda(missing, capsys), tmp_path) == 0
