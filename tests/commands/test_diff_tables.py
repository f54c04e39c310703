"""What the terminal and the page say of two tables."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from hpcprov.commands.diff_tables import lines
from hpcprov.commands.screen import Screen
from hpcprov.data.opened import opened
from hpcprov.quality.tables.compare import compare_tables
from hpcprov.quality.tables.form import is_sound

WICKED = "<script>alert(1)</script>\x1b[31m\n\u202e"
ONE = pa.table({"id": list(range(40)), "amount": [1.5 * at for at in range(40)], "name": ["x"] * 40})


def changed(name: str = "amount", at: int = 3, value: Any = 9.0) -> Any:
    cells = ONE.column(name).to_pylist()
    cells[at] = value
    return ONE.set_column(ONE.schema.names.index(name), name, pa.array(cells))


def facts(one: Any, other: Any, **options: Any) -> dict[str, Any]:
    with opened(one) as left, opened(other) as right:
        return compare_tables(left, right, **options)


def page(found: dict[str, Any], width: int = 80) -> list[str]:
    return list(lines(found, ("A", "B"), Screen(colour=False, width=width)))


def test_old_and_new_values_stand_side_by_side() -> None:
    text = page(facts(ONE, changed(), context=1))
    assert text[:2] == [
        "different: 40 rows in A and 40 rows in B, matched by their number",
        "  39 the same, 1 changed",
    ]
    assert "amount       1  40          4      4.5         1" in text
    assert "4 4 ~  3     4.5 -> 9.0  x" in text
    assert "3 3    2     3.0         x" in text


def test_a_place_for_which_there_is_no_room_is_left_out_whole_and_that_is_said() -> None:
    other = changed(at=2).append_column("more", ONE.column("name"))
    for at in (10, 18, 26, 34):
        cells = other.column("amount").to_pylist()
        cells[at] = -1.0
        other = other.set_column(1, "amount", pa.array(cells))
    text = page(facts(ONE, other))
    assert sum("->" in line for line in text) == 4
    assert text[-2] == "(more rows differ: -o PAGE.html and --json show more of them)"
    assert not any("35 35" in line or "32 32" in line for line in text)
    assert not any("more rows" in line for line in page(facts(ONE, changed())))


def test_where_rows_are_gone_new_and_elsewhere() -> None:
    other = pa.concat_tables([ONE[5:20], ONE[0:5], ONE[22:]]).combine_chunks()
    text = "\n".join(page(facts(ONE, other)))
    assert "only in A: rows 21-22" in text and "moved: rows 1-5 of A to 16-20" in text
    assert "< moved away" in text and "- only in A" in text


def test_rows_that_stand_there_twice() -> None:
    twice = pa.concat_tables([ONE, ONE[5:9]]).combine_chunks()
    assert "only in B: 4 rows that A has, too, but not as often" in page(facts(ONE, twice))


def test_rows_in_another_order_are_said_in_one_line() -> None:
    text = "\n".join(page(facts(ONE, ONE.take([(7 * at) % 40 for at in range(40)]))))
    assert "rows, which are in another order" in text


def test_tables_without_a_column_in_common() -> None:
    text = page(facts(ONE.select(["id"]), ONE.select(["name"])))
    assert "  no column of one can be compared with one of the other" in text
    assert "id: only in A" in text and "name: only in B" in text


def test_repeated_keys_are_said() -> None:
    twice = pa.concat_tables([ONE, ONE[:2]]).combine_chunks()
    text = "\n".join(page(facts(twice, ONE, key=["id"])))
    assert "matched by the key id" in text and "A has 2 keys in 4 rows" in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_byte_is_obeyed_and_no_line_is_too_long(width: int) -> None:
    one = ONE.append_column(WICKED, pa.array([WICKED] * 40))
    other = changed().append_column(WICKED, pa.array(["=1"] * 40))
    text = page(facts(one, other), width)
    assert not any(re.search(r"[\x00-\x1f\x7f\u202e]", line) for line in text)
    table = text[next(at for at, line in enumerate(text) if re.match(r" *A +B ", line)) :]
    assert max(map(len, table)) <= width


def test_the_page_holds_what_is_there_and_nothing_more() -> None:
    pytest.importorskip("jinja2")
    from hpcprov.report.diff import page as html

    other = changed("name", 7, WICKED)
    found = facts(ONE, other)
    found.pop("preserved")
    report = {"paths": ["a", "b"], "format": ["csv", "csv"], "known": [None, None], "bytes": None, "fields": [],
              "status": "different", "table": found, "structure": [], "kind": ["table", "table"]}  # fmt: skip
    text = html(report, [], {}, "none")
    assert "&lt;script&gt;alert(1)" in text and "<script>alert" not in text and "\x1b" not in text
    assert "<del>x</del>" in text and "~</span> changed" in text


def test_an_answer_of_another_form_is_not_sound() -> None:
    good = json.loads(json.dumps(facts(ONE, changed())))
    assert is_sound(good)
    for key, value in (
        ("status", "fine"), ("rows", [1]), ("counts", {}), ("fields", [{"path": 1}]), ("deleted", [[1]]),
        ("moved", [[1, 2]]), ("by", None), ("context", {"columns": ["a"], "more": 0, "hunks": [[{"sign": "x"}]]}),
    ):  # fmt: skip
        assert not is_sound(good | {key: value}), key


def test_the_command_compares_a_csv_with_a_parquet_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from hpcprov.cli import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("id,amount\n1,0.1\n2,0.2\n3,0.3\n")
    other = pa.table({"id": pa.array([1, 2, 3], pa.int32()), "amount": pa.array([0.1, 0.25, 0.3], pa.float32())})
    parquet.write_table(other, tmp_path / "b.parquet")
    assert main(["diff", "a.csv", "b.parquet", "--preserve", "out.parquet"]) == 1
    text = capsys.readouterr().out
    assert "f8 against f4: compared as f4" in text and "0.2 -> 0.25" in text
    assert parquet.read_table(tmp_path / "out.parquet").column("diff").to_pylist() == [False, True, False]
    assert main(["diff", "a.csv", "b.parquet", "--key", "nothing"]) == 2
    assert "not a column of both" in capsys.readouterr().err
