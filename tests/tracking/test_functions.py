"""`@hpcprov.track`: calls as steps, with arguments and results as artifacts."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr

import hpcprov
from hpcprov.tracking import pen, recorder, session
from hpcprov.tracking.parameters import parameters
from tests.tracking.conftest import Going

Array = Any


@hpcprov.track
def smooth(field: Array, width: int = 3, **others: object) -> Array:
    return field * width


def values_of(going: Going, role: str) -> dict[str, str]:
    return {path: one["signature"]["digest"] for path, one in going.artifacts(role).items() if one["signature"]}


def test_arrays_are_signed_and_the_rest_are_parameters(going: Going) -> None:
    field = np.arange(5.0)
    assert (smooth(field, width=2) == field * 2).all()
    (step,) = going.steps()
    assert (step["name"], step["function"]) == ("smooth", f"{__name__}:smooth")
    assert (step["status"], step["count"], step["parameters"]) == ("completed", 1, {"width": 2})
    assert len(step["code"]) == 64
    (used,), (made,) = step["used"], step["generated"]
    assert used.startswith("memory:smooth(field)#")
    assert made.startswith("memory:smooth()#")
    np.save("a.npy", field)
    assert going.artifacts("used")[used]["signature"]["digest"] == hpcprov.signature("a.npy").digest
    assert going.artifacts("generated")[made]["format"] == "numpy"


def test_a_result_that_is_used_further_is_one_artifact(going: Going) -> None:
    smooth(smooth(np.arange(5.0)))
    first, second = going.steps()
    assert first["generated"] == second["used"]
    assert len(going.artifacts("used")) == 1
    assert len(going.artifacts("generated")) == 2


FRAME = {"a": [1, 2, 3], "b": [0.5, 1.5, 2.5], "s": ["x", "y", "z"]}


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_table_has_the_signature_of_its_file(going: Going, library: str) -> None:
    import pyarrow as pa

    table: Any = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}[library](FRAME)
    hpcprov.track(lambda table: None)(table)
    pd.DataFrame(FRAME).to_parquet("t.parquet")
    pd.DataFrame(FRAME).to_csv("t.csv", index=False)
    (digest,) = values_of(going, "used").values()
    assert digest == hpcprov.signature("t.parquet").digest == hpcprov.signature("t.csv").digest


def test_a_dataset_is_signed_by_its_variables(going: Going) -> None:
    data = xr.Dataset({"t": ("x", np.arange(4.0))}, {"x": [1, 2, 3, 4]})
    hpcprov.track(lambda data: data.t)(data)
    fields = {
        field["path"]
        for role in ("used", "generated")
        for one in going.artifacts(role).values()
        for field in one["signature"]["fields"]
    }
    assert fields == {"t", "x", ""}


def test_lazy_values_are_not_computed(going: Going) -> None:
    lazy = pl.DataFrame(FRAME).lazy()
    hpcprov.track(lambda table: None)(lazy)
    (step,) = going.steps()
    assert step["parameters"]["table"]["type"].endswith("LazyFrame")
    assert step["used"] == []


def test_files_are_told_by_what_became_of_them(going: Going) -> None:
    np.save("in.npy", np.arange(3.0))
    pathlib.Path("changed.txt").write_text("old")

    @hpcprov.track
    def work(source: pathlib.Path, target: str, changed: str, mode: str, missing: str) -> str:
        np.save(target, np.load(source))
        pathlib.Path(changed).write_text("newer")
        pathlib.Path("returned.txt").write_text("x")
        return "returned.txt"

    os.mkdir("mode")
    work(pathlib.Path("in.npy"), "out.npy", "changed.txt", "mode", "missing.nc")
    (step,) = going.steps()
    names = {role: {os.path.basename(path) for path in step[role]} for role in ("used", "generated")}
    assert names == {"used": {"in.npy"}, "generated": {"out.npy", "changed.txt", "returned.txt"}}
    assert step["parameters"]["mode"] == "mode"
    assert step["parameters"]["missing"] == "missing.nc"
    found = going.artifacts("generated")
    assert {os.path.basename(path) for path in found} == names["generated"]
    assert {one["observed"]["access"] for one in found.values()} == {"written"}


def test_a_file_that_is_read_and_then_overwritten_is_two_artifacts(going: Going) -> None:
    pathlib.Path("state.txt").write_text("1")
    hpcprov.track(lambda path: None)("state.txt")
    hpcprov.track(lambda path: pathlib.Path(path).write_text("22"))("state.txt")
    (used,) = going.artifacts("used").values()
    assert (used["state"], used["reason"]) == ("not hashed", "this run overwrote it")
    assert list(going.artifacts("generated")) == [os.path.abspath("state.txt")]


def test_a_file_that_the_run_made_is_no_input_of_it(going: Going) -> None:
    hpcprov.track(lambda path: pathlib.Path(path).write_text("1"))("new.txt")
    hpcprov.track(lambda path: pathlib.Path(path).read_text())("new.txt")
    assert going.artifacts("used") == {}
    assert [step["used"] for step in going.steps()] == [[], [os.path.abspath("new.txt")]]


def test_an_array_that_is_changed_in_place_is_an_output(going: Going) -> None:
    @hpcprov.track(inputs=["u"], outputs=["u"], name="relax")
    def change(u: Array) -> None:
        u += 1.0

    change(np.zeros(4))
    (step,) = going.steps()
    assert step["name"] == "relax"
    assert [path.rpartition("#")[0] for path in step["used"] + step["generated"]] == ["memory:relax(u)"] * 2
    assert step["used"] != step["generated"]


def test_what_is_in_lists_and_tuples_is_data_too(going: Going) -> None:
    hpcprov.track(lambda fields: (fields[0] + 1, 7))([np.zeros(2), np.ones(2)])
    (step,) = going.steps()
    assert len(step["used"]) == 2
    assert [path.partition("#")[0].rpartition("(")[2] for path in step["used"]] == ["fields[0])", "fields[1])"]


def test_nested_calls_are_parts(going: Going) -> None:
    inner = hpcprov.track(lambda x: x, name="inner")
    hpcprov.track(lambda x: inner(x), name="outer")(1)
    outer, part = going.steps()
    assert (outer["name"], part["name"], part["parent"]) == ("outer", "inner", outer["id"])


class Broken(Exception):
    pass


def test_an_exception_is_recorded_and_raised_untouched(going: Going) -> None:
    error = Broken("secret words")

    @hpcprov.track
    def fail() -> None:
        raise error

    with pytest.raises(Broken) as caught:
        fail()
    assert caught.value is error
    (step,) = going.steps()
    assert (step["status"], step["error"], step["failed"]) == ("failed", "Broken", 1)
    assert "secret words" not in str(going.record())


def test_methods_class_and_static_methods(going: Going) -> None:
    class Model:
        @hpcprov.track
        def run(self, x: int) -> int:
            return x + 1

        @hpcprov.track
        @classmethod
        def make(cls) -> Model:
            return cls()

        @staticmethod
        @hpcprov.track
        def twice(x: int) -> int:
            return 2 * x

    assert (Model.make().run(1), Model.twice(4)) == (2, 8)
    names = [(step["name"], step["parameters"]) for step in going.steps()]
    assert [name for name, _ in names] == ["Model.make", "Model.run", "Model.twice"]
    assert names[1][1]["self"]["type"].endswith("Model")


def test_generators_are_steps_from_their_first_item_to_their_last(going: Going) -> None:
    inner = hpcprov.track(lambda x: x, name="inner")

    @hpcprov.track
    def items(n: int) -> Iterator[int]:
        for k in range(n):
            yield inner(k)

    assert list(items(3)) == [0, 1, 2]
    found = items(3)
    assert next(found) == 0
    outside = hpcprov.track(lambda: None, name="outside")
    outside()
    found.close()  # type: ignore[attr-defined]
    steps = going.steps()
    of = {step["id"]: step["name"] for step in steps}
    parents = {(step["name"], of.get(step["parent"])) for step in steps}
    assert ("inner", "items") in parents
    assert ("outside", None) in parents
    assert {step["status"] for step in steps} == {"completed"}


def test_a_generator_takes_what_is_sent_and_thrown(going: Going) -> None:
    @hpcprov.track
    def echo() -> Any:
        got = yield 1
        try:
            yield got
        except KeyError:
            yield "caught"
        return "end"

    items = echo()
    assert [next(items), items.send(5), items.throw(KeyError())] == [1, 5, "caught"]
    with pytest.raises(StopIteration) as end:
        next(items)
    assert end.value.value == "end"


def test_asynchronous_calls_do_not_get_in_each_others_way(going: Going) -> None:
    inner = hpcprov.track(lambda k: k, name="inner")

    @hpcprov.track
    async def outer(k: int) -> int:
        await asyncio.sleep(0.001 * (3 - k))
        return int(inner(k))

    @hpcprov.track
    async def several() -> AsyncIterator[int]:
        for k in range(2):
            await asyncio.sleep(0)
            yield inner(10 + k)

    async def main() -> list[int]:
        return [*await asyncio.gather(*(outer(k) for k in range(3))), *[k async for k in several()]]

    assert asyncio.run(main()) == [0, 1, 2, 10, 11]
    steps = {step["id"]: step for step in going.steps()}
    for step in steps.values():
        if step["name"] == "inner" and step["parameters"]["k"] < 10:
            assert steps[step["parent"]]["parameters"] == step["parameters"]


def test_threads_each_have_their_own_steps(going: Going) -> None:
    inner = hpcprov.track(lambda k: k, name="inner")
    outer = hpcprov.track(lambda k: [inner(k) for _ in range(20)], name="outer")
    threads = [threading.Thread(target=outer, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    steps = going.steps()
    of = {step["id"]: step for step in steps}
    assert all(of[step["parent"]]["parameters"] == step["parameters"] for step in steps if step["name"] == "inner")
    assert sum(step["count"] for step in steps) == 84


def test_ten_thousand_calls_are_counted(going: Going) -> None:
    add = hpcprov.track(lambda k: k + 1, name="add")
    for k in range(10_000):
        add(k)
    steps = going.steps()
    assert sum(step["count"] for step in steps) == 10_000
    assert len(steps) == recorder.OF_ONE + 1
    assert steps[-1]["count"] == 10_000 - recorder.OF_ONE
    assert sum(path.stat().st_size for path in going.directory.iterdir()) < 100_000


def test_recursion_is_counted_below_some_depth(going: Going) -> None:
    @hpcprov.track
    def down(n: int) -> int:
        if n == 0:
            raise Broken
        return down(n - 1) + 1

    with pytest.raises(Broken):
        down(150)
    steps = going.steps()
    assert len(steps) == recorder.DEEPEST + 1
    assert sum(step["count"] for step in steps) == sum(step["failed"] for step in steps) == 151


def test_one_process_writes_no_more_than_its_budget(going: Going, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pen, "BUDGET", 1 << 16)
    going.recorder.pen.begin()
    for k in range(12):
        frame = pd.DataFrame({f"a_column_with_a_long_name_{c}_{k}": [1.0] for c in range(50)})
        hpcprov.track(lambda frame: None, name=f"f{k}")(frame)
    assert sum(path.stat().st_size for path in going.directory.iterdir()) < 3 << 16
    assert any("more is not recorded" in problem["text"] for problem in going.record()["problems"])


def test_secrets_and_large_or_unknown_arguments_are_not_told(going: Going) -> None:
    class Odd:
        def __repr__(self) -> str:
            raise Broken

        __str__ = __eq__ = __len__ = __bool__ = __iter__ = __hash__ = __repr__  # type: ignore[assignment]

    given = {"token": "s3cret", "odd": Odd(), "text": "x" * 10_000, "nan": float("nan"), "n": 1 << 80, "set": {1}}
    given |= {"url": "https://ada:hunter2@host/x", "deep": [[[[1]]]], "many": list(range(1000)), "np": np.float32(1.5)}
    given |= {"conf": {"password": "hunter2", "x": 1}, "bad": "\udcff\x1b[31m"}
    smooth(np.ones(2), **given)
    (step,) = going.steps()
    told = step["parameters"]
    assert "s3cret" not in str(told)
    assert "hunter2" not in str(told)
    assert (told["token"], told["conf"], told["nan"], told["np"]) == ("***", {"password": "***", "x": 1}, "nan", 1.5)
    assert told["odd"]["type"].endswith("Odd")
    assert len(told["text"]) <= 200
    assert told["n"]["type"] == "builtins.int"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: hpcprov.track(int),
        lambda: hpcprov.track(7),  # type: ignore[call-overload]
        lambda: hpcprov.track(inputs="field"),
        lambda: hpcprov.track(name=7),  # type: ignore[call-overload]
        lambda: hpcprov.track(outputs=["nothing"])(lambda field: None),
    ],
)
def test_wrong_use_is_told_at_once(wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        wrong()


def test_wrong_arguments_are_for_the_function_to_refuse(going: Going) -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        smooth()  # type: ignore[call-arg]
    assert going.steps()[0]["error"] == "TypeError"


def test_trouble_is_one_warning_and_the_call_goes_on(going: Going, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise Broken("no")

    monkeypatch.setattr(going.recorder, "values", broken)
    with pytest.warns(hpcprov.ProvenanceWarning, match=r"smooth could not be recorded: Broken: no") as told:
        for _ in range(3):
            assert smooth(np.ones(2)).tolist() == [3.0, 3.0]
    assert len(told) <= 2
    assert {step["status"] for step in going.steps()} == {"completed"}


def test_where_warnings_are_errors_trouble_is_printed(
    going: Going, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(going.recorder, "number", lambda: 1 / 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert smooth(np.ones(1)).tolist() == [3.0]
    assert "hpcprov: a call of smooth could not be recorded" in capsys.readouterr().err


def test_a_full_disk_does_not_end_the_program(going: Going, monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr(going.journal, "fd", full)
    assert smooth(np.ones(1)).tolist() == [3.0]
    going.recorder.flush()
    os.close(full)
    assert going.journal.lost > 0


@pytest.mark.parametrize("word", ["off", "0", "No", "false"])
def test_off_is_off(word: str, going: Going, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPCPROV", word)
    assert smooth(np.ones(1)).tolist() == [3.0]
    with hpcprov.run("x") as run:
        run.output(np.ones(1))
    assert run.id is None
    assert going.steps() == []


def test_a_forked_child_names_the_step_that_it_is_a_part_of(going: Going) -> None:
    inner = hpcprov.track(lambda k: k, name="inner")

    @hpcprov.track
    def outer() -> None:
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                inner(np.ones(3))
                session.flush()
            os._exit(0)
        os.waitpid(pid, 0)

    outer()
    above, child = going.steps()
    assert (above["name"], child["name"], child["parent"]) == ("outer", "inner", above["id"])


def test_what_it_wraps_looks_as_before() -> None:
    assert smooth.__name__ == "smooth"
    assert smooth.__wrapped__ is not None  # type: ignore[attr-defined]
    assert asyncio.iscoroutinefunction(hpcprov.track(asyncio.sleep))


def test_a_secret_behind_its_option_in_a_list_is_not_told() -> None:
    given = {"command": ("curl", "--token", "hunter2", "x"), "mixed": [1, "--token"], "none": [], "long": ["x" * 9000]}
    told = parameters(given)
    assert told["command"] == ["curl", "--token", "***", "x"] and told["mixed"] == [1, "--token"]
    assert told["none"] == [] and len(told["long"][0]) == 200
