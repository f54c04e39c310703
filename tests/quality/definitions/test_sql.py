"""SQL queries read for how each column of their result is made."""

from __future__ import annotations

import pytest

from hpcprov.data.open import MissingReader
from hpcprov.quality.definitions import sql_text
from hpcprov.quality.definitions.sound import is_columns, is_names
from hpcprov.quality.definitions.sql_text import Unclear

pytest.importorskip("sqlglot")
from hpcprov.quality.definitions.sql import columns, tables_of

TABLES = {"trans": ["id", "date", "amount"], "customers": ["id", "Name", "days-since-prev"], "t.parquet": ["id", "x"]}
Found = list[tuple[str, str, str | None, list[tuple[str, str]]]]

QUERIES: dict[str, tuple[str, Found]] = {
    "aggregate": (
        "select id, count(*) as n from trans where amount > 0 group by 1",
        [
            ("id", "id", "by id, where amount > 0", [("trans", "id")]),
            ("n", "count(*)", "by id, where amount > 0", [("trans", "")]),
        ],
    ),
    "window": (
        'select id, date - lag(date) over (partition by id order by date) as "days-since-prev" from trans',
        [
            ("id", "id", None, [("trans", "id")]),
            (
                *("days-since-prev", "date - lag(date) OVER (PARTITION BY id ORDER BY date)", None),
                [("trans", "date"), ("trans", "id")],
            ),
        ],
    ),
    "cte and join": (
        "with c as (select id, sum(amount) as s, count(*) as n from trans group by id) "
        "select k.name, s / n + 1 as m from c left join customers k on c.id = k.id where k.name <> 'x'",
        [
            (
                *("name", "customers.Name"),
                "where customers.Name <> 'x', left join customers on c.id = customers.id",
                [("customers", "Name")],
            ),
            (
                *("m", "sum(trans.amount) / count(*) + 1"),
                "where customers.Name <> 'x', left join customers on c.id = customers.id, by trans.id",
                [("trans", "amount"), ("trans", "")],
            ),
        ],
    ),
    "lateral": (
        "select k.name, l.total from customers k, lateral (select sum(amount) total from trans t where t.id = k.id) l",
        [
            ("name", "customers.Name", "join l", [("customers", "Name")]),
            ("total", "sum(trans.amount)", "join l, where trans.id = k.id", [("trans", "amount")]),
        ],
    ),
    "named windows": (
        "select lag(amount) over w as a, sum(amount) over (w rows 1 preceding) as b from trans "
        "window w as (partition by id order by date)",
        [
            (
                *("a", "lag(amount) OVER (PARTITION BY id ORDER BY date)", None),
                [("trans", "id"), ("trans", "amount"), ("trans", "date")],
            ),
            (
                *(
                    "b",
                    "sum(amount) OVER (PARTITION BY id ORDER BY date rows BETWEEN 1 preceding AND CURRENT ROW)",
                    None,
                ),
                [("trans", "id"), ("trans", "amount"), ("trans", "date")],
            ),
        ],
    ),
    "two subqueries over one table": (
        "with a as (select * from trans), b as (select * from a where amount > 0) "
        "select b.amount - a.amount as d from a join b on a.id = b.id",
        [("d", "b.amount - a.amount", "join b on a.id = b.id, where amount > 0", [("trans", "amount")])],
    ),
    "rows of what is read, and not of what is defined": (
        "with a as (select id from trans), k as (select id from customers) select count(*) as n from k",
        [("n", "count(*)", None, [("customers", "")])],
    ),
    "the first rows": (
        "select distinct on (id) id from trans order by id, date offset 3",
        [("id", "id", "distinct on (id), order by id, date offset 3", [("trans", "id")])],
    ),
    "star": (
        "select * from 't.parquet'",
        [("id", "id", None, [("t.parquet", "id")]), ("x", "x", None, [("t.parquet", "x")])],
    ),
    "a function that reads a file": (
        "select X from read_parquet('t.parquet')",
        [("x", "x", None, [("t.parquet", "x")])],
    ),
    "a CTE in front of its table": (
        "with trans as (select amount - 2 as amount from trans) select amount * 2 as a from trans",
        [("a", "(amount - 2) * 2", None, [("trans", "amount")])],
    ),
    "subquery with other names": (
        "select u.b from (select id, date from trans) as u(a, b)",
        [("b", "date", None, [("trans", "date")])],
    ),
    "union": (
        "select id from trans union all select id from customers",
        [("id", "trans.id union all customers.id", None, [("trans", "id"), ("customers", "id")])],
    ),
    "union of the same": (
        "select id from trans where amount > 0 union select id from trans where amount < 0",
        [("id", "id", "where amount > 0, where amount < 0", [("trans", "id")])],
    ),
    "recursive": (
        "with recursive r as (select id as n from trans union all select n + 1 from r where n < 10) select n from r",
        [("n", "id union all r.n + 1", "where n < 10, recursively", [("trans", "id")])],
    ),
    "correlated": (
        "select a.id from trans a where exists (select 1 as one from trans b where b.id = a.id)",
        [("id", "a.id", "where EXISTS(SELECT 1 AS one FROM trans AS b WHERE b.id = a.id)", [("trans", "id")])],
    ),
    "scalar subquery": (
        "select (select max(amount) as m from trans) as top from customers",
        [("top", "(SELECT max(trans.amount) AS m FROM trans)", None, [("trans", "amount")])],
    ),
    "having, distinct, limit": (
        "create table x as select distinct id from trans group by id having count(*) > 1 order by id limit 5",
        [("id", "id", "by id, having count(*) > 1, distinct, order by id limit 5", [("trans", "id")])],
    ),
    "constants": ("select 1 as one, 'x' as x from trans", [("one", "1", None, []), ("x", "'x'", None, [])]),
    "copy": (
        "copy (select amount as a from trans) to 'out.parquet'",
        [("a", "amount", None, [("trans", "amount")])],
    ),
    "odd name": (
        'select "days-since-prev" + 1 as d from customers',
        [("d", '"days-since-prev" + 1', None, [("customers", "days-since-prev")])],
    ),
}


