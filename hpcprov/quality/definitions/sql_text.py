"""SQL as text, in and out: a query parsed, an expression written, the parts of a query that make up a context.

parsed("create table x as select 1", "duckdb")    # the SELECT
text(expression, "duckdb")   ->  "amount - lag(amount) OVER (PARTITION BY id ORDER BY date)"
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hpcprov.data.open import MissingReader
from hpcprov.record.errors import HpcprovError

MISSING = "to read SQL, pip install 'hpcprov[sql]'"


class Unclear(HpcprovError):
    """A query that cannot be read, or that names what is not there."""


def library() -> Any:
    """sqlglot. Raises MissingReader."""
    try:
        import sqlglot
        import sqlglot.errors
    except ImportError as error:
        raise MissingReader(MISSING) from error
    return sqlglot


def parsed(query: str, dialect: str | None) -> Any:
    """The one query of a text: a SELECT or a union of them, also within CREATE TABLE, INSERT and COPY. Raises Unclear
    with line and column, MissingReader."""
    sqlglot = library()
    try:
        statements = [one for one in sqlglot.parse(query, dialect=dialect) if one is not None]
    except sqlglot.errors.SqlglotError as error:
        raise Unclear(_where(error)) from error
    except ValueError as error:  # an unknown dialect
        raise Unclear(str(error).splitlines()[0][:300]) from error
    queries = [inner for one in statements if (inner := _query(one)) is not None]
    if len(queries) != 1:
        number = f"{len(queries)} queries" if queries else "no query"
        raise Unclear(f"the text has {number}: one SELECT is read, also in CREATE TABLE, INSERT or COPY")
    return queries[0]


def _query(statement: Any) -> Any:
    from sqlglot import exp

    inner = statement if isinstance(statement, exp.Query) else None
    if isinstance(statement, exp.Create | exp.Insert):
        inner = statement.expression
    elif isinstance(statement, exp.Copy):
        inner = statement.this
    while isinstance(inner, exp.Subquery | exp.Paren) and not inner.args.get("alias"):
        inner = inner.this
    return inner if isinstance(inner, exp.Query) else None


def _where(error: Any) -> str:
    """`line 3, column 8: expected ... near 'where'`"""
    first: dict[str, Any] = next(iter(getattr(error, "errors", None) or ()), {})
    if not first.get("line"):
        return " ".join(str(error).split())[:300]
    near = f" near {first['highlight']!r}" if first.get("highlight") else ""
    return f"line {first['line']}, column {first['col']}: {str(first['description']).rstrip('.')[:200]}{near}"


def text(expression: Any, dialect: str | None) -> str:
    """An expression on one line, functions in lower case."""
    return str(expression.sql(dialect=dialect, normalize_functions="lower", comments=False))


def in_place(inner: Any, reference: Any) -> Any:
    """An expression that takes the place of a name in another one: in brackets where it would be torn apart."""
    from sqlglot import exp

    closed = (exp.Column, exp.Func, exp.Literal, exp.Paren, exp.Window, exp.Cast, exp.Case, exp.Subquery, exp.Null)
    around = reference.parent
    loose = isinstance(around, exp.Binary | exp.Unary | exp.Between | exp.In) and not isinstance(around, exp.Paren)
    return exp.paren(inner.copy()) if loose and not isinstance(inner, closed) else inner.copy()


def cut(expression: Any, dialect: str | None, longest: int) -> Any:
    from sqlglot import exp

    return exp.var(f"{text(expression, dialect)[: longest - 1]}…")


def joined(texts: list[str], union: Any) -> Any:
    """The sides of a union, as something that stands in an expression; None for none."""
    from sqlglot import exp

    word = union.key + ("" if union.args.get("distinct", True) else " all")
    return exp.var(f" {word} ".join(texts)) if texts else None


def context_parts(select: Any, write: Callable[[Any], str], named: Callable[[Any], str]) -> Iterator[str]:
    """What a SELECT computes its columns over: groups, filters, joins, distinct rows, limits. `write` gives the text of
    an expression, `named` the name of a table."""
    args = select.args
    if (group := args.get("group")) is not None:
        yield "by " + write(group).strip().removeprefix("GROUP BY ")
    if (where := args.get("where")) is not None:
        yield "where " + write(where.this)
    if (having := args.get("having")) is not None:
        yield "having " + write(having.this)
    if (qualify := args.get("qualify")) is not None:
        yield "qualify " + write(qualify.this)
    for join in args.get("joins") or ():
        yield _join(join, write, named)
    distinct, limits = args.get("distinct"), [args[key] for key in ("limit", "offset") if args.get(key) is not None]
    chosen = distinct is not None and distinct.args.get("on") is not None
    if distinct is not None:
        yield f"distinct on {write(distinct.args['on'])}" if chosen else "distinct"
    if limits or chosen:  # the order tells which rows these are
        parts = [args["order"], *limits] if args.get("order") is not None else limits
        if parts:
            yield " ".join(_lower(write(part).strip()) for part in parts)


def _lower(clause: str) -> str:
    """`limit 5` for `LIMIT 5`"""
    for word in ("ORDER BY", "LIMIT", "OFFSET"):
        if clause.startswith(word):
            return word.lower() + clause[len(word) :]
    return clause


def with_windows(query: Any) -> Any:
    """The query with its named windows (`over w ... window w as (partition by id)`) in the places of their names."""
    from sqlglot import exp

    for select in query.find_all(exp.Select):
        named: dict[str, Any] = {}
        for window in select.args.get("windows") or ():
            _based(window, named)
            named[window.name.casefold()] = window
        for window in select.find_all(exp.Window) if named else ():
            if window.parent_select is select and window.arg_key != "windows":
                _based(window, named)
        select.set("windows", None)
    return query


def _based(window: Any, named: dict[str, Any]) -> None:
    """Give a window what the one that it names has."""
    base = named.get(window.text("alias").casefold())
    if base is not None:
        window.set("alias", None)
        for key in ("partition_by", "order", "spec"):
            if not window.args.get(key) and base.args.get(key):
                inner = base.args[key]
                window.set(key, [one.copy() for one in inner] if isinstance(inner, list) else inner.copy())


def _join(join: Any, write: Callable[[Any], str], named: Callable[[Any], str]) -> str:
    from sqlglot import exp

    name = named(join.this) if isinstance(join.this, exp.Table) else join.this.alias_or_name
    words = [str(join.args.get(key) or "").lower() for key in ("method", "side", "kind")]
    on, using = join.args.get("on"), join.args.get("using")
    how = f" on {write(on)}" if on is not None else f" using ({', '.join(map(write, using))})" if using else ""
    return " ".join(word for word in (*words, "join", name) if word) + how
