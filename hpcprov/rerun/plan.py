"""Record -> plan: what is run again, where, with what. Pure: no file is looked at.

plan = make(record, directory="/scratch/ada/run.rerun-1")
plan.argv, plan.size, plan.inputs  ->  ["./solver", "forcing.nc"], 4, [{"path": "/scratch/ada/run/forcing.nc", ...}]
"""

from __future__ import annotations

import os

from hpcprov.record import model
from hpcprov.record.errors import HpcprovError
from hpcprov.record.ranges import count
from hpcprov.record.text import is_name
from hpcprov.rerun.mapping import Paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from hpcprov.record.model import Record

REDACTED = "***"
STARTERS = {"slurm": "srun"}
MANY = 100_000
#: The module of Jupyter's kernel of Python: `python -m ipykernel_launcher -f kernel.json`.
KERNEL = "ipykernel_launcher"


class NotRunnable(HpcprovError):
    """The record does not say enough to run it again."""


class Plan:
    """What is run again.

    `record` is the original's; `old` and `directory` are the two working directories, `paths` leads from one to the
    other; `argv` is mapped, and so are `others`: of ranks with a command of their own its words and their number;
    `starter` and `size` of a parallel launch (None, 1); `inputs`: facts of what was read; `code` and `programs`:
    digests (SHA-256) by path; `software`: directories of what is installed; `image_files`: paths of container images;
    `stdin` and `stdout`: paths or None; `expected`: facts of the outputs by their new paths; `made`: old paths of what
    reruns before this one have made in the same directory."""

    def __init__(self, record: Record, directory: str, made: Collection[str] = ()) -> None:
        run = record["run"]
        if not run["argv"] or not run["cwd"]:
            raise NotRunnable(f"{run['id']} has no recorded {'directory' if run['argv'] else 'command'}")
        self.record, self.old, self.directory, self.made = record, str(run["cwd"]), directory, frozenset(made)
        self.inputs = [one for one in record["artifacts"]["used"] if one["path"].startswith("/")]
        generated = [one for one in record["artifacts"]["generated"] if one["path"].startswith("/")]
        self.code, self.programs = _code(record), _programs(record)
        written = {one["path"] for one in generated} | self.made
        self.software = _software(record)
        keep = {one["path"] for one in self.inputs if one["path"] not in written}
        self.image_files = {one["path"] for one in self.images() if str(one.get("path")).startswith("/")}
        keep |= self.code.keys() | self.programs.keys() | self.software | self.image_files
        self._check_names({self.old, *keep, *written})
        self.paths = Paths(self.old, directory, keep - self.made)
        self.argv = [self.paths.word(word) for word in run["argv"]]
        self.argv[0] = self._program(run["argv"][0])
        self.others = [
            ([self.paths.word(word) for word in one["argv"] or []], count(one["ranks"])) for one in run["others"]
        ]
        self.size = int(record["launcher"]["size"] or record["ranks"]["count"] or 1)
        self.starter = starter(record) if is_parallel(record) else None
        self.stdin, self.stdout = _stream(self.inputs), _stream(generated)
        self.expected = {self.paths.path(one["path"]): one for one in generated}

    @property
    def id(self) -> str:
        return str(self.record["run"]["id"])

    def _check_names(self, names: set[str]) -> None:
        if odd := next((name for name in sorted(names) if not is_name(name)), None):
            raise NotRunnable(f"{self.id} names {odd[:200]!a}, which no file can be called")

    def _program(self, word: str) -> str:
        """The command itself: one that lies outside of the directory, or was made by none of these runs, by its full
        name."""
        if "/" not in word:
            return word
        full = os.path.normpath(os.path.join(self.old, word))
        return self.paths.word(word) if self.paths.inside(full) or word.startswith("/") else full

    def unmapped(self) -> list[str]:
        """Outputs that lie outside of the working directory: they would be overwritten."""
        return [
            path for path in self.expected if not self.paths.inside(path) and not path.startswith(f"{self.directory}/")
        ]

    def images(self) -> list[dict[str, Any]]:
        """What the record says of containers: of each `image`, `path` or None, `how`, and the `identity` or None."""
        read = _objects(model.fact(self.record, "image").get("images"))
        known = {one["image"]: one for one in read if type(one.get("image")) is str}
        found = _objects(model.fact(self.record, "container").get("containers"))
        named = [one for one in found if type(one.get("image")) is str and one["image"] != "unknown"]
        return [one | {"known": known.get(one["image"])} for one in named]


def make(record: Record, directory: str, *, made: Collection[str] = ()) -> Plan:
    """The plan of a run's rerun in a directory. Raises NotRunnable."""
    kind = record["run"]["kind"]
    if kind != "command":
        raise NotRunnable(f"{record['run']['id']} is a {kind}: its parts are run again, one after the other")
    if record["run"]["status"] == "running":
        raise NotRunnable(f"{record['run']['id']} is still going on", hint="wait for its end, or stop it")
    if KERNEL in (record["run"]["argv"] or ()):
        path = record["run"]["tags"].get("notebook")
        raise NotRunnable(
            f"{record['run']['id']} was made in a notebook: its command only starts a kernel, which waits for cells",
            hint=f"run the cells of {path!a} again" if path else "run its cells again",
        )
    return Plan(record, directory, made)


def starter(record: Record) -> str:
    """The program that starts ranks as the recorded launcher did."""
    return STARTERS.get(record["launcher"]["kind"] or "", "mpiexec")


def is_parallel(record: Record) -> bool:
    """Whether a launcher started the ranks of a run."""
    size = int(record["launcher"]["size"] or record["ranks"]["count"])
    return record["launcher"]["kind"] not in (None, "none") and size > 1


def _code(record: Record) -> dict[str, str]:
    """SHA-256 of files of code, by path."""
    script = model.fact(record, "code").get("script")
    found = {}
    if type(script) is dict and type(script.get("path")) is str and type(script.get("sha256")) is str:
        found[script["path"]] = script["sha256"]
    seen = record.get("observation")
    rows = seen["code"] if seen else []
    return found | {row["path"]: row["sha256"] for row in rows[:MANY] if row["sha256"] and row["path"].startswith("/")}


def _programs(record: Record) -> dict[str, str]:
    """SHA-256 of programs on this machine, not in an image, by path."""
    seen = record.get("observation")
    rows = seen["programs"] if seen else []
    return {
        os.path.normpath(row["path"]): row["sha256"] for row in rows if row["sha256"] and row["path"].startswith("/")
    }


def _software(record: Record) -> set[str]:
    """Directories with installed software that was read: environments of Python, packages, and of shared libraries."""
    seen = record.get("observation")
    found = {row["prefix"] for row in (seen["software"] if seen else []) if row["prefix"].startswith("/")}
    fact = model.fact(record, "software")
    for one in _objects(fact.get("python")):
        called = str(one.get("executable", ""))
        found |= {os.path.dirname(os.path.dirname(called))} if called.startswith("/") and "/bin/" in called else set()
    found |= {os.path.dirname(str(one.get("path", ""))) for one in _objects(fact.get("libraries"))}
    return {path for path in found if path.startswith("/") and path != "/" and path != record["run"]["cwd"]}


def _stream(artifacts: list[dict[str, Any]]) -> str | None:
    """The one file that the ranks had as a standard stream: no program opened it."""
    found = [one["path"] for one in artifacts
             if one.get("observed") and not one["observed"]["programs"] and not one["declared"]]  # fmt: skip
    return found[0] if len(found) == 1 else None


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if type(one) is dict] if type(value) is list else []