@pytest.mark.parametrize("name", QUERIES)
def test_columns(name: str) -> None:
    query, expected = QUERIES[name]
    found = columns(query, TABLES, dialect="duckdb")
    assert [(one["name"], one["expression"], one["context"], one["inputs"]) for one in found] == expected
    assert is_columns([one | {"inputs": [list(pair) for pair in one["inputs"]]} for one in found])


@pytest.mark.parametrize("dialect", [None, "duckdb", "postgres", "sqlite", "spark", "snowflake", "bigquery", "oracle"])
def test_dialects_tell_names_apart_in_their_ways(dialect: str | None) -> None:
    found = columns("select ID, Name as who, count(*) as n from Customers c group by ID, Name", TABLES, dialect=dialect)
    assert [one["inputs"] for one in found] == [[("customers", "id")], [("customers", "Name")], [("customers", "")]]
    assert [one["expression"] for one in found] == ["id", "Name", "count(*)"]


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("select x from trans", "'x' could not be resolved"),
        ("select id from nowhere", "reads from 'nowhere', and the tables are: trans, customers"),
        ("select id\nfrom trans where where", "line 2, column"),
        ("select 'a", "tokenizing"),
        ("drop table trans", "no query"),
        ("", "no query"),
        ("select 1 as a; select 2 as a", "2 queries"),
        ("select " + "(" * 3000 + "id" + ")" * 3000 + " from trans", "nested too deeply"),
        ("select " + "id," * 100_000 + "id from trans", "too long"),
        ("select id from trans, customers", "'id' could not be resolved"),
    ],
    ids=lambda text: str(text)[:24],
)
def test_what_is_wrong_is_said(query: str, word: str) -> None:
    with pytest.raises(Unclear) as raised:
        columns(query, TABLES, dialect="duckdb")
    assert word in raised.value.message


def test_an_unknown_dialect_is_said() -> None:
    with pytest.raises(Unclear, match="duckdb"):
        columns("select 1 as a", {}, dialect="duckd")


def test_names_that_double_at_each_step_do_not_fill_the_memory() -> None:
    steps = [f"c{n} as (select x + x as x from c{n - 1})" for n in range(1, 60)]
    query = f"with c0 as (select amount as x from trans), {', '.join(steps)} select x from c59"
    (found,) = columns(query, TABLES)
    assert len(found["expression"]) <= 4096
    assert found["inputs"] == [("trans", "amount")]


# The end comes at any moment, also in a destructor, from which nothing can be raised.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "text", ["select " + "+".join(["id"] * 20_000) + " as x", " union all ".join(["select id"] * 2000)]
)
def test_a_query_that_takes_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("hpcprov.quality.definitions.sql.MOST_SECONDS", 0.2)
    with pytest.raises(Unclear, match=r"more than 0\.2 s|nested too deeply"):
        columns(text.replace("select id", "select id from trans") if "union" in text else f"{text} from trans", TABLES)
    assert columns("select id from trans", TABLES)[0]["name"] == "id"


def test_the_tables_of_a_query() -> None:
    query = "with c as (select * from trans) select * from c join s.customers using (id), 't.parquet'"
    assert sorted(tables_of(query, dialect="duckdb")) == ["s.customers", "t.parquet", "trans"]


@pytest.mark.parametrize(
    "answer", [None, 3, [3], [{}], [{"name": "x", "expression": "y", "context": None, "inputs": [["a"]]}]]
)
def test_an_answer_of_another_form_is_refused(answer: object) -> None:
    assert not is_columns(answer)
    assert not is_names(answer)


def test_without_sqlglot_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sqlglot", None)
    with pytest.raises(MissingReader, match=r"hpcprov\[sql\]"):
        sql_text.library()
