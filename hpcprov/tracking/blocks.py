"""`with hpcprov.run(...)`: a block of a program as a run with a record of its own; within a run, a step of it.

with hpcprov.run("calibrate", inputs=["gauges.csv"], outputs=["model.npz"], tags={"basin": "Elbe"}) as run:
    model = fit(pandas.read_csv("gauges.csv"))
    run.output(model, name="model")
    numpy.savez("model.npz", model)
run.record.status    ->  "completed"
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Literal

from hpcprov.capture import redact
from hpcprov.record import site
from hpcprov.tracking import session, steps, values
from hpcprov.tracking.files import GENERATED, USED, stamp
from hpcprov.tracking.trouble import sheltered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextvars import Token
    from types import TracebackType
    from typing import Any, TypeAlias

    from hpcprov.tracking.record import Record
    from hpcprov.tracking.steps import Step

    Hash: TypeAlias = Literal["now", "later", "off"]
    Path: TypeAlias = str | os.PathLike[str]

HASHES = ("now", "later", "off")
SIGINT = 2


def run(
    name: str | None = None,
    *,
    inputs: Iterable[Any] = (),
    outputs: Iterable[Any] = (),
    tags: Mapping[str, str] | None = None,
    note: str | None = None,
    hash: Hash = "now",
    stats: bool | None = None,
    embed: bool | None = None,
    constraints: Iterable[Path] = (),
) -> Run:
    """A block of this program that is recorded: `with hpcprov.run("calibrate") as run: ...`.

    `inputs`, `outputs`: paths or patterns of files, which are signed when the block has ended, and arrays, tables and
    datasets in memory, which are signed at once. `hash`: `later` leaves signing files to `hpcprov settle`, `off` to
    nobody. `stats` counts what is in files while they are signed, `embed` writes into outputs what made them, and
    `constraints` are files of constraints that outputs are held against, as for `hpcprov exec`; None: as HPCPROV_STATS,
    HPCPROV_EMBED and the site say. Within `hpcprov exec`, or within another block, it is a step of that run, and these
    four have no meaning.

    Raises TypeError and ValueError for wrong arguments, and nothing when recording fails: that is a warning."""
    wishes = {
        "stats": site.is_on("HPCPROV_STATS", "stats", os.environ) if stats is None else bool(stats),
        "embed": site.is_on("HPCPROV_EMBED", "embed", os.environ) if embed is None else bool(embed),
        "constraints": [os.fspath(path) for path in constraints],
    }
    return Run(name, list(inputs), list(outputs), dict(tags or {}), note, hash, wishes)


class Run:
    """A block that is being recorded, or has been."""

    def __init__(
        self,
        name: str | None,
        inputs: list[Any],
        outputs: list[Any],
        tags: dict[str, str],
        note: str | None,
        hash: str,
        wishes: dict[str, Any],
    ) -> None:
        for what, text in (("name", name), ("note", note)):
            if text is not None and not isinstance(text, str):
                raise TypeError(f"the {what} of a run is text, not {type(text).__name__}")
        if not all(isinstance(word, str) for pair in tags.items() for word in pair):
            raise TypeError("the tags of a run are text by text")
        if hash not in HASHES:
            raise ValueError(f"hash={hash!r}: it is one of {', '.join(HASHES)}")
        for thing in (*inputs, *outputs):
            check(thing)
        if not all(isinstance(path, str) and path for path in wishes["constraints"]):
            raise TypeError("constraints are paths of files")
        self.name, self.note, self.hash, self.wishes = name, note, hash, wishes
        self.tags = {key: redact.scrub_word(f"{key}={value}").partition("=")[2] for key, value in tags.items()}
        self.declared: dict[str, list[Any]] = {USED: inputs, GENERATED: outputs}
        self.step: Step | None = None
        self.token: Token[Step | None] | None = None
        self.entered = self.ended = self.own = False
        self.launch: Any = None
        self._id: str | None = None

    @property
    def id(self) -> str | None:
        """The id of the run that the block is, or is a part of; None where nothing is recorded."""
        return self._id

    @property
    def record(self) -> Record | None:
        """The record of the run that the block is; what is known of it by now as long as that goes on, and where the
        block is only a part of it. None where nothing is recorded."""
        from hpcprov.tracking.record import Record

        found = None
        with sheltered("the record of a run"):
            if self.launch is not None:
                found = self.launch.record()
            elif self.step is not None:
                found = self.step.recorder.record()
        return None if found is None else Record(found)

    def input(self, thing: Any, name: str | None = None) -> None:
        """Something that the block uses: a path, or values in memory with a name of your own for them."""
        self._add(USED, thing, name)

    def output(self, thing: Any, name: str | None = None) -> None:
        """Something that the block has made: a path, or values in memory with a name of your own for them."""
        self._add(GENERATED, thing, name)

    def __enter__(self) -> Run:
        if self.entered:
            raise RuntimeError("this run was begun before: call hpcprov.run() for each block")
        self.entered = True
        with sheltered("a run"):
            self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended = True
        if self.token is not None:
            steps.leave(self.token)
        with sheltered("the end of a run"):
            self._end(error)

    def _begin(self) -> None:
        if session.is_off():
            return
        if session.state.implicit and steps.current.get() is None:
            session.end_implicit()
        recorder = session.active()
        if recorder is None:
            patterns = {role: [text for thing in found if (text := path_text(thing))] for role, found in self._both()}
            words: dict[str, Any] = {
                "name": self.name,
                "note": redact.scrub(self.note) if self.note else None,
                "tags": self.tags,
            }
            words |= {"inputs": patterns[USED], "outputs": patterns[GENERATED], "hash": self.hash}
            words |= {key: wish for key, wish in self.wishes.items() if wish}
            recorder = session.begin_own(**words)
            self.own = True
            session.active()
        self._id = recorder.run_id
        said: dict[str, Any] = {} if self.own else {"note": redact.scrub(self.note or "")[:1000], "tags": self.tags}
        self.step = steps.begin(recorder, self.name or "run", **said)
        recorder.root = recorder.root or (self.step.id if self.own else 0)
        self.token = steps.enter(self.step)
        self.step.begin()
        self._declare(USED)

    def _end(self, error: BaseException | None) -> None:
        try:
            if self.step is not None:
                self._declare(GENERATED)
                self.step.end(error)
        finally:
            if self.own:
                code, signal = status(error)
                self.launch = session.end_own(code=code, signal=signal)

    def _both(self) -> Iterable[tuple[str, list[Any]]]:
        return self.declared.items()

    def _declare(self, role: str) -> None:
        """Take what was named in the call of `run`."""
        from hpcprov.agent import walking
        from hpcprov.agent.declared import matches

        until = time.monotonic() + walking.SECONDS
        for at, thing in enumerate(self.declared[role]):
            text = path_text(thing)
            if text is None:
                self._add(role, thing, None, at)
            else:
                with contextlib.suppress(walking.GivenUp):
                    for path in matches(os.getcwd(), text, until)[: steps.MOST_PATHS]:
                        self._add_path(role, path, declared=self.own)

    def _add(self, role: str, thing: Any, name: str | None, at: int | None = None) -> None:
        if not self.entered or (self.ended and at is None):
            raise RuntimeError("inputs and outputs are named within the run's block")
        check(thing)
        if name is not None and not isinstance(name, str):
            raise TypeError(f"the name of values is text, not {type(name).__name__}")
        if self.step is None:
            return
        with sheltered("an input or output"):
            text = path_text(thing)
            if text is not None:
                self._add_path(role, text, declared=False)
            else:
                number = f"[{at}]" if at is not None else ""
                what = "input" if role == USED else "output"
                self.step.values(role, name or f"{self.step.name}.{what}{number}", thing, given=name is not None)

    def _add_path(self, role: str, text: str, *, declared: bool) -> None:
        assert self.step is not None
        path = os.path.abspath(text) if declared else self.step.recorder.declare(role, text)
        self.step.file(role, path, stamp(path))

    def __repr__(self) -> str:
        state = "not begun" if not self.entered else "ended" if self.ended else "going on"
        return f"<hpcprov run {self._id or '(not recorded)'} {self.name or ''!r}: {state}>"


def check(thing: Any) -> None:
    """Raises TypeError for what is neither a path nor values in memory."""
    if isinstance(thing, str | os.PathLike) or values.holds_values(thing):
        return
    kind = f"{type(thing).__module__}.{type(thing).__qualname__}"
    raise TypeError(
        f"{kind} is neither a path nor an array, table or dataset in memory of {', '.join(values.LIBRARIES)}"
    )


def path_text(thing: Any) -> str | None:
    return os.fsdecode(os.fspath(thing)) if isinstance(thing, str | os.PathLike) else None


def status(error: BaseException | None) -> tuple[int | None, int | None]:
    """The exit code or signal with which a program would have ended that did only this block."""
    if error is None:
        return 0, None
    if isinstance(error, KeyboardInterrupt):
        return None, SIGINT
    if isinstance(error, SystemExit):
        return (error.code if isinstance(error.code, int) else 0 if error.code is None else 1), None
    return 1, None
