"""`hpcprov.run()`: within a run a step of it, and what it refuses."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import numpy as np
import pytest

import hpcprov
from hpcprov.tracking.blocks import status
from tests.tracking.conftest import Going


def test_a_block_within_a_run_is_a_step_of_it(going: Going) -> None:
    pathlib.Path("in.txt").write_text("x")
    with hpcprov.run(
        "calibrate", inputs=["*.txt"], outputs=["out.npy"], tags={"k": "v", "token": "s3c"}, note="w"
    ) as run:
        np.save("out.npy", np.arange(3))
        run.input(np.ones(2), name="weights")
        run.output(np.zeros(2), name="result")
        hpcprov.track(lambda x: x)(1)
    step, inner = going.steps()
    assert (step["name"], step["note"], step["tags"]) == ("calibrate", "w", {"k": "v", "token": "***"})
    assert inner["parent"] == step["id"]
    assert [path.partition("#")[0] for path in step["used"]] == [os.path.abspath("in.txt"), "memory:weights"]
    assert [path.partition("#")[0] for path in step["generated"]] == ["memory:result", os.path.abspath("out.npy")]
    assert run.id == "r1"
    assert run.record is not None
    assert (run.record.status, run.record.steps[0].name) == ("running", "calibrate")
    declared = {
        role: [p for one in going.artifacts(role).values() for p in one["declared"]] for role in ("used", "generated")
    }
    assert declared == {"used": [os.path.abspath("in.txt")], "generated": [os.path.abspath("out.npy")]}


def test_where_an_agent_observes_only_what_is_named_is_declared(going: Going) -> None:
    going.recorder.observed = True
    hpcprov.track(lambda path: pathlib.Path(path).write_text("1"))("seen.txt")
    with hpcprov.run("x") as run:
        run.output("named.txt")
    kinds = [event["event"] for event in events(going)]
    assert "access" not in kinds
    assert kinds.count("declared") == 1
    assert going.steps()[0]["generated"] == [os.path.abspath("seen.txt")]


def events(going: Going) -> list[dict[str, Any]]:
    from hpcprov.record import frame

    going.recorder.flush()
    return [event for path in going.directory.iterdir() for event in frame.scan(path.read_bytes())]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, (0, None)),
        (ValueError(), (1, None)),
        (KeyboardInterrupt(), (None, 2)),
        (SystemExit(), (0, None)),
        (SystemExit(3), (3, None)),
        (SystemExit("usage"), (1, None)),
    ],
)
def test_how_a_block_ended(error: BaseException | None, expected: tuple[int | None, int | None]) -> None:
    assert status(error) == expected


@pytest.mark.parametrize(
    "given",
    [
        {"name": 7},
        {"note": 7},
        {"tags": {"a": 1}},
        {"inputs": [7]},
        {"outputs": [object()]},
        {"hash": "never"},
        {"constraints": [b"c.json"]},
        {"constraints": [""]},
    ],
    ids=["name", "note", "tags", "inputs", "outputs", "hash", "constraints", "no constraints"],
)
def test_wrong_arguments_are_refused_at_once(given: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        hpcprov.run(**given)


def test_inputs_and_outputs_belong_into_the_block(going: Going) -> None:
    run = hpcprov.run("x")
    with pytest.raises(RuntimeError):
        run.input("a.txt")
    with run:
        with pytest.raises(TypeError):
            run.output(7)
        with pytest.raises(TypeError):
            run.output(np.ones(1), name=7)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError):
        run.output("a.txt")
    with pytest.raises(RuntimeError), run:
        pass


def test_an_exception_goes_through(going: Going) -> None:
    with pytest.raises(KeyError), hpcprov.run("x"):
        raise KeyError
    assert going.steps()[0]["error"] == "KeyError"
