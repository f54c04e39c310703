"""A SQL query read for how each column of its result is made: expression, context, and the columns that it is made of.

    columns("select id, count(*) as n from trans where amount > 0 group by 1", {"trans": ["id", "amount"]})
    ->  [{"name": "id", "expression": "id", "context": "by id, where amount > 0", "inputs": [("trans", "id")]},
         {"name": "n", "expression": "count(*)", "context": "by id, where amount > 0", "inputs": [("trans", "")]}]

sqlglot resolves names, stars, aliases and scopes, in the dialects of some thirty systems; here references to columns of
subqueries and CTEs are replaced by what these are, down to the columns of tables. The context tells what a value is
computed over: groups, filters, joins, distinct rows and limits, of the query and of those subqueries that the column
comes from, the outermost first.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeAlias

from hpcprov.quality.definitions import sql_text
from hpcprov.quality.definitions.sql_names import Names, is_cte, written_name
from hpcprov.quality.definitions.sql_text import Unclear
from hpcprov.record.definition import LONGEST
from hpcprov.record.errors import HpcprovError

Column: TypeAlias = dict[str, Any]
Input: TypeAlias = tuple[str, str]

LARGEST = 256 << 10  # characters of a query
LONGEST_PART = 2000  # of an expression that is put in the place of a name
MOST_COLUMNS = 20_000
MOST_SECONDS = 20.0  # of CPU time
MOST_INPUTS = 256  # of one column
ITSELF = "recursively"


class TooLong(BaseException):
    """The time is over; no `except Exception` of sqlglot's may stop it."""


class Made:
    """What a column is: its `expression` (None: none that could stand in its place), its `inputs` and the parts of its
    `context`, each once, in order."""

    __slots__ = ("context", "expression", "inputs")

    def __init__(self, expression: Any, inputs: dict[Input, None], context: dict[str, None]) -> None:
        self.expression, self.inputs, self.context = expression, inputs, context


def tables_of(query: str, *, dialect: str | None = None) -> list[str]:
    """The names of the tables that a query reads from. Raises what `columns` raises."""
    with _understood(query):
        from sqlglot import exp

        found = sql_text.parsed(query, dialect).find_all(exp.Table)
        return list(dict.fromkeys(written_name(table) for table in found if not is_cte(table)))


def columns(query: str, tables: dict[str, list[str]], *, dialect: str | None = None) -> list[Column]:
    """The columns of the query's result, in order. `tables`: names of columns by the name that the query knows each
    table by. Raises Unclear for what is no query, and for tables and columns that are not there; MissingReader."""
    with _understood(query):
        return _columns(sql_text.parsed(query, dialect), Names(tables, dialect))


@contextmanager
def _understood(query: str) -> Iterator[None]:
    """The border to sqlglot: whatever it raises comes out as Unclear."""
    if len(query) > LARGEST:
        raise Unclear(f"a query of {len(query):,} characters is too long: {LARGEST:,} at most")
    sql_text.library()
    try:
        with _in_time():
            yield
    except TooLong as error:
        raise Unclear(f"the query takes more than {MOST_SECONDS} s to understand") from error
    except HpcprovError:
        raise
    except RecursionError as error:
        raise Unclear("the query is nested too deeply") from error
    except Exception as error:  # what sqlglot does not expect in a query that it has parsed
        raise Unclear(f"the query is not understood: {type(error).__name__}: {str(error)[:200]}") from error


@contextmanager
def _in_time() -> Iterator[None]:
    """An end to queries that are made to take for ever: sqlglot takes quadratic time for long sums and unions."""
    if threading.current_thread() is not threading.main_thread():
        yield  # where no signal arrives
        return

    def end(number: int, frame: object) -> NoReturn:
        raise TooLong

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, MOST_SECONDS, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _columns(query: Any, names: Names) -> list[Column]:
    from sqlglot.optimizer.scope import build_scope

    scope = build_scope(sql_text.with_windows(names.qualified(query)))
    if scope is None:
        raise Unclear("this query has no columns")
    reading = _Reading(names)
    result: Any = scope.expression
    selected = result.selects[:MOST_COLUMNS]
    return [
        reading.told(one.alias_or_name or f"column {place + 1}", reading.column(scope, place))
        for place, one in enumerate(selected)
    ]


