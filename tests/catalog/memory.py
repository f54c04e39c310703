"""What lineage asks a catalog for, answered from lists in memory: the plain meaning of each question.

world = World()
world.run("a", 1).made("/x", "1").run("b", 2).used("/x", "1").made("/y", "2")
"""

from __future__ import annotations

from collections.abc import Iterable

from hpcprov.catalog.versions import EXECUTED, Field, Version


def moment(at: float) -> str:
    return f"2026-11-21T{int(at) // 3600:02d}:{int(at) // 60 % 60:02d}:{int(at) % 60:02d}.{int(at % 1 * 10**9):09d}Z"


class World:
    """Runs that last half a second from the second that they are given, and what they used and generated."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, object]] = {}
        self.versions: list[Version] = []
        self.ran: list[Version] = []
        self.of: dict[object, list[Field]] = {}
        self.asked = 0

    def run(self, run: str, at: float, *, parent: str | None = None, lasts: float = 0.5, **known: object) -> World:
        self.known[run] = {"name": run, "status": "completed", "start": moment(at), "end": moment(at + lasts)} | known
        self.current, self.began, self.ended, self.parent = run, moment(at), moment(at + lasts), parent
        return self

    def used(self, path: str, signature: str | None = None, **known: object) -> World:
        return self._add("used", path, signature, **known)

    def made(self, path: str, signature: str | None = None, **known: object) -> World:
        return self._add("generated", path, signature, **known)

    def executed_program(self, path: str) -> World:
        program = Version(self.current, "used", path)
        program.began = program.ended = self.began
        program.parent, program.state = self.parent, EXECUTED
        self.ran.append(program)
        return self

    def _add(self, role: str, path: str, signature: str | None, *, fields: object = (), **known: object) -> World:
        version = Version(self.current, role, path, number=len(self.versions))
        version.began, version.ended, version.parent, version.signature = self.began, self.ended, self.parent, signature
        for name, value in known.items():
            setattr(version, name, value)
        named = fields if isinstance(fields, dict) else {}
        self.of[version.number] = [
            Field(name, *(value if isinstance(value, tuple) else (value, [20, 30], 4800)))
            for name, value in named.items()
        ]
        version.fields = len(named)
        self.versions.append(version)
        return self

    def of_run(self, run: str, role: str, path: str) -> Version:
        return next(one for one in self.versions if (one.run, one.role, one.path) == (run, role, path))

    def runs(self, ids: Iterable[str]) -> dict[str, dict[str, object]]:
        return {run: self.known[run] for run in ids if run in self.known}

    def artifacts(self, runs: Iterable[str], role: str) -> list[Version]:
        wanted = {*runs}
        found = [version for version in self.versions if version.run in wanted and version.role == role]
        return sorted(found, key=lambda version: (version.run, version.path))

    def counts(self, by: str, values: Iterable[str], role: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for value, _ in self._found(by, values, role):
            found[value] = found.get(value, 0) + 1
        return found

    def found(self, by: str, values: Iterable[str], role: str, most: int) -> list[tuple[str, Version]]:
        self.asked += 1
        return self._found(by, values, role)[:most]

    def latest(self, by: str, value: str, before: str, path: str | None = None) -> list[Version]:
        found = [version for _, version in self._found(by, [value], "generated")]
        fit = [one for one in found if (not before or one.began < before) and path in (None, one.path)]
        return sorted(fit, key=lambda one: one.began, reverse=True)[:4]

    def first_seen(self, by: str, values: Iterable[tuple[str, str | None]]) -> dict[tuple[str, str | None], str]:
        first: dict[tuple[str, str | None], str] = {}
        for value, path in values:
            for _, version in self._found(by, [value], "used"):
                if path in (None, version.path):
                    first[value, path] = min(first.get((value, path), version.began), version.began)
        return first

    def fields(self, versions: Iterable[Version]) -> dict[object, list[Field]]:
        return {version.number: self.of.get(version.number, []) for version in versions}

    def programs(self, runs: Iterable[str]) -> list[Version]:
        wanted, known = {*runs}, {(one.run, one.path) for one in self.versions}
        found = [one for one in self.ran if one.run in wanted and (one.run, one.path) not in known]
        return sorted(found, key=lambda one: (one.run, one.path))

    def executed(self, paths: Iterable[str], most: int) -> list[Version]:
        wanted = {*paths}
        return [one for one in self.programs(self.known) if one.path in wanted][:most]

    def executed_below(self, directory: str, most: int) -> list[Version]:
        return [one for one in self.programs(self.known) if one.path.startswith(f"{directory}/")][:most]

    def below(self, directory: str, role: str, most: int) -> list[Version]:
        found = [one for one in self.versions if one.role == role and one.path.startswith(f"{directory}/")]
        return sorted(found, key=lambda one: one.began, reverse=True)[:most]

    def _found(self, by: str, values: Iterable[str], role: str) -> list[tuple[str, Version]]:
        wanted = {*values}
        found = []
        for version in self.versions:
            its = {field.signature for field in self.of[version.number]} if by == "field" else {getattr(version, by)}
            found += [(value, version) for value in its & wanted if version.role == role]
        return found

    def __repr__(self) -> str:
        told = ("run", "role", "path", "signature", "storage", "size", "began", "ended")
        return "\n".join(str([getattr(version, name) for name in told]) for version in self.versions)
