"""What runs are found by beside their times and data: tags, nodes, modules, images, commits, jobs, software.

facets_of(record, Known(record))  ->  ("tag", "case", "b1"), ("node", "n1", None), ("module", "gcc/12.2", None), ...
"""

from __future__ import annotations

import marshal
import os
from hashlib import sha256

from hpcprov.catalog.image_facets import identities_of, images_of
from hpcprov.catalog.schema import maybe_stored, stored
from hpcprov.merge import jobs
from hpcprov.record import model
from hpcprov.record.inside import objects, part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from hpcprov.catalog.before import Before

    Facet = tuple[str, str, str | None]
    Member = tuple[str, Any]
    Lists = dict[str, list[tuple[str, str | None]]]

#: Kinds of facets: `name` and `value` of each.
FACETS = {
    "tag": "the tag's key; its value",
    "node": "a node's name, and its host's",
    "module": "name/version",
    "image": "its path, the name it was called by, a digest; what this is",
    "identity": "an image's digest, or its path where that was not found out; both, as JSON",
    "label": "an image label's key; its value",
    "commit": "a git commit; the working tree's top",
    "job": "what its scheduler calls the run's job, task and step",
    "array": "the array that its job is a task of",
    "part": "the id of a run that is a part of this one",
    "program": "the path of a program that it executed, but for the system's",
    "packages": "a list of installed Python packages (table lists)",
    "libraries": "a list of loaded libraries (table lists)",
}
SYSTEM = ("/usr/bin/", "/usr/sbin/", "/usr/lib", "/bin/", "/sbin/", "/lib")
MOST = 20_000  # facets of one kind, members of one list: more is left out


class Known:
    """The values of a record's facts by kind, each once."""

    def __init__(self, record: model.Record) -> None:
        by_kind: dict[str, dict[str, Any]] = {}
        for node in record["nodes"]:
            for kind, digest in node["facts"].items():
                by_kind.setdefault(kind, {}).setdefault(digest, record["facts"][digest].get("value"))
        self.by_kind = by_kind

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [value for value in self.by_kind.get(kind, {}).values() if type(value) is dict]


def facets_of(record: model.Record, known: Known) -> Iterator[Facet]:
    run = record["run"]
    for key, value in [*run["tags"].items()][:MOST]:
        yield "tag", stored(key), stored(value)
    for node in record["nodes"][:MOST]:
        yield "node", stored(node["node"]), None
        if type(node.get("host")) is str:
            yield "node", stored(node["host"]), None
    for name in dict.fromkeys(_modules(known)):
        yield "module", stored(name), None
    for commit, root in commits(known):
        yield "commit", stored(commit), maybe_stored(root)
    yield from images_of(known)
    yield from identities_of(known)
    for name in sorted(job_names(record)):
        yield "job", stored(name), None
    if run["part_of"]["array"] is not None:
        yield "array", stored(run["part_of"]["array"].rpartition("-")[2]), stored(run["part_of"]["array"])
    for one in record["parts"]:
        yield "part", stored(one["run"]), None
    for path in sorted(programs(record))[:MOST]:
        yield "program", stored(path), None


def programs(record: model.Record) -> set[str]:
    """Paths of the programs that a run executed, by its commands and as far as it was observed; without those that lie
    where only an administrator puts them."""
    run, seen = record["run"], record.get("observation")
    commands = [one["argv"] for one in (run, *run["others"]) if one["argv"]]
    named = [os.path.normpath(os.path.join(run["cwd"] or "/", argv[0])) for argv in commands if "/" in argv[0]]
    found = {*named, *(row["path"] for row in (seen["programs"] if seen else []))}
    return {path for path in found if path.startswith("/") and not path.startswith(SYSTEM)}


def job_names(record: model.Record) -> set[str]:
    """What a run's job is called: its id, that of its task in an array, and both with the step."""
    fact, common = model.fact(record, "scheduler"), record["environment"]["common"]
    array = [fact.get(f"array_{key}", common.get(f"SLURM_ARRAY_{key.upper()}")) for key in ("job_id", "task_id")]
    if record["run"]["kind"] == "job":
        itself = jobs.job_of_record(record)
        job, step = None if itself is None else itself.job_id, None
    else:
        job, step = model.job_id(record), fact.get("step_id", common.get("SLURM_STEP_ID"))
    names = {job, f"{array[0]}_{array[1]}" if None not in array else None} - {None}
    return {str(name) for name in names} | {f"{name}.{step}" for name in names if step is not None}


def _modules(known: Known) -> Iterator[str]:
    for fact in known.of("modules"):
        for module in objects(fact, "loaded")[:MOST]:
            if type(module.get("name")) is str:
                yield module["name"]


def commits(known: Known) -> Iterator[tuple[str, str | None]]:
    for fact in known.of("code"):
        for key in ("script", "directory"):
            git = part(fact, key, "git")
            if type(git.get("commit")) is str:
                yield git["commit"], git["root"] if type(git.get("root")) is str else None


def lists_of(known: Known, lists: Lists, before: Before) -> Iterator[Facet]:
    """Packages and libraries, as lists that other runs may have, too."""
    for fact in known.of("software"):
        yield from before.made_of(fact, lambda fact: [*_lists(fact, lists, before.told)])


def _lists(fact: dict[str, Any], lists: Lists, told: set[str]) -> Iterator[Facet]:
    for python in objects(fact, "python"):
        yield from _list("packages", python.get("packages"), _packages, lists, told)
    yield from _list("libraries", fact.get("libraries"), _libraries, lists, told)


def _list(
    kind: str, found: Any, members: Callable[[list[Any]], Iterator[Member]], lists: Lists, told: set[str]
) -> Iterator[Facet]:
    """A list's facet; its members, unless they were told before."""
    if type(found) is not list or not found:
        return
    # Version 0 of marshal gives equal values the same bytes, several times faster than JSON.
    name = sha256(marshal.dumps((kind, found[:MOST]), 0)).hexdigest()[:32]
    if name not in told:
        told.add(name)
        lists[name] = [(stored(one), maybe_stored(word(value))) for one, value in members(found[:MOST])]
    yield kind, name, None


def _packages(found: list[Any]) -> Iterator[Member]:
    return ((pair[0], pair[1]) for pair in found if type(pair) is list and len(pair) == 2 and type(pair[0]) is str)


def _libraries(found: list[Any]) -> Iterator[Member]:
    return ((one["path"], one.get("build_id")) for one in objects(found) if _has_path(one))


def _has_path(value: dict[str, Any]) -> bool:
    return type(value.get("path")) is str


def word(value: Any) -> str | None:
    return value if type(value) is str else None