class _Reading:
    """One query's columns, each resolved once."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.known: dict[tuple[int, int], Made] = {}
        self.contexts: dict[int, list[str]] = {}
        self.tables: dict[int, dict[str, None]] = {}
        self.going_on: set[tuple[int, int]] = set()

    def text(self, expression: Any) -> str:
        return sql_text.text(expression, self.names.dialect)

    def column(self, scope: Any, place: int) -> Made:
        """Column number `place` of a query or subquery."""
        key = (id(scope.expression), place)
        if key in self.going_on:
            return Made(None, {}, {ITSELF: None})
        if key not in self.known:
            self.going_on.add(key)
            try:
                read = self._union if scope.set_operation_scopes else self._selected
                self.known[key] = read(scope, place)
            finally:
                self.going_on.discard(key)
        return self.known[key]

    def _union(self, scope: Any, place: int) -> Made:
        """`a union all b`: what both sides are, once where they are the same."""
        sides = [self.column(side, place) for side in scope.set_operation_scopes]
        inputs = {one: None for side in sides for one in side.inputs}
        context = {part: None for side in sides for part in side.context}
        texts = list(dict.fromkeys(self.text(side.expression) for side in sides if side.expression is not None))
        return Made(sql_text.joined(texts, scope.expression), inputs, context)

    def _selected(self, scope: Any, place: int) -> Made:
        from sqlglot import exp

        selected = scope.expression.selects[place]
        expression = (selected.this if isinstance(selected, exp.Alias) else selected).copy()
        inputs: dict[Input, None] = {}
        context = dict.fromkeys(self._context(scope))
        references = list(expression.find_all(exp.Column))
        alike = self._alike(scope, {reference.table for reference in references})
        for reference in references:
            inner = self._reference(scope, reference)
            if reference.table in alike:
                inner = Made(
                    self.names.shown(reference.table, reference.name, joined=True), inner.inputs, inner.context
                )
            inputs |= inner.inputs
            context |= inner.context
            if inner.expression is not None and len(self.text(inner.expression)) <= LONGEST_PART:
                new = sql_text.in_place(inner.expression, reference)
                if reference is expression:
                    expression = new
                else:
                    reference.replace(new)
        self.names.with_real_tables(expression)
        if not inputs and expression.find(exp.AggFunc, exp.Window) is not None:
            inputs = {(table, ""): None for table in self._tables(scope)}  # count(*): of all rows
        if len(self.text(expression)) > 2 * LONGEST_PART:
            expression = sql_text.cut(expression, self.names.dialect, 2 * LONGEST_PART)
        return Made(expression, inputs, context)

    def _context(self, scope: Any) -> list[str]:
        """What a query computes all its columns over."""
        key = id(scope.expression)
        if key not in self.contexts:
            parts = sql_text.context_parts(scope.expression, lambda part: self._plain(scope, part), self.names.label)
            self.contexts[key] = list(parts)
        return self.contexts[key]

    def _reference(self, scope: Any, reference: Any) -> Made:
        """What a column is that an expression names."""
        from sqlglot import exp

        source = scope.sources.get(reference.table)
        if isinstance(source, exp.Table):
            table = self.names.table(source)
            column = self.names.column(table, reference.name)
            return Made(self.names.shown(source, column), {(table, column): None}, {})
        if source is None:
            return self._around(scope, reference)
        if isinstance(source.expression, exp.Lateral) and source.subquery_scopes:
            source = source.subquery_scopes[0]
        if not isinstance(source.expression, exp.Query):  # UNNEST: what is in its brackets
            found = [self._reference(scope, one) for one in source.expression.find_all(exp.Column)]
            return Made(None, {one: None for made in found for one in made.inputs}, {})
        place = next((at for at, one in _outputs(source) if one == reference.name), None)
        if place is None:
            return Made(None, {}, {})
        inner = self.column(source, place)
        if isinstance(source.expression.parent, exp.SetOperation):  # one side of it: a CTE that refers to itself
            return Made(None, inner.inputs, inner.context | {ITSELF: None})
        return inner

    def _alike(self, scope: Any, names: set[str]) -> set[str]:
        """Of the subqueries that an expression names those that read the same table as another one of them: put in its
        place, `a.n - b.n` would read `count(*) - count(*)`."""
        from sqlglot import exp

        if len(names) < 2:
            return set()
        inner = {name: scope.sources[name] for name in names if name in scope.sources}
        tables = {name: self._tables(one) for name, one in inner.items() if not isinstance(one, exp.Table)}
        return {one for one in tables for other in tables if one != other and tables[one].keys() & tables[other]}

    def _around(self, scope: Any, reference: Any) -> Made:
        """A column of a subquery within the expression (`(select max(x) from t)`), or of the query around this one."""
        for other in (*scope.subquery_scopes, *([scope.parent] if scope.parent is not None else [])):
            if reference.table in other.sources:
                return self._reference(other, reference)
        return Made(None, {}, {})

    def _plain(self, scope: Any, part: Any) -> str:
        """A part of the query as people write it: columns by the names of their tables."""
        from sqlglot import exp

        part = part.copy()
        for reference in list(part.find_all(exp.Column)):
            source = scope.sources.get(reference.table)
            known = source if isinstance(source, exp.Table) else reference.table
            new = self.names.shown(known, reference.name, joined=len(scope.selected_sources) > 1)
            if reference is part:
                return self.text(new)
            reference.replace(new)
        return self.text(self.names.with_real_tables(part))

    def _tables(self, scope: Any) -> dict[str, None]:
        """The tables that the rows of a scope come from."""
        from sqlglot import exp

        key = id(scope)
        if key not in self.tables:
            found = self.tables[key] = {}  # there already for a query that reads itself
            for _, source in scope.selected_sources.values():
                found |= {self.names.table(source): None} if isinstance(source, exp.Table) else self._tables(source)
            lateral = scope.subquery_scopes if isinstance(scope.expression, exp.Lateral) else ()
            for inner in (*(scope.set_operation_scopes or ()), *lateral):
                found |= self._tables(inner)
        return self.tables[key]

    def told(self, name: str, made: Made) -> Column:
        """A column as JSON has it."""
        text = self.text(made.expression) if made.expression is not None else name
        context = ", ".join(made.context)
        return {
            "name": name,
            "expression": text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…",
            "context": (context if len(context) <= LONGEST else f"{context[: LONGEST - 1]}…") or None,
            "inputs": list(made.inputs)[:MOST_INPUTS],
        }


def _outputs(scope: Any) -> list[tuple[int, str]]:
    """The names of a subquery's columns: those that it is given from outside (`as t(a, b)`), else its own."""
    given = scope.outer_columns
    own = [one.alias_or_name for one in scope.expression.selects]
    return list(enumerate([*given, *own[len(given) :]]))
