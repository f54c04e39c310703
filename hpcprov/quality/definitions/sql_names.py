"""The names in a SQL query: resolved against the tables that are there, and written as people write them.

names = Names({"trans": ["id", "amount"]}, "duckdb")
names.qualified(parsed("from trans select *", "duckdb"))     # every column with its table

Columns of files are told apart by case, and names in most SQL dialects are not: a name of the query stands for the
column that is written the same, else for the only one that differs in case. A table may be given by the name of its
file, too: FROM 'trans.parquet', FROM read_parquet('trans.parquet').
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hpcprov.quality.definitions.sql_text import Unclear, library

MOST_NAMED = 12
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Names:
    """Tables and columns that are there; `dialect` None: sqlglot's own, which takes what most have in common."""

    def __init__(self, tables: dict[str, list[str]], dialect: str | None) -> None:
        self.tables, self.dialect = tables, dialect
        self.spellings = {  # of each table: columns as they are written, and without case
            table: {name.casefold(): name for name in reversed(its)} | {name: name for name in its}
            for table, its in tables.items()
        }
        self.keys = {name: f"t{place}" for place, name in enumerate(tables)}  # what sqlglot knows them by
        self.used: dict[str, set[str]] = {}  # tables, with the aliases that they have in the query

    def qualified(self, query: Any) -> Any:
        """The query with every column resolved. Raises Unclear for tables and columns that are not there."""
        sqlglot = library()
        from sqlglot import exp
        from sqlglot.optimizer.qualify import qualify

        for table in list(query.find_all(exp.Table)):
            if not is_cte(table):
                self._bind(table)
        self._as_in_files(query)
        schema: dict[str, object] = {
            f'"{self.keys[name]}"': {_quoted(column): "UNKNOWN" for column in self.tables[name]} for name in self.used
        }
        try:
            return qualify(query, dialect=self.dialect, schema=schema, quote_identifiers=False, identify=False)
        except sqlglot.errors.SqlglotError as error:
            raise Unclear(self._unresolved(str(error).splitlines()[0][:300])) from error

    def _bind(self, table: Any) -> None:
        """Have a table of the query mean one that is there."""
        from sqlglot import exp

        named, written = table.this, written_name(table)
        real = next(self._candidates(table.name or written, written), None)
        if real is None:
            known = ", ".join(list(self.tables)[:MOST_NAMED]) or "none is given"
            raise Unclear(f"the query reads from {written!a}, and the tables are: {known}")
        if not table.alias:
            alias = named.copy() if isinstance(named, exp.Identifier) else exp.to_identifier(real, quoted=True)
            table.set("alias", exp.TableAlias(this=alias))
        self.used.setdefault(real, set()).add(table.alias.casefold())
        table.set("this", exp.to_identifier(self.keys[real], quoted=True))
        table.set("db", None)
        table.set("catalog", None)

    def _candidates(self, *names: str) -> Iterator[str]:
        for name in names:
            yield from (one for one in self.tables if one == name)
        for name in names:
            yield from (one for one in self.tables if one.casefold() == name.casefold())

    def _as_in_files(self, query: Any) -> None:
        """Write the names of columns as the files have them."""
        from sqlglot import exp

        spellings: dict[str, set[str]] = {}
        for name in self.used:
            for column in self.tables[name]:
                spellings.setdefault(column.casefold(), set()).add(column)
        for identifier in list(query.find_all(exp.Identifier)):
            if isinstance(identifier.parent, exp.Table | exp.TableAlias) or identifier.arg_key in ("table", "db"):
                continue
            known = spellings.get(identifier.name.casefold(), set())
            real = identifier.name if identifier.name in known else next(iter(known)) if len(known) == 1 else None
            if real is not None:
                identifier.set("this", real)
                identifier.set("quoted", True)

    def _unresolved(self, message: str) -> str:
        listed = [f"{one} has {', '.join(self.tables[one][:MOST_NAMED]) or 'none'}" for one in sorted(self.used)]
        return f"{message}; columns: {'; '.join(listed[:MOST_NAMED])}"

    def table(self, table: Any) -> str:
        """The name that a table was given by."""
        return next((name for name, key in self.keys.items() if key == table.name), str(table.name))

    def column(self, table: str, name: str) -> str:
        """A column's name as the file has it."""
        known = self.spellings.get(table, {})
        return known.get(name) or known.get(name.casefold()) or name

    def shown(self, table: Any, name: str, *, joined: bool = False) -> Any:
        """A column as it is written where people read it: with its table only where there are several or subqueries are
        `joined`, and with the table's alias where the query reads one table twice. `table`: sqlglot's, or the name of a
        subquery."""
        from sqlglot import exp

        if isinstance(table, exp.Table):
            name, label, joined = self.column(self.table(table), name), self.label(table), False
        else:
            label = str(table)
        several = joined or len(self.used) > 1 or any(len(aliases) > 1 for aliases in self.used.values())
        return exp.column(_identifier(name), table=_identifier(label) if several and label else None)

    def label(self, table: Any) -> str:
        """What a table of the query is called where people read it."""
        real = self.table(table)
        return str(table.alias) if len(self.used.get(real, ())) > 1 else real

    def with_real_tables(self, part: Any) -> Any:
        """A part of the query in which tables have the names that they were given by; it is changed."""
        from sqlglot import exp

        for table in part.find_all(exp.Table):
            real = self.table(table)
            if real in self.tables:
                alias = table.alias if self.label(table) != real else ""
                table.set("this", _identifier(real))
                table.set("alias", exp.TableAlias(this=_identifier(alias)) if alias else None)
        return part


def _identifier(name: str) -> Any:
    from sqlglot import exp

    return exp.to_identifier(name, quoted=PLAIN.fullmatch(name) is None)


def written_name(table: Any) -> str:
    """A table's name with schema and database; of a function that reads a file the file's."""
    from sqlglot import exp

    if isinstance(table.this, exp.Func):
        literal = table.this.find(exp.Literal)
        return str(literal.this if literal is not None and literal.is_string else table.this.sql())
    return ".".join(part for part in (table.catalog, table.db, table.name) if part)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def is_cte(table: Any) -> bool:
    """Does a name mean a CTE? One can be seen by those behind it and by the query, and by itself only if it is
    recursive: `with trans as (select * from trans)` reads from the table."""
    from sqlglot import exp

    if table.db or not isinstance(table.this, exp.Identifier):
        return False
    inside, node = None, table.parent
    while node is not None:
        if isinstance(node, exp.CTE):
            inside = node
        elif isinstance(node, exp.With):
            before = node.expressions[: node.expressions.index(inside)] if inside is not None else []
            before += [inside] if node.args.get("recursive") and inside is not None else []
            if any(cte.alias.casefold() == table.name.casefold() for cte in before):
                return True
        else:
            own = node.args.get("with_") or node.args.get("with")
            seen = own.expressions if isinstance(own, exp.With) and not _is_within(table, own) else ()
            if any(cte.alias.casefold() == table.name.casefold() for cte in seen):
                return True
        node = node.parent
    return False


def _is_within(node: Any, other: Any) -> bool:
    while node is not None and node is not other:
        node = node.parent
    return node is other
