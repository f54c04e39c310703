"""What nodes saw -> programs, artifacts and problems of a record."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from record_check import check_folded

from hpcprov.merge import accesses, programs
from hpcprov.merge.artifacts import LEFT, RUNNING
from hpcprov.merge.fold import fold
from hpcprov.record.artifact import WAIT
from hpcprov.record.canonical import canonical

from .build import BEGAN, SECOND, Launch, normal
from .make_golden import cases

OLD, NEW = [100, BEGAN], [200, BEGAN + SECOND]


def event(node: str, *entries: dict[str, Any], time: int = 5) -> dict[str, Any]:
    return {"event": "access", "time": time, "boot": 0, "node": node, "entries": list(entries)}


def seen(first: float = 1, last: float = 2, path: str = "/data/a", **keys: Any) -> dict[str, Any]:
    return {"path": path, "first": BEGAN + int(first * SECOND), "last": BEGAN + int(last * SECOND)} | keys


READ, WRITTEN = {"read": True, "began": OLD, "ended": OLD}, {"written": True, "ended": NEW}
ONE_NODE = {
    "read": (READ, [("used", None)]),
    "written": (WRITTEN, [("generated", None)]),
    "written, then read": (WRITTEN | {"read": True}, [("generated", None)]),
    "read, then written": (READ | WRITTEN | {"overwritten": True}, [("used", "overwrote"), ("generated", None)]),
    "made and removed": (WRITTEN | {"gone": True}, []),
    "read and removed": (READ | {"gone": True}, [("used", "removed")]),
    "overwritten and removed": (READ | WRITTEN | {"overwritten": True, "gone": True}, [("used", "removed")]),
    "taken back": ({"ended": NEW}, []),
}
REASONS = {"overwrote": accesses.OVERWROTE, "removed": accesses.REMOVED, None: None}


def roles(*events: dict[str, Any]) -> list[tuple[str, str | None]]:
    found = accesses.join(events)
    return accesses.roles(found["/data/a"]) if found else []


@pytest.mark.parametrize("case", ONE_NODE)
def test_what_one_node_saw(case: str) -> None:
    entry, expected = ONE_NODE[case]
    assert roles(event("n1", seen(**entry))) == [(role, REASONS[why]) for role, why in expected]


TWO_NODES = {
    "both read": (seen(**READ), seen(**READ), [("used", None)]),
    "read, then written elsewhere": (seen(1, 2, **READ), seen(3, 4, **WRITTEN), ["overwritten"]),
    "written, then read elsewhere": (seen(1, 2, **WRITTEN), seen(3, 4, read=True, began=NEW, ended=NEW), ["made"]),
    "a clock is wrong": (seen(3, 4, **WRITTEN), seen(1, 2, read=True, began=NEW, ended=NEW), ["made"]),
    "read while it is written": (seen(1, 9, **WRITTEN), seen(3, 4, read=True, began=[150, BEGAN + 5]), ["made"]),
    "made here, then changed there": (
        seen(1, 2, **WRITTEN),
        seen(3, 4, **(READ | WRITTEN), overwritten=True),
        ["made"],
    ),
    "changed here, then changed there": (
        seen(1, 2, **(READ | WRITTEN), overwritten=True),
        seen(3, 4, **WRITTEN),
        ["overwritten"],
    ),
    "made here, removed there": (seen(1, 2, **WRITTEN), seen(3, 4, written=True, gone=True), []),
}


@pytest.mark.parametrize("case", TWO_NODES)
def test_what_two_nodes_saw(case: str) -> None:
    one, other, expected = TWO_NODES[case]
    words: dict[Any, Any] = {"overwritten": ("used", accesses.OVERWROTE), "made": ("generated", None)}
    wanted = [words.get(word, word) for word in expected]
    if "overwritten" in expected:
        wanted.append(("generated", None))
    for nodes in (("n1", "n2"), ("n2", "n1")):
        assert roles(event(nodes[0], one), event(nodes[1], other)) == wanted


def test_the_latest_word_of_a_node_counts() -> None:
    written = event("n1", seen(**WRITTEN), time=5)
    gone = event("n1", seen(**WRITTEN, gone=True), time=6)
    assert roles(gone, written) == roles(written, gone) == []


def test_signing_begins_with_stores_and_large_files() -> None:
    sizes = {"/small": 1, "/large": 9, "/middle": 5}
    entries = [seen(path=path, written=True, ended=[size, 0]) for path, size in sizes.items()]
    entries.append(seen(path="/z.zarr", written=True, store="zarr", files=4))
    found = accesses.join([event("n1", *entries)])
    ordered = accesses.in_order(("generated", one) for one in found.values())
    assert [one.path for _, one in ordered] == ["/z.zarr", "/large", "/middle", "/small"]


def test_many_inputs_leave_room_for_the_outputs() -> None:
    inputs = [seen(path=f"/in{number}", read=True, began=[100, 0]) for number in range(5)]
    outputs = [seen(path=f"/out{number}", written=True, ended=[1, 0]) for number in range(2)]
    found = accesses.join([event("n1", *inputs, *outputs)])
    roles = [(role, one) for one in found.values() for role, _ in accesses.roles(one)]
    ordered = [one.path for _, one in accesses.in_order(roles)]
    assert ordered == ["/out0", "/in0", "/out1", "/in1", "/in2", "/in3", "/in4"]


def record_of(*entries: dict[str, Any], over: bool = True, **start: Any) -> dict[str, Any]:
    log = Launch(observe="preload").start(inputs=[], outputs=[], **(start)).agent().exit().ended(1)
    log.add("access", 9, node="n1", entries=list(entries))
    log.add("observation", 9, node="n1", value={"how": "preload", "lost": 0, "complete": True})
    return check_folded(fold(normal(log), run_id="r1", over=over))


@pytest.mark.parametrize(
    ("start", "over", "reason"),
    [
        ({}, True, LEFT),
        ({}, False, RUNNING),
        ({"hash": "later"}, True, WAIT["later"]),
        ({"hash": "off"}, True, WAIT["off"]),
    ],
)
def test_what_nobody_signed_says_why(start: dict[str, Any], over: bool, reason: str) -> None:
    record = record_of(seen(**READ, ranks=[[0, 0]]), over=over, **start)
    (found,) = record["artifacts"]["used"]
    assert (found["state"], found["reason"], found["size"], found["mtime"]) == ("not hashed", reason, *OLD)
    assert found["declared"] == [] and found["observed"]["access"] == "read" and found["observed"]["ranks"] == [[0, 0]]


def declaring(log: Launch, role: str, pattern: str, *paths: str, **keys: Any) -> Launch:
    return log.add("declared", 0.5, node="n1", role=role, cwd="/data", pattern=pattern, paths=list(paths), **keys)


def both(
    *entries: dict[str, Any], state: str = "ok", real: dict[str, str] | None = None, **value: Any
) -> dict[str, Any]:
    """A run that declared the input /data/in and the output directory /data/out, which were signed."""
    log = Launch(observe="preload").start(inputs=["in"], outputs=["out"]).agent().exit().ended(1)
    declaring(log, "used", "in", "/data/in", **({"real": real} if real else {}))
    declaring(log, "generated", "out", "/data/out")
    for role, name in (("used", "in"), ("generated", "out")):
        facts = {"role": role, "path": f"/data/{name}", "declared": [name], "state": state, "reason": "why"}
        log.add("artifact", 11, **facts, size=OLD[0], mtime=OLD[1])
    log.add("access", 9, node="n1", entries=list(entries))
    log.add("observation", 9, node="n1", value={"how": "preload", "lost": 0, "complete": True} | value)
    return check_folded(fold(normal(log), run_id="r1"))


def paths(record: dict[str, Any], role: str) -> dict[str, tuple[bool, bool]]:
    """Of each artifact whether it was declared and whether it was observed."""
    return {one["path"]: (bool(one["declared"]), one["observed"] is not None) for one in record["artifacts"][role]}


def test_declared_and_observed_are_told_apart() -> None:
    record = both(seen(path="/data/in", **READ), seen(path="/data/x", **READ), seen(path="/data/out/y", **WRITTEN))
    assert paths(record, "used") == {"/data/in": (True, True), "/data/x": (False, True)}
    assert paths(record, "generated") == {"/data/out": (True, True)}, "what lies in a declared directory is part of it"
    assert record["problems"] == []


def test_what_was_read_in_a_declared_output_is_an_input_of_its_own() -> None:
    record = both(seen(path="/data/in", **READ), seen(path="/data/out/old", **READ))
    assert paths(record, "used") == {"/data/in": (True, True), "/data/out/old": (False, True)}


def test_a_declared_name_that_is_a_link_is_what_it_leads_to() -> None:
    record = both(seen(path="/archive/in", **READ), real={"/data/in": "/archive/in"})
    assert paths(record, "used") == {"/data/in": (True, True)}


UNTOUCHED = "declared, but the run did not touch: /data/in (input), /data/out (output)"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({}, [UNTOUCHED]),
        ({"complete": False}, []),
        ({"lost": 3}, ["3 events of what was read and written were lost on n1"]),
        ({"code": [{"path": "/data/in"}], "directories": [{"path": "/data/out/many", "written": 5}]}, []),
        ({"counted": [{"path": "/bin/x", "blind": "static", "count": 2}]}, ["could not look into: /bin/x (static)"]),
    ],
)
def test_what_was_declared_and_not_touched(value: dict[str, Any], told: list[str]) -> None:
    assert [problem["text"] for problem in both(**value)["problems"]] == told


def test_one_that_is_missing_is_not_called_untouched_as_well() -> None:
    assert both(state="missing")["problems"] == []


def test_a_declared_input_that_the_run_overwrote_is_never_hashed() -> None:
    entry = seen(path="/data/in", **(READ | WRITTEN), overwritten=True)
    (found,) = both(entry, state="not hashed")["artifacts"]["used"]
    assert found["reason"] == accesses.OVERWROTE
    (found,) = both(seen(path="/data/in", read=True, began=NEW), state="not hashed")["artifacts"]["used"]
    assert found["reason"] == accesses.CHANGED


def test_more_than_a_site_wants_to_sign() -> None:
    log = Launch(observe="preload").start(inputs=[], outputs=[]).exit()
    sizes = {f"/data/{k}": k for k in range(5)}
    log.add("access", 9, node="n1", entries=[seen(path=p, written=True, ended=[s, 0]) for p, s in sizes.items()])
    log.add("unsigned", 10, node="n1", most=2, reason="time")
    found = fold(normal(log), run_id="r1")["artifacts"]["generated"]
    assert [one["reason"] for one in found] == ["more than 2 observed files: see observe_files"] * 3 + ["time"] * 2


def test_a_run_that_was_not_observed_has_no_observation() -> None:
    for start in ({}, {"observe": "off"}):
        record = fold(normal(Launch(**start).start().exit()), run_id="r1")
        assert record["observation"] is None


def test_a_node_that_did_not_tell_what_it_saw() -> None:
    record = check_folded(fold(normal(Launch(observe="notify").start().exit()), run_id="r1"))
    told = record["observation"]
    assert (told["how"], told["complete"], told["programs"]) == ("notify", False, [])
    assert told["nodes"][0]["reasons"] == ["what this node saw was not told"]


def test_a_node_that_told_what_it_saw_until_it_was_killed() -> None:
    log = Launch(observe="preload").start(inputs=["in"]).agent().exit()
    log.add("observation", 5, node="n1", value={"how": "preload", "complete": True, "lost": 0})
    for over in (True, False):
        told = check_folded(fold(normal(log), run_id="r1", over=over))["observation"]
        assert not told["complete"] and told["nodes"][0]["reasons"] == ["what it saw later was not told"]


def tree(*entries: dict[str, Any], node: str = "n1") -> list[dict[str, Any]]:
    return programs.tree([{"event": "program", "time": 1, "node": node, "entries": list(entries)}]).rows


def one(id: int, parent: int, name: str, **keys: Any) -> dict[str, Any]:
    return {"id": id, "parent": parent, "path": f"/bin/{name}", "argv": [name]} | keys


def shape(rows: list[dict[str, Any]]) -> list[tuple[int | None, str, int]]:
    return [(row["parent"], row["argv"][0], row["count"]) for row in rows]


def test_equal_programs_of_ranks_and_nodes_are_one_row() -> None:
    ranks = [one(2 * k + 1, 0, "sh", rank=k, status=0) for k in range(3)]
    below = [one(2 * k + 2, 2 * k + 1, "cp", rank=k, status=k) for k in range(3)]
    rows = tree(*ranks, *below)
    assert shape(rows) == [(None, "sh", 3), (1, "cp", 3)]
    assert rows[1]["ranks"] == [[0, 2]] and rows[1]["exits"] == {"0": 1, "1": 1, "2": 1}
    events = [{"event": "program", "time": 1, "node": node, "entries": ranks + below} for node in ("a", "b")]
    assert shape(programs.tree(events).rows) == [(None, "sh", 6), (1, "cp", 6)]


@pytest.mark.parametrize("order", [1, -1])
def test_the_latest_word_on_a_program_counts(order: int) -> None:
    words = [{"count": 1, "exits": {}}, {"count": 3, "exits": {"0": 2}}, {"count": 4, "exits": {"0": 4}}]
    entries = [{"id": 1, "path": "/bin/cp"} | word for word in words]
    events = [{"event": "program", "time": at, "node": "n", "entries": [entry]} for at, entry in enumerate(entries)]
    (row,) = programs.tree(events[::order]).rows
    assert (row["count"], row["exits"]) == (4, {"0": 4})


def test_programs_that_began_within_a_tick_of_the_clock_stand_in_order() -> None:
    rows = tree(
        one(1, 0, "sh", began=4), one(2, 1, "sort", began=8), one(3, 1, "mv", began=8), one(4, 1, "cp", began=8)
    )
    assert [row["argv"] for row in rows] == [["sh"], ["sort"], ["mv"], ["cp"]]


def test_the_same_program_below_another_is_another() -> None:
    assert shape(tree(one(1, 0, "a"), one(2, 0, "b"), one(3, 1, "cp"), one(4, 2, "cp"))) == [
        (None, "a", 1),
        (1, "cp", 1),
        (None, "b", 1),
        (3, "cp", 1),
    ]


@pytest.mark.parametrize(
    "entries",
    [
        [one(1, 1, "a")],
        [one(1, 2, "a"), one(2, 1, "b")],
        [one(1, 3, "a"), one(2, 1, "b"), one(3, 2, "c"), one(4, 3, "d")],
        [one(1, 99, "a")],
    ],
)
def test_parents_that_make_no_sense(entries: list[dict[str, Any]]) -> None:
    rows = tree(*entries)
    assert len(rows) == len(entries)
    assert all(row["parent"] is None or row["parent"] < row["id"] for row in rows)


def test_a_chain_of_programs_may_be_long() -> None:
    rows = tree(*(one(k, k - 1, f"p{k}") for k in range(1, 5001)))
    assert rows[-1]["parent"] == 4999


def test_a_storm_of_programs_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "MOST_ROWS", 10)
    entries = [one(1, 0, "sh"), *(one(k, 1, "cp", argv=["cp", str(k)], began=k) for k in range(2, 52))]
    found = programs.tree([{"event": "program", "time": 1, "node": "n", "entries": entries}])
    assert len(found.rows) == 10 and found.counted == {("/bin/cp", None): 41}
    assert found.rows[1]["argv"] == ["cp", "2"], "the first ones stay"
    assert found.numbers["n", 51] == 1, "what one beyond the limit did is told of its parent"


@settings(max_examples=25)
@given(st.randoms(use_true_random=False), st.booleans())
def test_neither_order_nor_repetition_changes_a_byte(shuffling: random.Random, over: bool) -> None:
    events = normal(*cases()["observed"])
    expected = canonical(fold(events, run_id="r1", over=over))
    again = events + shuffling.choices(events, k=4)
    shuffling.shuffle(again)
    assert canonical(fold(again, run_id="r1", over=over)) == expected


NUMBERS = st.integers(0, 3)
ENTRIES = st.fixed_dictionaries(
    {"path": st.sampled_from(["/a", "/a/b", "/c"])},
    optional={key: st.booleans() for key in ("read", "written", "gone", "overwritten")}
    | dict.fromkeys(("first", "last", "id", "parent", "began", "ended", "count", "files", "rank"), NUMBERS)
    | {"began": st.lists(NUMBERS, min_size=2, max_size=2) | NUMBERS, "store": st.just("zarr")}
    | {"argv": st.lists(st.sampled_from("xy"), max_size=1), "status": st.integers(-1, 1)}
    | {"programs": st.lists(NUMBERS, max_size=2), "blind": st.sampled_from(["static", "launcher"])},
)
EVENTS = st.fixed_dictionaries(
    {
        "event": st.sampled_from(["access", "program", "observation", "unsigned", "declared", "artifact", "start"]),
        "time": NUMBERS,
        "node": st.sampled_from(["n", "m"]),
        "rank": NUMBERS,
        "pid": st.just(1),
        "entries": st.lists(ENTRIES, max_size=3),
        "value": st.fixed_dictionaries({}, optional={"how": st.just("preload"), "lost": NUMBERS}),
        "role": st.sampled_from(["used", "generated"]),
        "path": st.sampled_from(["/a", "/c"]),
        "paths": st.lists(st.sampled_from(["/a", "/c"]), max_size=2),
        "pattern": st.just("?"),
        "most": NUMBERS,
    }
)


@settings(max_examples=80)
@given(st.lists(EVENTS, max_size=8), st.randoms(use_true_random=False))
def test_any_observation_in_any_order_gives_one_valid_record(raw: list[Any], shuffling: random.Random) -> None:
    from hpcprov.record import event as border

    events = [kept for kept in map(border.normal, raw) if kept is not None]
    expected = check_folded(fold(events, run_id="r1"))
    shuffled = events + events[:3]
    shuffling.shuffle(shuffled)
    assert canonical(fold(shuffled, run_id="r1")) == canonical(expected)
