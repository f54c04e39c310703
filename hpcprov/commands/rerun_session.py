"""Reruns of one command line: the process that reads for them, their directory, and their results one after the other.

with Session(store, args) as session:
    session.all(found, runs)
->  [{"run": "20261121T093000Z-1f2e3d4c", "again": "20261121T101500Z-99aa88bb", "directory": ..., "differences": [],
      "verdict": "reproduced", "exit": 0, "outputs": [...]}]
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from typing import Any, NamedTuple

from hpcprov.catalog.causes.surroundings import module_names
from hpcprov.commands import rerun_page, wholes
from hpcprov.commands.bar import Bar
from hpcprov.commands.choose import Run, open_run
from hpcprov.commands.reading import comparer
from hpcprov.merge import find
from hpcprov.merge.seal import verify_seal
from hpcprov.record import layout
from hpcprov.record.errors import HpcprovError
from hpcprov.rerun import checks, launch, outcome, place
from hpcprov.rerun.environment import settings
from hpcprov.rerun.modules import NotLoadable, loaded
from hpcprov.rerun.plan import Plan, make

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from types import TracebackType

    from hpcprov.record.layout import Store

PATIENCE = 30.0  # s for the agents of a rerun that has ended to write its record
LOOK = 0.1  # s between two looks
EXIT = {outcome.REPRODUCED: 0, outcome.WITHIN: 0, outcome.DIFFERENT: 1, outcome.UNKNOWN: 1}
REFUSED = 2
ELSES = "somebody else's command would be run (`hpcprov log` prints it)"


class Session:
    """Reruns with the same options."""

    def __init__(self, store: Store, args: argparse.Namespace) -> None:
        self.store, self.args = store, args
        self.folder = tempfile.mkdtemp(prefix="hpcprov-")
        self.bar = Bar()
        self.reads = comparer({"tiles_dir": self.folder, "durable": False}, self.bar)
        self.out = sys.stderr if args.json else sys.stdout

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reads.close(at_once=error is not None)
        shutil.rmtree(self.folder, ignore_errors=True)

    def all(self, found: Run, runs: list[Run]) -> list[dict[str, Any]]:
        """Run all of them again in one directory, beside that of the first: when every one of them can be, and until
        one ends otherwise than it did."""
        directory = self._directory(runs[0])
        try:
            ready = [self._looked_at(plan, run) for plan, run in zip(plans(runs, directory), runs, strict=True)]
        except BaseException:
            self._discard(directory)
            raise
        refused = [one.result for one in ready if one.result["differences"]]
        if self.args.check or (refused and not self.args.anyway):
            self._discard(directory)
            results = [one.result | {"directory": None, **_refusal(one.result)} for one in ready]
            self.say(rerun_page.checked(results, refused=not self.args.check))
            return results
        results = []
        for one in ready:
            results.append(self._run(one))
            if results[-1]["status"] != results[-1]["before"] and not self.args.anyway:
                break
        return results

    def _looked_at(self, plan: Plan, run: Run) -> Ready:
        doubt = _doubt(run)
        # Its modules and its PATH are somebody else's programs too: even a look would run them.
        trusts = self.args.anyway or (doubt is None and ("seal" not in run.record or verify_seal(run.record)))
        environ, problems = self._environment(plan) if trusts else (dict(os.environ), [])
        differences = checks.differences(plan, environ, self._verdict, loads=trusts)
        if doubt is not None:
            differences.insert(0, {"kind": "record", "text": doubt})
        image = self._image(plan, differences)
        return Ready(plan, environ, image, problems, _result(plan, differences))

    def _run(self, ready: Ready) -> dict[str, Any]:
        """Run one again and compare."""
        plan, result = ready.plan, ready.result
        place.prepare(plan)
        run_id = launch.new_id(time.time())
        words = launch.command(plan, launcher(), run_id, image=ready.image)
        self.say(rerun_page.started(plan, result, ready.problems))
        environ = launch.environment(plan, ready.environ, self.store.root)
        code = launch.run(words, plan, environ, output=self.out.fileno() if self.args.json else None)
        again = self._record(run_id)
        if again is None:
            self.say([f"it ended with {code}, and no record of it was made: it cannot be compared"])
            return result | {"verdict": "no record", "code": code, "exit": REFUSED}
        outputs = outcome.compare(plan, again.record, self._values)
        ended, before = again.record["run"]["status"], plan.record["run"]["status"]
        word = outcome.verdict(outputs, ended=ended, before=before)
        result |= {"again": again.id, "status": ended, "verdict": word, "outputs": outputs}
        result |= {"code": code, "exit": EXIT[word]}
        self.say(rerun_page.ended(result))
        return result

    def say(self, lines: list[str]) -> None:
        print("\n".join(lines), file=self.out, flush=True)

    def _directory(self, first: Run) -> str:
        cwd = first.record["run"]["cwd"]
        if self.args.check and cwd:
            return f"{cwd}.rerun"
        if self.args.place is not None:
            return place.given(self.args.place)
        if not cwd:
            raise HpcprovError(f"the working directory of {first.id} is not known", hint="--in DIR names one")
        return place.fresh(cwd)

    def _discard(self, directory: str) -> None:
        """Remove the directory that was made here and not used."""
        if self.args.place is None and not self.args.check:
            place.discard(directory)

    def _environment(self, plan: Plan) -> tuple[dict[str, str], list[str]]:
        """The recorded environment over this one, with the recorded modules; why these could not be loaded."""
        common = plan.record["environment"]["common"]
        names = module_names(plan.record)
        base, problems = settings(common, os.environ), []
        if names:
            try:
                base = settings(common, loaded(names, base))
            except NotLoadable as error:
                problems.append(error.message)
        return base, problems

    def _image(self, plan: Plan, differences: list[dict[str, str]]) -> str | None:
        """The image to run in; that it would run outside of it is a difference."""
        around = [image for image in plan.images() if image.get("how") == "inside"]
        started = [image for image in plan.images() if image.get("how") != "inside"]
        if not around:
            if self.args.container and not started:
                raise HpcprovError(f"no image is recorded of {plan.id}", hint="leave --container out")
            return None
        name = str(around[0].get("path") or around[0]["image"])
        if self.args.container:
            return name
        differences.append({"kind": "image", "text": f"it ran inside of the image {name}: --container runs it there"})
        return None

    def _verdict(self, artifact: dict[str, Any]) -> dict[str, Any]:
        """Whether an input is what was recorded; what has not been touched since it was read is not read again."""
        from hpcprov.signature.verify import compare

        return compare(artifact, self._described(artifact["path"], artifact), lambda one, other: {})

    def _described(self, path: str, recorded: dict[str, Any]) -> dict[str, Any]:
        self.reads.configure(cache_dir=self.store.cache, values=recorded["signature"] is not None, same_as=None)
        self.bar.begin(path)
        try:
            return self.reads.describe(path).result
        finally:
            self.bar.clear()

    def _values(self, mine: dict[str, Any], right: dict[str, Any]) -> list[dict[str, Any]] | None:
        """The values of both files compared, as long as the original's is what was recorded."""
        if self._verdict(right)["status"] != "OK":
            return None
        try:
            return self.reads.compare(mine["path"], right["path"], rtol=self.args.rtol, atol=self.args.atol)
        except HpcprovError:
            return None

    def _record(self, run_id: str) -> Run | None:
        """The rerun's record, as soon as it is there."""
        until = time.monotonic() + PATIENCE
        while (directory := find.find_record(self.store, run_id)) is None and time.monotonic() < until:
            if not os.path.isdir(self.store.run(run_id)) and find.find_record(self.store, run_id) is None:
                return None
            time.sleep(LOOK)
        if directory is None:
            # Its agents have been killed, or take too long: what is known by now.
            wholes.settle_all(self.store, [run_id])
            directory = find.find_record(self.store, run_id)
        return None if directory is None else open_run(self.store, directory)


