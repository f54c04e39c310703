"""The fold: what a record says for which events, whatever their order and repetition."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from record_check import check_folded

from hpcprov.merge.fold import fold
from hpcprov.record import model
from hpcprov.record.canonical import canonical

from .build import BEGAN, SECOND, Launch, normal


def folded(*launches: Launch, over: bool = True) -> dict[str, Any]:
    return check_folded(fold(normal(*launches), run_id="r1", over=over))


def two(**common: Any) -> Launch:
    return Launch(size=2, **common).start(0).start(1, at=0.5)


def beside(*, size: int = 2) -> tuple[Launch, Launch]:
    """Two nodes with one rank each, with agents."""
    return Launch("n1", size=size).start(0).agent(), Launch("n2", size=size).start(1).agent()


ENDS = {
    "completed": (two().exit(0).exit(1), "completed", None),
    "failed": (two().exit(0).exit(1, code=2), "failed", "rank 1 ended with status 2"),
    "first of two": (
        two().exit(0, at=9, code=1).exit(1, at=8, code=3),
        "failed",
        "rank 1 was the first to end badly: it ended with status 3",
    ),
    "killed with it": (
        two().exit(0, at=5, code=1).killed(1, at=6, signal=9),
        "failed",
        "rank 0 was the first to end badly: it ended with status 1",
    ),
    "killed first": (
        two().killed(0, at=5, signal=11).exit(1, at=6, code=1),
        "signalled",
        "rank 0 was the first to end badly: it was killed by SIGSEGV",
    ),
    "one killed": (two().exit(0).killed(1, signal=9), "signalled", "rank 1 was killed by SIGKILL"),
    "real-time signal": (two().exit(0).killed(1, signal=40), "signalled", "rank 1 was killed by SIGRTMIN+6"),
    "unknown signal": (two().exit(0).killed(1, signal=99), "signalled", "rank 1 was killed by signal 99"),
    "sent by": (
        two().exit(0).add("signal", 9, rank=1, pid=7, signal=15, from_pid=4711, from_uid=0, forwarded=True).killed(1),
        "signalled",
        "rank 1 was killed by SIGTERM, sent by process 4711 of user 0",
    ),
    "after asking": (
        two()
        .exit(0)
        .add("signal", 9, rank=1, pid=7, signal=2, from_pid=1, from_uid=5, forwarded=False)
        .exit(1, code=130),
        "failed",
        "rank 1 ended with status 130 after SIGINT from process 1 of user 5",
    ),
    "asked too late": (
        two()
        .exit(0)
        .exit(1, code=1)
        .add("signal", 11, rank=1, pid=7, signal=15, from_pid=1, from_uid=5, forwarded=False),
        "failed",
        "rank 1 ended with status 1",
    ),
    "not allowed": (
        Launch().start().exit(code=126, error="EACCES"),
        "failed",
        "rank 0 could not be executed: permission denied (EACCES)",
    ),
    "not found": (
        Launch().start().exit(code=127, error="ENOENT"),
        "failed",
        "rank 0 could not be executed: no such file or directory (ENOENT)",
    ),
    "vanished": (two().exit(0), "incomplete", "rank 1 vanished with the launcher, how is unknown"),
    "lost": (
        two().exit(0).add("lost", 4, node="n1", rank=1),
        "incomplete",
        "rank 1 vanished with the launcher, how is unknown",
    ),
    "all vanished": (two(), "incomplete", "ranks 0-1 vanished with the launcher, how is unknown"),
    "missing": (Launch(size=4).start(0).start(2).exit(0).exit(2), "incomplete", "ranks 1,3 never started"),
    "both": (
        Launch(size=3).start(0).start(2).exit(2),
        "incomplete",
        "rank 0 vanished with the launcher, how is unknown; rank 1 never started",
    ),
    "failed and lost": (two().exit(0, code=1), "failed", "rank 0 was the first to end badly: it ended with status 1"),
    "nothing": (Launch(), "incomplete", "no rank is known to have started"),
    "only an agent": (Launch().agent(), "incomplete", "no rank is known to have started"),
    "unknown size": (Launch(size=None).start(0).exit(0), "completed", None),
}


@pytest.mark.parametrize("name", ENDS)
def test_status_and_cause(name: str) -> None:
    launch, status, text = ENDS[name]
    run = folded(launch)["run"]
    assert run["status"] == status
    assert (run["cause"] or {}).get("text") == text


def test_a_node_that_fell_silent_while_others_ended_is_lost() -> None:
    here, there = beside()
    record = folded(here.exit(0).ended(1), there)
    assert record["run"]["status"] == "node lost"
    assert record["ranks"]["columns"]["state"] == ["completed", "node lost"]
    assert record["run"]["cause"]["lost"] == [[1, 1]]


def test_ranks_whose_agent_saw_them_go_are_not_on_a_lost_node() -> None:
    here, there = beside()
    record = folded(here.exit(0).ended(1), there.add("lost", 3, node="n2", rank=1).ended(1))
    assert record["run"]["status"] == "incomplete"
    assert record["ranks"]["columns"]["state"] == ["completed", "lost"]


def test_peers_killed_after_a_node_was_lost() -> None:
    here, there = beside()
    assert folded(here.killed(0, at=70).ended(1), there)["run"]["status"] == "node lost"


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (12, "signalled"),
        (9, "timed out"),
        (8, "timed out"),
        (None, "signalled"),
        ("soon", "signalled"),
        (-5, "signalled"),
    ],
)
def test_timed_out_only_when_the_scheduler_and_a_signal_say_so(end: Any, status: str) -> None:
    value = {"name": "slurm", "end_time": end if type(end) is not int or end < 0 else BEGAN // SECOND + end}
    launch = Launch().start().fact("scheduler", value)
    launch.add("signal", 9.2, rank=0, pid=7, signal=15, from_pid=1, from_uid=0, forwarded=True).killed(0, at=10)
    assert folded(launch)["run"]["status"] == status


def test_times() -> None:
    run = folded(two().exit(0, at=3).exit(1, at=4.25))["run"]
    assert (run["start"], run["end"], run["duration_s"]) == (
        "2026-11-18T11:06:40.000000000Z",
        "2026-11-18T11:06:44.250000000Z",
        4.25,
    )
    columns = folded(two().exit(0, at=3).exit(1, at=4.25))["ranks"]["columns"]
    assert columns["start"] == [0, SECOND // 2] and columns["end"] == [3 * SECOND, 17 * SECOND // 4]
    assert columns["utime"] == [1.5, 1.5] and columns["code"] == [0, 0] and columns["signal"] == [None, None]


def test_no_end_when_a_ranks_end_is_unknown() -> None:
    run = folded(two().exit(0, at=3))["run"]
    assert run["end"] is None and run["duration_s"] is None and run["last_heard"] == "2026-11-18T11:06:43.000000000Z"


def test_a_run_in_progress() -> None:
    record = folded(two().exit(0, at=3), over=False)
    assert record["run"]["status"] == "running" and record["run"]["end"] is None
    assert record["ranks"]["columns"]["state"] == ["completed", "running"]


def test_different_commands_are_told_by_their_ranks() -> None:
    launch = Launch(size=4).start(0).start(1, argv=["ocean"]).start(2, argv=["ocean"]).start(3, cwd="/elsewhere")
    run = folded(launch)["run"]
    assert run["argv"] == ["./model", "-v"] and run["cwd"] == "/data"
    assert [(other["argv"], other["cwd"], other["ranks"]) for other in run["others"]] == [
        (["ocean"], "/data", [[1, 2]]),
        (["./model", "-v"], "/elsewhere", [[3, 3]]),
    ]


def test_environment_is_shared_where_it_is_the_same() -> None:
    launch = Launch(size=4).start(0).start(1).start(2).start(3)
    launch.env(0, A="1", R="0", ONLY="x").env(1, A="1", R="1").env(2, A="1", R="2")
    environment = folded(launch)["environment"]
    assert environment == {
        "common": {"A": "1"},
        "varying": {"ONLY": ["x", None, None, None], "R": ["0", "1", "2", None]},
        "unknown": [[3, 3]],
    }


@settings(max_examples=40)
@given(st.lists(st.dictionaries(st.sampled_from("ABCD"), st.sampled_from("12")), min_size=1, max_size=5))
def test_every_environment_comes_back(envs: list[dict[str, str]]) -> None:
    launch = Launch(size=len(envs))
    for rank, env in enumerate(envs):
        launch.start(rank).env(rank, **env)
    environment = folded(launch)["environment"]
    varying = environment["varying"]
    assert [
        environment["common"] | {k: v[rank] for k, v in varying.items() if v[rank] is not None}
        for rank in range(len(envs))
    ] == envs
    assert all(len(set(values)) > 1 for values in varying.values())


def test_facts_are_stored_once_and_the_latest_counts() -> None:
    here, there = beside()
    host = {"cpu": "x"}
    here.fact("host", {"cpu": "old"}, at=1).fact("host", host, at=2).fact("gpu", error="no nvidia-smi")
    record = folded(here.exit(0), there.fact("host", host, at=1).exit(1))
    assert sorted(entry["kind"] for entry in record["facts"].values()) == ["gpu", "host"]
    assert model.facts(record, "host") == [(["n1", "n2"], {"kind": "host", "value": host})]
    assert model.facts(record, "gpu") == [(["n1"], {"kind": "gpu", "error": "no nvidia-smi"})]
    assert model.fact(record, "host") == host and model.fact(record, "gpu") == {} == model.fact(record, "code")


def test_a_node_without_an_agent_says_why_it_has_no_facts() -> None:
    nodes = folded(Launch("n1", size=2).start(0, agent=False), Launch("n2").start(1))["nodes"]
    assert [node["unknown"] for node in nodes] == [
        "the run was made with --no-agent",
        "no agent reported from this node",
    ]
    assert "unknown" not in folded(Launch().start().agent())["nodes"][0]


def artifact(state: str, at: float, path: str = "/data/out.h5", **keys: Any) -> dict[str, Any]:
    return {
        "at": at,
        "role": "generated",
        "path": path,
        "state": state,
        "declared": ["out*"],
        "reason": None,
        "size": 5,
    } | keys


def test_of_several_statements_the_one_that_knows_most_counts() -> None:
    launch = Launch().start().exit()
    for facts in (
        artifact("ok", 11),
        artifact("not hashed", 12, reason="time", declared=["*.h5"]),
        artifact("missing", 13),
    ):
        launch.add("artifact", **facts)
    (found,) = folded(launch)["artifacts"]["generated"]
    assert (found["state"], found["declared"], found["signature"]) == ("ok", ["*.h5", "out*"], None)


def test_problems_are_told_once_for_each_node() -> None:
    launch = two().exit(0).exit(1)
    for rank in (0, 1):
        launch.add("problem", 1 + rank, text="disk is full", node="n1", rank=rank)
    launch.add("problem", 0.5, text="first")
    assert folded(launch)["problems"] == [
        {"text": "first", "node": None, "ranks": []},
        {"text": "disk is full", "node": "n1", "ranks": [[0, 1]]},
    ]


def test_problems_without_end_are_bounded() -> None:
    launch = Launch().start().exit()
    for k in range(1005):
        launch.add("problem", k, text=f"{k}")
    found = folded(launch)["problems"]
    assert len(found) == 1001 and found[-1]["text"] == "5 more problems are only in the logs"


def test_a_rank_that_was_started_twice_is_told_as_a_problem() -> None:
    launch = Launch().start(0, at=1, pid=2).start(0, at=0, pid=1).exit(0, pid=1, code=4).exit(0, pid=2)
    record = folded(launch)
    assert record["ranks"]["columns"]["code"] == [4]
    assert record["problems"][0]["ranks"] == [[0, 0]]


def test_an_absurd_size_costs_nothing() -> None:
    record = folded(Launch(size=10**15).start(0).exit(0))
    assert record["ranks"]["missing"] == [[1, 10**15 - 1]]


def rich() -> list[dict[str, Any]]:
    """The events of a run in which a bit of everything happened."""
    here, there = beside(size=4)
    here.env(0, A="1", R="0").exit(0, at=7, code=3).fact("host", {"x": 1}).fact("host", {"x": 2}, at=0.2).fact(
        "user", {"name": "ada"}
    )
    there.start(2, argv=["other"]).env(1, A="1", R="1").killed(1, at=8, signal=9).add("lost", 9, node="n2", rank=2)
    there.add("lost", 9.5, node="n2", rank=2).fact("host", {"x": 2}).add("problem", 2, text="p", node="n2").add(
        "problem", 3, text="p", node="n2"
    )
    for rank in (0, 1):
        there.add("signal", 6 + rank, rank=rank, pid=7, signal=15, from_pid=rank, from_uid=0, forwarded=True)
    here.add("artifact", **artifact("ok", 20)).add("artifact", **artifact("ok", 20, size=6)).add(
        "artifact", **artifact("missing", 21, "/b")
    )
    here.start(0, at=0).start(0, at=0, note="another").exit(0, at=7, code=4)
    return normal(here, there)


@settings(max_examples=40)
@given(st.randoms(use_true_random=False), st.booleans())
def test_neither_order_nor_repetition_changes_a_byte(shuffling: random.Random, over: bool) -> None:
    events = rich()
    expected = canonical(fold(events, run_id="r1", over=over))
    again = events + shuffling.choices(events, k=shuffling.randrange(len(events)))
    shuffling.shuffle(again)
    assert canonical(fold(again, run_id="r1", over=over)) == expected


KINDS = ("start", "exit", "lost", "signal", "env", "agent", "fact", "artifact", "problem", "ended", "beat")
KEYS = st.fixed_dictionaries(
    {
        "event": st.sampled_from(KINDS),
        "time": st.integers(0, 3),
        "boot": st.just(0),
        "rank": st.integers(0, 2),
        "pid": st.integers(0, 1),
    },
    optional={
        "node": st.sampled_from(["a", "b"]),
        "kind": st.sampled_from(["host", "user"]),
        "value": st.sampled_from([1, {"name": "x"}, None]),
        "error": st.just("e"),
        "text": st.just("t"),
        "role": st.sampled_from(["used", "generated"]),
        "path": st.just("/p"),
        "state": st.sampled_from(["ok", "missing", "?"]),
        "code": st.integers(0, 1),
        "signal": st.sampled_from([2, 15]),
        "size": st.integers(-1, 4),
        "env": st.dictionaries(st.sampled_from("AB"), st.sampled_from("12")),
        "argv": st.lists(st.just("x"), max_size=1),
        "launch": st.sampled_from(["1-1", "2-2"]),
        "n": st.integers(0, 1),
        "launch_time": st.integers(0, 3),
        "from_pid": st.integers(0, 2),
        "rusage": st.dictionaries(st.sampled_from(["utime", "maxrss"]), st.integers(0, 3)),
        "launcher": st.sampled_from(["none", "mpich"]),
    },
)


@settings(max_examples=60)
@given(st.lists(KEYS, max_size=12), st.randoms(use_true_random=False))
def test_any_events_in_any_order_give_one_valid_record(raw: list[dict[str, Any]], shuffling: random.Random) -> None:
    from hpcprov.record import event as border

    events = [event for event in map(border.normal, raw) if event is not None]
    expected = check_folded(fold(events, run_id="r1"))
    shuffled = events + events[:3]
    shuffling.shuffle(shuffled)
    assert canonical(fold(shuffled, run_id="r1")) == canonical(expected)


def test_an_agent_that_vanished_is_a_problem() -> None:
    launch = Launch().start().agent().exit()
    told = [problem["text"] for problem in fold(normal(launch), run_id="r1")["problems"]]
    assert told == ["the agent of node n1 vanished: later facts and signatures are missing"]
    assert fold(normal(launch), run_id="r1", over=False)["problems"] == []
    assert fold(normal(launch.ended(1)), run_id="r1")["problems"] == []


def test_a_nested_run_on_some_ranks_lacks_none() -> None:
    launch = Launch(size=4).start(2, parent={"run": "outer", "rank": 2}).exit(2)
    record = fold(normal(launch), run_id="r1")
    assert record["ranks"]["missing"] == [] and record["run"]["status"] == "completed"


@pytest.mark.parametrize(("nodes", "ranks", "told"), [(2, 2, True), (2, 4, False), (1, 2, False)])
def test_nodes_that_wrote_elsewhere(nodes: int, ranks: int, told: bool) -> None:
    """Ranks of nodes that never spoke, where more nodes were announced: the store may be on one node's own disk."""
    launches = [Launch(f"n{k}", launcher="slurm", size=4, nodes=nodes) for k in range(2)]
    for rank in range(ranks):
        launches[rank // 2].start(rank).exit(rank)
    record = check_folded(fold(normal(*launches), run_id="x"))
    assert any("on a disk that the others do not see" in problem["text"] for problem in record["problems"]) is told
