"""Comparing in a child process, as `hpcprov.signature.isolated` reads: files are untrusted, and so is what it answers.

with Comparing({"threads": 1}, memory=1 << 30) as comparing:
    comparing.compare("new/out.h5", "out.h5", rtol=1e-6)    # a list as compare.compare gives it
"""

from __future__ import annotations

from contextlib import contextmanager

from hpcprov.data.embed_draft import remove_left
from hpcprov.signature.isolated import UNSOUND, Isolated, Refused, sound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

STATUSES = ("same", "within", "different", "missing", "new")
NUMBERS = ("count", "differing", "outside")
MEASURES = ("max_abs", "max_rel")
PLACES = ("where", "first")


class Comparing(Isolated):
    """A child process that compares, and reads as any other."""

    module = "hpcprov.quality.worker"

    def compare(self, path: str, other: str, *, rtol: float = 0.0, atol: float = 0.0) -> list[dict[str, Any]]:
        """How the fields of two files differ; `other` is the one that counts as right. Raises Refused with what the
        reader says, Crashed."""
        head, _ = self.ask({"do": "compare", "path": path, "other": other, "rtol": rtol, "atol": atol})
        fields = head.get("fields")
        if type(fields) is not list or not all(map(_is_sound, fields)):
            raise Refused(UNSOUND)
        return fields

    def diff(self, path: str, other: str, options: dict[str, Any]) -> dict[str, Any]:
        """What exactly differs between two files, as `diff.files.diff_files` gives it; `options` as in `diff.options`.
        Raises Refused with the path that it is about, Crashed."""
        from hpcprov.quality.diff.sound import is_sound

        found: dict[str, Any] = self.ask({"do": "diff", "path": path, "other": other, "options": options})[0]["found"]
        if not is_sound(found):
            raise Refused(UNSOUND)
        return found

    def glance(self, path: str) -> dict[str, Any]:
        """Layout and attributes of a dataset, as `dictionary.layout.glance` gives them. Raises Refused, Crashed."""
        from hpcprov.quality.dictionary.sound import is_glance

        return self._told({"do": "glance", "path": path}, "found", is_glance)

    def count(self, path: str) -> list[dict[str, Any]]:
        """The fields of a dataset that can be read, as `statistics.reading.counted` gives them. Raises Refused,
        Crashed."""
        from hpcprov.quality.dictionary.sound import is_counted

        found: list[dict[str, Any]] | None = self.ask({"do": "count", "path": path})[0].get("found")
        if not is_counted(found) or found is None:
            raise Refused(UNSOUND)
        return found

    def sheet(self, path: str) -> dict[str, Any]:
        """A dictionary's sheet, as `dictionary.sheet.read_sheet` gives it. Raises Refused, Crashed."""
        from hpcprov.quality.dictionary.sound import is_sheet

        return self._told({"do": "sheet", "path": path}, "sheet", is_sheet)

    def trail(self, path: str) -> dict[str, Any]:
        """What a dataset tells of what made it, as `trail.stamping.trail` gives it. Raises Refused, Crashed."""
        from hpcprov.quality.trail.sound import is_trail

        return self._told({"do": "trail", "path": path}, "found", is_trail)

    def stamp(
        self,
        path: str,
        entry: dict[str, Any],
        used: list[dict[str, Any]],
        *,
        recorded: str,
        signature: str,
        fields: dict[str, dict[str, str]] | None = None,
        break_links: bool = False,
    ) -> dict[str, Any]:
        """Append an entry to a dataset's audit trail, as `trail.stamping.stamp` does. Raises Refused with the reason
        for which nothing was written, Crashed."""
        from hpcprov.quality.trail.sound import is_stamp

        request = {
            "do": "stamp",
            "path": path,
            "entry": entry,
            "used": used,
            "recorded": recorded,
            "fields": fields or {},
        }
        with self._sweeping(path, fields or ()):
            told = self._told({**request, "signature": signature, "break_links": break_links}, "found", is_stamp)
        return told if told["result"] is None else {**told, "result": sound(told["result"])}

    def embed(
        self,
        path: str,
        dataset: dict[str, Any],
        fields: dict[str, dict[str, Any]],
        *,
        signature: str,
        break_links: bool = False,
    ) -> dict[str, Any]:
        """Set attributes of a dataset whose signature is known, and of its fields; None takes one away. The facts about
        it as `describe` gives them. Raises Refused with the reason for which nothing was written, Crashed."""
        request = {"do": "embed", "path": path, "dataset": dataset, "fields": fields}
        with self._sweeping(path, fields):
            head, _ = self.ask({**request, "signature": signature, "break_links": break_links})
        return sound(head.get("result"))

    def discover(self, path: str, options: dict[str, Any]) -> dict[str, Any]:
        """The constraints that data keeps, as `constraints.child.discover_file` gives them. Raises Refused, Crashed."""
        from hpcprov.quality.constraints.answer import is_discovery

        return self._told({"do": "discover", "path": path, "options": options}, "found", is_discovery)

    def constrain(self, path: str, constraints: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
        """The verdict on data, as `constraints.child.verify_file` gives it. Raises Refused, Crashed."""
        from hpcprov.quality.constraints.answer import is_verdict

        request = {"do": "constrain", "path": path, "constraints": constraints, "options": options}
        return self._told(request, "found", is_verdict)

    def sql_tables(self, query: str, dialect: str | None) -> list[str]:
        """The tables that a SQL query reads from, as it names them. Raises Refused, Crashed."""
        from hpcprov.quality.definitions.sound import is_names

        request = {"do": "sql", "query": query, "tables": None, "dialect": dialect}
        found: list[str] | None = self.ask(request)[0].get("found")
        if not is_names(found) or found is None:
            raise Refused(UNSOUND)
        return found

    def sql_columns(self, query: str, tables: dict[str, list[str]], dialect: str | None) -> list[dict[str, Any]]:
        """How each column of a SQL query's result is made, as `definitions.sql.columns` gives it. Raises Refused,
        Crashed."""
        from hpcprov.quality.definitions.sound import is_columns

        request = {"do": "sql", "query": query, "tables": tables, "dialect": dialect}
        found: list[dict[str, Any]] | None = self.ask(request)[0].get("found")
        if not is_columns(found) or found is None:
            raise Refused(UNSOUND)
        return found

    @contextmanager
    def _sweeping(self, path: str, fields: Iterable[str]) -> Iterator[None]:
        """Remove the copies that the child leaves beside `path`, or in `fields` of a store, when it is ended, by
        whatever ends this process, too."""
        try:
            yield
        except Refused:  # it lives, and has removed it
            raise
        except BaseException:
            self.close(at_once=True)
            remove_left(path, fields)
            raise

    def _told(self, request: dict[str, Any], member: str, is_sound: Callable[[Any], bool]) -> dict[str, Any]:
        """The member of an answer that has its form."""
        head, _ = self.ask(request)
        found: dict[str, Any] = head.get(member, {})
        if not is_sound(found):
            raise Refused(UNSOUND)
        return found


def _is_sound(one: Any) -> bool:
    return (
        type(one) is dict
        and type(one.get("path")) is str
        and one.get("status") in STATUSES
        and type(one.get("reason")) in (str, type(None))
        and all(type(one.get(name)) in (int, type(None)) for name in NUMBERS)
        and all(type(one.get(name)) in (int, float, type(None)) for name in MEASURES)
        and all(_is_index(one.get(name)) for name in PLACES)
    )


def _is_index(value: Any) -> bool:
    return value is None or (type(value) is list and all(type(number) is int for number in value))