class Ready(NamedTuple):
    """A plan with its environment, the image to run in, what is to be said of them, and the result so far."""

    plan: Plan
    environ: dict[str, str]
    image: str | None
    problems: list[str]
    result: dict[str, Any]


def _doubt(run: Run) -> str | None:
    """Why a record does not tell what this user has run."""
    if layout.is_imported(run.directory):
        return f"the record was imported: {ELSES}"
    return None if layout.is_ours(run.directory) else f"the record is another user's: {ELSES}"


def plans(runs: list[Run], directory: str) -> list[Plan]:
    """The plans of runs that follow each other in one directory: what one makes is there for the next ones."""
    made: set[str] = set()
    found = []
    for one in runs:
        found.append(make(one.record, directory, made=made))
        made |= {artifact["path"] for artifact in one.record["artifacts"]["generated"]}
    return found


def _refusal(result: dict[str, Any]) -> dict[str, Any]:
    """What is not run: whether it could be."""
    return {"verdict": "differs", "exit": REFUSED} if result["differences"] else {"verdict": "as it was", "exit": 0}


def _result(plan: Plan, differences: list[dict[str, str]]) -> dict[str, Any]:
    empty: dict[str, Any] = {"again": None, "status": None, "verdict": None, "outputs": [], "code": None}
    run = plan.record["run"]
    return {"run": plan.id, "name": run["name"], "directory": plan.directory, "differences": differences} | empty | {
        "before": run["status"]
    }  # fmt: skip


def launcher() -> str:
    """The native launcher beside this Python, else the one on PATH. Raises HpcprovError."""
    beside = os.path.join(os.path.dirname(sys.executable), "hpcprov")
    found = beside if os.access(beside, os.X_OK) else shutil.which("hpcprov")
    if found is None:
        raise HpcprovError("hpcprov itself is not found beside Python or on PATH", hint="put its directory on PATH")
    return found
