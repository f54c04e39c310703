"""The programs of a run as a tree, and what its page says of what was observed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from merge.build import BEGAN, Launch
from merge.make_golden import GOLDEN

from hpcprov.commands import page, tree
from hpcprov.commands.screen import Screen
from hpcprov.merge.seal import verify_seal
from hpcprov.record import model
from hpcprov.record.layout import Store

from .conftest import Call, publish


def record_of(name: str = "observed") -> dict[str, Any]:
    return model.load(str(GOLDEN / name / "record.golden.json"))


def test_a_tree_fits_on_a_narrow_screen() -> None:
    lines = tree.render(record_of(), Screen(colour=False, width=80))
    assert lines == [
        "PROGRAM                      TIMES  RANKS         TOOK  END",
        "bash job.sh                      2  0-1          8.0 s",
        "`-- tool -x                      6  0-1          8.0 s  2 x SIGKILL; blind: sta…",
        "... and 20,000 x /usr/bin/true",
    ]


def test_a_page_says_how_each_artifact_is_known() -> None:
    text = "\n".join(page.render(record_of(), "/x", Screen(colour=False, width=80)))
    for words in (
        "in.nc  declared, observed  100 B",
        "state.bin  observed  100 B  not hashed: this run overwrote it",
        "programs   3 programs, executed 20,008 times, 6 could not be looked into",
        "could not look into: /opt/tool (static)",
        "2 events of what was read and written were lost on n1",
        "hpcprov show golden --tree",
    ):
        assert words in text


@pytest.mark.parametrize("name", ["one", "mpi", "lost"])
def test_a_run_that_was_not_observed_shows_nothing_of_it(name: str) -> None:
    record = record_of(name)
    for old in (record, {key: value for key, value in record.items() if key != "observation"}):
        text = "\n".join(page.render(old, "/x", Screen(colour=False, width=80)))
        assert not {"observed", "declared", "--tree", "programs"} & set(text.split())
        assert tree.render(old, Screen(colour=False, width=80)) == [tree.NOT_OBSERVED]


def test_a_record_of_before_there_was_observation_is_read(tmp_path: Any) -> None:
    record = record_of("mpi")
    del record["observation"], record["artifacts"]["generated"][0]["observed"]
    assert model.parse(json.dumps(record).encode(), name="x") == record
    assert not verify_seal(record), "what was sealed had it"
    for wrong in ({"how": 5}, 5, []):
        with pytest.raises(model.BadRecord, match="damaged"):
            model.parse(json.dumps(record | {"observation": wrong}).encode(), name="x")


def row(id: int, parent: int | None, **keys: Any) -> dict[str, Any]:
    told = {"id": id, "parent": parent, "path": "/bin/x", "argv": ["x"], "cwd": None, "sha256": None, "blind": None}
    told |= {"count": 1, "ranks": [[0, 0]], "began": None, "ended": None, "exits": {}}
    return told | keys


def drawn(*rows: dict[str, Any], width: int = 80) -> list[str]:
    told = {"observation": {"programs": list(rows), "counted": []}}
    return tree.render(told, Screen(colour=False, width=width))[1:]


@pytest.mark.parametrize(
    ("keys", "end"),
    [
        ({"exits": {"0": 1}}, ""),
        ({"exits": {"3": 1}}, "exit 3"),
        ({"exits": {"0": 2, "-11": 1}, "count": 3}, "1 x SIGSEGV"),
        ({"exits": {"-99999": 1}}, "exit -99999"),
        ({"blind": "launcher"}, "own record"),
        ({"count": 3, "exits": {"0": 1}}, "2 x end unknown"),
        ({}, "end unknown"),
        ({"blind": "set-id"}, "blind: set-id"),
        ({"blind": "launcher", "exits": {"1": 1}}, "exit 1; own record"),
    ],
)
def test_how_programs_ended(keys: dict[str, Any], end: str) -> None:
    assert drawn(row(1, None, **keys))[0].partition("?")[2].strip() == end


@pytest.mark.parametrize(("more", "line"), [({}, tree.NOT_YET), ({"seal": {}}, "no program was seen")])
def test_without_programs_it_is_told_whether_there_may_be_some(more: dict[str, Any], line: str) -> None:
    told = {"observation": {"programs": [], "counted": []}} | more
    assert tree.render(told, Screen(colour=False, width=80)) == [line]


def test_untrusted_names_are_escaped_and_cut() -> None:
    (line,) = drawn(row(1, None, argv=["a\x1b[31m\n", "\u202e" + "b" * 500]))
    assert "\x1b" not in line and "\u202e" not in line and len(line) < 100


def test_branches() -> None:
    lines = [line[:28].rstrip() for line in drawn(row(1, None), row(2, 1), row(3, 2), row(4, 1), row(5, None))]
    assert lines == ["x", "|-- x", "|   `-- x", "`-- x", "x"]


def test_a_deep_tree_stays_readable() -> None:
    lines = drawn(*(row(k, k - 1 or None) for k in range(1, 400)))
    assert len(lines) == 399 and max(map(len, lines)) < 100


def test_of_a_very_large_tree_the_beginning() -> None:
    lines = drawn(*(row(k, None) for k in range(1, 2001)))
    assert len(lines) == tree.MOST_LINES + 1 and lines[-1] == "... and 1,000 more lines: --json has all"


IDS = st.integers(0, 4)


@given(st.lists(st.builds(row, IDS, st.none() | IDS), max_size=12))
def test_every_row_of_a_forged_record_is_drawn_once(rows: list[dict[str, Any]]) -> None:
    assert sorted(id(one) for one, _ in tree.drawn(rows)) == sorted(map(id, rows))


def test_the_command(call: Call, store: Store) -> None:
    log = Launch(observe="preload").start().exit()
    told = {"id": 1, "parent": 0, "path": "/bin/sh", "argv": ["sh", "job.sh"], "began": BEGAN, "rank": 0}
    log.add("program", 9, node="n1", entries=[told, told | {"id": 2, "parent": 1, "argv": ["cp"], "status": 1}])
    publish(store, "r1", log)
    status, out, err = call("show", "r1", "--tree")
    lines = out.splitlines()
    assert (status, err) == (0, "") and lines[1].startswith("sh job.sh ") and lines[2].endswith("exit 1")
    assert lines[1].endswith("10.0 s"), "the application's end is the rank's"
    assert call("show", "r1", "--tree", "--json")[0] == 2
    publish(store, "r2", Launch(launch="5-5").start(at=5).exit())
    assert call("show", "r2", "--tree")[1] == f"{tree.NOT_OBSERVED}\n"


def test_of_a_workflow_the_programs_of_its_runs(call: Call, store: Store) -> None:
    publish(store, "r1", Launch(observe="preload").start().exit().add("program", 9, node="n1", entries=[told_of("sh")]))
    publish(store, "r2", Launch(launch="5-5").start(at=5).exit())
    whole = Launch(launch="6-6").start(at=6, kind="workflow").exit()
    for name in ("r1", "r2", "r3"):
        whole.add("part", 6, node="n1", kind="workflow", run=name)
    publish(store, "w1", whole)
    lines = call("show", "w1", "--tree")[1].splitlines()
    assert [line.split("  ")[0] for line in lines] == ["r1", "PROGRAM", "sh", "", "r2", tree.NOT_OBSERVED]


def told_of(name: str) -> dict[str, Any]:
    return {"id": 1, "parent": 0, "path": f"/bin/{name}", "argv": [name]}
