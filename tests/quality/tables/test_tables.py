"""Two tables compared: what is said of them makes the second out of the first, and bad input ends in an answer."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcprov.data.opened import opened
from hpcprov.quality.tables.columns import pair_columns
from hpcprov.quality.tables.compare import Options, compare_tables, is_table, match
from hpcprov.quality.tables.form import is_sound
from hpcprov.record.errors import HpcprovError

SEED = 11


def compared(one: Any, other: Any, **options: Any) -> dict[str, Any]:
    with opened(one) as left, opened(other) as right:
        facts = compare_tables(left, right, **options)
    assert is_sound(json.loads(json.dumps(facts, allow_nan=False)))
    return facts


def counts(facts: dict[str, Any]) -> dict[str, int]:
    return {name: number for name, number in facts["counts"].items() if number}


def column(facts: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in facts["fields"] if one["path"] == name)


def table(rows: int, seed: int = SEED) -> Any:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "id": np.arange(rows),
            "amount": np.round(rng.normal(size=rows) * 100, 2),
            "name": [f"customer {number}" for number in rng.integers(0, 50, rows)],
            "flag": rng.integers(0, 2, rows).astype(bool),
        }
    )


def changed(rows: Any, name: str, at: int, value: Any) -> Any:
    cells = rows.column(name).to_pylist()
    cells[at] = value
    return rows.set_column(rows.schema.names.index(name), name, pa.array(cells, rows.schema.field(name).type))


def test_equal_tables_are_the_same() -> None:
    facts = compared(table(50), table(50))
    assert facts["status"] == "same" and counts(facts) == {"same": 50} and facts["by"] == "number"


def test_changed_cells_by_number() -> None:
    one = table(100)
    other = changed(changed(one, "amount", 3, 1e6), "name", 5, "=cmd()")
    facts = compared(one, other)
    assert facts["by"] == "number" and counts(facts) == {"same": 98, "changed": 2}
    old = one.column("amount")[3].as_py()
    assert column(facts, "amount")["first"] == [4, 4]
    assert column(facts, "amount")["max_abs"] == pytest.approx(1e6 - old)
    assert column(facts, "amount")["max_rel"] == pytest.approx((1e6 - old) / abs(old))
    rows = [row for hunk in facts["context"]["hunks"] for row in hunk if row["sign"] == "~"]
    assert [row["one"] for row in rows] == [4, 6]
    assert rows[0]["cells"][1] == [old, 1e6] and rows[1]["cells"][2][1] == "=cmd()"


def test_what_has_no_distance_has_no_largest_one() -> None:
    one = pa.table({"x": [1.0, 2.0, 3.0]})
    (facts,) = compared(one, changed(one, "x", 2, float("nan")))["fields"]
    assert facts["differing"] == 1 and facts["max_abs"] is facts["max_rel"] is facts["where"] is None


def test_rows_that_were_deleted_inserted_moved_and_changed_are_found_without_a_key() -> None:
    one = table(1000)
    new = table(3, seed=5).set_column(0, "id", pa.array([7001, 7002, 7003]))
    other = pa.concat_tables([one[:100], one[120:300], new, one[310:900], one[300:310], one[900:]]).combine_chunks()
    other = changed(other, "amount", 10, -1.0)
    facts = compared(one, other)
    assert facts["by"] == "content"
    assert counts(facts) == {"same": 969, "changed": 1, "deleted": 20, "inserted": 3, "moved": 10}
    assert facts["deleted"] == [[101, 120]] and facts["inserted"] == [[281, 283]]
    assert facts["moved"] == [[301, 310, 874]]
    assert column(facts, "amount")["first"] == [11, 11]


def test_a_column_that_changed_everywhere_does_not_hide_the_rows() -> None:
    one = table(500)
    other = pa.concat_tables([one[:40], one[45:]]).combine_chunks()
    other = other.set_column(1, "amount", pa.array(np.asarray(other.column("amount")) * 2 + 1))
    facts = compared(one, other)
    assert counts(facts) == {"changed": 495, "deleted": 5} and facts["deleted"] == [[41, 45]]
    assert column(facts, "amount")["differing"] == 495
    assert column(facts, "name")["differing"] == 0


def test_a_key_pairs_unsorted_rows_and_says_which_repeat() -> None:
    one = table(300)
    order = np.random.default_rng(3).permutation(300)
    other = changed(one.take(order), "amount", 17, 0.125)
    facts = compared(one, other, key=["id"])
    assert facts["by"] == "key" and counts(facts) == {"same": 299, "changed": 1}
    assert column(facts, "amount")["first"] == [int(order[17]) + 1, 18]
    twice = pa.concat_tables([one[:5], one[2:4]]).combine_chunks()
    facts = compared(twice, one[:5], key=["id"])
    assert counts(facts) == {"same": 5, "deleted": 2} and facts["deleted"] == [[6, 7]]
    assert facts["key"] == {"columns": ["id"], "repeated": [[2, 4], [0, 0]]}


def test_a_key_may_have_several_columns_and_missing_values() -> None:
    one = pa.table({"a": [1, 1, None, 2], "b": ["x", "y", "x", None], "v": [1, 2, 3, 4]})
    facts = compared(one, one.take([3, 2, 1, 0]), key=["a", "b"])
    assert counts(facts) == {"same": 4}
    with pytest.raises(HpcprovError, match="not a column of both"):
        compared(one, one, key=["c"])


def test_types_are_compared_by_value() -> None:
    one = pa.table({"n": pa.array([1, 2, 2**60], pa.int64()), "x": [0.5, 1.0, 2.0], "t": ["1", "2.0", "many"]})
    other = pa.table({"n": pa.array([1, 2, 2**60 + 1], pa.uint64()), "x": [0.5, 1, 2], "t": pa.array([1, 2, 3])})
    facts = compared(one, other)
    assert column(facts, "n")["differing"] == 1 and column(facts, "x")["status"] == "same"
    assert column(facts, "t")["differing"] == 1 and "what the text says" in column(facts, "t")["reason"]


def test_times_of_other_units_and_zones_are_the_same_instants() -> None:
    count = pa.array([1_700_000_000, None, 5], pa.int64())
    one = pa.table({"t": count.cast(pa.timestamp("s"))})
    other = pa.table({"t": pa.array([1_700_000_000_000, None, 5001], pa.int64()).cast(pa.timestamp("ms", "UTC"))})
    facts = compared(one, other, rows="number")
    assert column(facts, "t")["differing"] == 1 and "taken as UTC" in column(facts, "t")["reason"]
    text = pa.table({"t": ["2023-11-14T23:13:20+01:00", None, "1970-01-01 00:00:05.001Z"]})
    facts = compared(text, other, rows="number")
    assert facts["status"] == "same" and facts["fields"][0]["types"] == ["str", "M8[1ms,UTC]"]


def test_what_is_missing_empty_or_nan_is_told_apart() -> None:
    one = pa.table({"s": ["", None, "a"], "x": [float("nan"), None, 1.0]})
    other = pa.table({"s": [None, None, "a"], "x": [None, None, 1.0]})
    facts = compared(one, other, rows="number")
    assert column(facts, "s")["without"] == {"empty": [1, 0], "missing": [0, 1]}
    assert column(facts, "x")["without"] == {"nan": [1, 0], "missing": [0, 1]}


def test_columns_that_are_new_gone_renamed_or_elsewhere() -> None:
    one = table(20)
    other = one.rename_columns(["id", "paid", "name", "flag"]).append_column("more", pa.array(range(20)))
    other = other.select(["name", "id", "more", "paid"])
    facts = compared(one, other)
    assert facts["reordered"] and facts["status"] == "different"
    assert column(facts, "amount")["other_path"] == "paid"
    assert column(facts, "flag")["status"] == "missing" and column(facts, "more")["status"] == "new"


def test_a_column_that_moved_against_the_others() -> None:
    one = table(200)
    amounts = np.asarray(one.column("amount"))
    facts = compared(one, one.set_column(1, "amount", pa.array(np.roll(amounts, 1))))
    assert facts["by"] == "number" and column(facts, "amount")["shift"] == 1


def test_tolerance_holds_for_rows_that_are_found_by_content() -> None:
    one = table(400)
    noise = np.random.default_rng(1).uniform(-1, 1, 400) * 1e-9
    other = one.set_column(1, "amount", pa.array(np.asarray(one.column("amount")) + noise))
    other = pa.concat_tables([other[:7], other[9:]]).combine_chunks()
    facts = compared(one, other, atol=1e-8)
    assert counts(facts) == {"same": 398, "deleted": 2} and facts["deleted"] == [[8, 9]]
    assert column(facts, "amount")["status"] == "within" and column(facts, "amount")["differing"] > 300
    assert compared(one, other)["counts"]["changed"] > 300


def test_a_tolerance_makes_no_two_keys_or_whole_numbers_one() -> None:
    one = pa.table({"id": range(60), "key": np.arange(60) / 2, "v": [0.5] * 60})
    assert counts(compared(one, one.take(list(range(59, -1, -1))), key=["id"], atol=3.0)) == {"same": 60}
    facts = compared(one, one.take(list(range(59, -1, -1))), key=["key"], atol=3.0)
    assert counts(facts) == {"same": 60} and facts["key"]["repeated"] == [[0, 0], [0, 0]]
    facts = compared(one.select(["id", "v"]), one.select(["id", "v"])[10:], atol=0.5)
    assert counts(facts) == {"same": 50, "deleted": 10} and facts["deleted"] == [[1, 10]]
    nearly = one.set_column(0, "id", pa.array(range(1, 61)))
    assert compared(one, nearly, atol=1)["status"] == "within"


def test_columns_known_to_be_the_same_are_not_read() -> None:
    one, other = table(30), changed(table(30), "amount", 4, 9.0)
    with opened(one) as left, opened(other) as right:

        def refuse(box: Any) -> Any:
            raise AssertionError("read")

        for dataset in (left, right):
            object.__setattr__(dataset.fields[2], "read", refuse)
        facts = match(pair_columns(left.fields, right.fields), (30, 30), Options(same={b"id", b"name", b"flag"}))
    assert facts.how == "number" and facts.counts()["changed"] == 1


def test_a_constant_column_that_is_the_same_does_not_hide_that_rows_moved() -> None:
    one = table(100).append_column("constant", pa.array([7] * 100))
    other = pa.concat_tables([one[50:], one[:50]]).combine_chunks()
    facts = compared(one, other, same={b"constant"})
    assert facts["by"] == "content" and counts(facts) == {"same": 50, "moved": 50}


EMPTY = table(4)[:0]
BAD: dict[str, tuple[Any, Any, dict[str, int]]] = {
    "both empty": (EMPTY, EMPTY, {}),
    "one empty": (EMPTY, table(4), {"inserted": 4}),
    "the other empty": (table(4), EMPTY, {"deleted": 4}),
    "nothing but missing values": (
        pa.table({"a": pa.array([None] * 5, pa.int32()), "b": pa.array([None] * 5, pa.string())}),
        pa.table({"a": pa.array([None] * 7, pa.int32()), "b": pa.array([None] * 7, pa.string())}),
        {"same": 5, "inserted": 2},
    ),
    "equal rows": (
        pa.table({"a": [1] * 900, "b": ["x"] * 900}),
        pa.table({"a": [1] * 905, "b": ["x"] * 905}),
        {"same": 900, "inserted": 5},
    ),
    "no column in common": (pa.table({"a": [1, 2]}), pa.table({"b": ["x", "y"]}), {"same": 2}),
    "one row against many": (table(3000)[:1], table(3000), {"same": 1, "inserted": 2999}),
    "types that cannot be compared": (pa.table({"a": [[1], [2]]}), pa.table({"a": [1, 2]}), {"same": 2}),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("rows", ["auto", "number", "content"])
def test_bad_input_has_an_answer(name: str, rows: str) -> None:
    one, other, expected = BAD[name]
    facts = compared(one, other, rows=rows)
    if rows == "auto":
        assert counts(facts) == expected
    assert facts["status"] == ("same" if name == "both empty" else "different")


def test_reversed_and_shuffled_rows_are_moved() -> None:
    one = table(400)
    facts = compared(one, one.take(np.arange(400)[::-1]))
    assert facts["counts"]["moved"] + facts["counts"]["same"] == 400 and facts["counts"]["moved"] >= 399
    facts = compared(one, one.take(np.random.default_rng(1).permutation(400)))
    assert facts["counts"]["moved"] + facts["counts"]["same"] == 400


def test_thousands_of_columns() -> None:
    one = pa.table({f"c{at}": [at, at + 1] for at in range(1200)})
    other = changed(one, "c1199", 1, -1)
    facts = compared(one, other, rows="content")
    assert counts(facts) == {"same": 1, "changed": 1} and column(facts, "c1199")["first"] == [2, 2]
    assert len(facts["context"]["columns"]) == 12 and "c1199" in facts["context"]["columns"]


def test_hostile_names_and_cells_stay_text() -> None:
    one = pa.table({"<b>\x1b[31m\n": ["</script>\x1b]0;x\x07", "\u202e" * 5000], "n": [1, 2]})
    facts = compared(one, changed(one, "<b>\x1b[31m\n", 1, "\u202e"))
    cells = [row["cells"][0] for hunk in facts["context"]["hunks"] for row in hunk if row["sign"] == "~"]
    assert len(cells[0][0]) == 1001


ROW = st.tuples(
    st.integers(0, 3), st.sampled_from(["", "a", "b", None]), st.sampled_from([0.0, -0.0, 1.5, float("nan")])
)
TABLE = st.lists(ROW, max_size=25)


def made(rows: list[Any]) -> Any:
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    kinds = (pa.int64(), pa.string(), pa.float64())
    return pa.table({name: pa.array(cells, kind) for name, cells, kind in zip("abc", columns, kinds, strict=True)})


def alike(one: Any, other: Any) -> bool:
    return all(a == b or (a != a and b != b) for a, b in zip(one, other, strict=True))


@settings(deadline=None, max_examples=150)
@given(TABLE, TABLE, st.sampled_from(["auto", "number", "content", "key"]))
def test_what_is_said_makes_the_second_table_out_of_the_first(one: list[Any], other: list[Any], how: str) -> None:
    wishes = {"key": ("a",)} if how == "key" else {"rows": how}
    with opened(made(one)) as left, opened(made(other)) as right:
        columns = pair_columns(left.fields, right.fields)
        found = match(columns, (len(one), len(other)), Options(**wishes))
    matching = found.matching
    at, to = matching.pairs(np.arange(matching.count))
    result: dict[int, Any] = {}
    for place, target, differs in zip(at.tolist(), to.tolist(), found.cells.outside.tolist(), strict=True):
        assert alike(one[place], other[target]) is not differs
        result[target] = other[target] if differs else one[place]
    for place, target in zip(matching.moved_one.tolist(), matching.moved_other.tolist(), strict=True):
        assert target not in result
        result[target] = one[place]
    for target in matching.inserted.tolist():
        assert target not in result
        result[target] = other[target]
    assert all(alike(result[target], other[target]) for target in range(len(other)))
    used = sorted([*at.tolist(), *matching.moved_one.tolist(), *matching.deleted.tolist()])
    assert used == list(range(len(one)))
    cells = [
        [not alike((x,), (y,)) for x, y in zip(one[i], other[j], strict=True)] for i, j in zip(at, to, strict=True)
    ]
    assert [facts["differing"] for facts in found.cells.fields] == [sum(row[k] for row in cells) for k in range(3)]


def test_what_is_a_table() -> None:
    import h5py

    with h5py.File("t", "w", driver="core", backing_store=False) as file:
        file["a"], file["b"] = np.arange(5), np.arange(5) * 0.5
        with opened(file) as data:
            assert is_table(data)
            assert compare_tables(data, data, key=["a"])["status"] == "same"
        file["c"] = np.zeros((5, 2))
        with opened(file) as data:
            assert not is_table(data)
