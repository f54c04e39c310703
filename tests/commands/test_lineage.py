"""`hpcprov lineage` and `verify --upstream` on real stores: what they print, also when they know nothing."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from merge.build import Launch

from hpcprov.record.layout import Store
from hpcprov.signature.artifact import describe

from .conftest import Call, day, publish

FIELD = {"path": "t", "type": "f8", "shape": [20, 30], "tile": [20, 30], "bytes": 4800}


def digest(letter: str) -> str:
    return letter * 64


def artifact(role: str, path: str, value: str, field: str | None = None, **known: Any) -> dict[str, Any]:
    fields = [FIELD | {"signature": f"hpcprov1:{digest(field)}"}] if field else []
    signature = {"digest": f"hpcprov1:{digest(value)}", "how": "full", "kind": "tree", "fields": fields}
    return {"role": role, "path": path, "declared": ["x"], "state": "ok", "format": "hdf5", "size": 5000} | {
        "storage": {"digest": f"blake3:{digest(value)}", "how": "full"},
        "signature": signature,
    } | known  # fmt: skip


def ran(store: Store, run_id: str, at: float, *artifacts: dict[str, Any], **start: Any) -> str:
    launch = Launch(launch=f"{int(at)}-1").start(at=at, **({"name": run_id, "cwd": "/data"} | start)).exit(at=at + 1)
    for one in artifacts:
        launch.add("artifact", at + 1, **one)
    return publish(store, run_id, launch)


@pytest.fixture
def history(store: Store) -> Store:
    """raw -> grid (twice) -> model -> figure; model reads the grid that the first run made."""
    ran(store, "prepare", day(1), artifact("used", "/data/raw", "1"), artifact("generated", "/data/grid", "2", "a"))
    ran(store, "again", day(2), artifact("used", "/data/raw", "1"), artifact("generated", "/data/grid2", "2", "a"))
    ran(store, "model", day(3), artifact("used", "/data/grid", "2", "a"), artifact("generated", "/data/out", "3", "b"))
    ran(store, "figure", day(4), artifact("used", "/data/out", "3", "b"), artifact("generated", "/data/f.png", "4"))
    return store


def test_a_path_leads_to_the_raw_input(history: Store, call: Call) -> None:
    status, out, _ = call("lineage", "/data/f.png")
    assert status == 0
    heads = [line.split("  ")[0] for line in out.splitlines()]
    assert heads[0] == "/data/f.png" and "  no run is known to have made it" in out.splitlines()[-1:]
    made = [head.removeprefix("│ made by ") for head in heads if "made by" in head]
    assert made == ["figure", "model", "prepare"]
    assert "1 other run made the same" in out and "again" not in out


def test_both_ways_from_a_run_and_what_came_of_a_path(history: Store, call: Call) -> None:
    _, out, _ = call("lineage", "model")
    assert out.index("what it used") < out.index("made by prepare") < out.index("what it generated")
    assert out.index("what it generated") < out.index("used by figure")
    _, out, _ = call("lineage", "/data/raw", "--down")
    assert [word for word in ("prepare", "again", "model", "figure") if f"used by {word}" in out] == [
        "prepare", "again", "model", "figure",
    ]  # fmt: skip


@pytest.mark.parametrize("target", ["/data/out/t", "hpcprov1:" + digest("b"), "bbbbbb"])
def test_a_field_by_its_path_or_its_digest(history: Store, call: Call, target: str) -> None:
    status, out, _ = call("lineage", target)
    assert status == 0 and "made by model" in out
    assert out.startswith(f"/data/out/t  field of hdf5  hpcprov1:{digest('b')[:12]}\n")  # not that of the dataset
    assert f"field of hdf5  hpcprov1:{digest('b')[:12]}" in call("lineage", target, "--format", "dot")[1]


def test_depth_and_limit_are_said(history: Store, call: Call) -> None:
    _, out, _ = call("lineage", "/data/f.png", "--depth", "1")
    assert "made by model" not in out and "not followed further than 1 run away" in out
    _, out, _ = call("lineage", "/data/f.png", "--limit", "3", "--format", "json")
    graph = json.loads(out)
    assert len(graph["nodes"]) == 3 and graph["cut"] > 0 and "cut at 3 nodes" in graph["notes"][-1]
    assert call("lineage", "/data/f.png", "--limit", "0")[0] == 2


@pytest.mark.parametrize(("form", "begin"), [("dot", "digraph"), ("mermaid", "flowchart"), ("json", "{")])
def test_other_forms(history: Store, call: Call, form: str, begin: str) -> None:
    status, out, _ = call("lineage", "/data/f.png", "--format", form)
    assert status == 0 and out.startswith(begin) and "prepare" in out


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("/data/grids", ("no record knows '/data/grids', and it does not exist", "(4 runs)", "/data/grid")),
        ("nothing", ("no record knows", "looked in")),
        ("/data/out/u", ("has no field 'u'", "its fields are t")),
        ("hpcprov1:" + digest("f"), ("no record knows the digest", "looked in")),
        ("222222", ("beginning of several digests", "blake3:2", "hpcprov1:2")),
        ("hpcprov1:12", ("is not the beginning of a digest",)),
    ],
)
def test_an_empty_answer_says_what_was_searched(history: Store, call: Call, target: str, told: tuple[str, ...]) -> None:
    status, out, err = call("lineage", target)
    assert (status, out) == (2, "") and all(text in err for text in told)


def test_an_ambiguous_run(store: Store, call: Call) -> None:
    ran(store, "case-1", day(1))
    ran(store, "case-2", day(2))
    status, _, err = call("lineage", "case")
    assert status == 2 and "case-1" in err and "case-2" in err


def test_several_stores_are_joined_by_values(store: Store, call: Call, tmp_path: Path) -> None:
    other = Store(str(tmp_path / "elsewhere" / ".hpcprov"))
    os.makedirs(other.runs)
    ran(other, "maker", day(1), artifact("generated", "/cluster/x", "5"))
    ran(store, "user", day(2), artifact("used", "/laptop/copy of x", "5"), artifact("generated", "/laptop/y", "6"))
    assert "maker" not in call("lineage", "/laptop/y")[1]
    _, out, _ = call("lineage", "/laptop/y", "--root", store.root, "--root", str(tmp_path / "elsewhere"))
    assert "made by maker" in out and "as /cluster/x" in out
    twice = call("lineage", "/laptop/y", "--root", store.root, "--root", other.root, "--root", store.root)[1]
    assert twice == out


def test_a_copy_of_a_store_tells_of_runs_once(history: Store, call: Call, tmp_path: Path) -> None:
    shutil.copytree(history.root, tmp_path / "copy" / ".hpcprov")
    once = call("lineage", "/data/f.png", "--root", history.root, "--format", "json")[1]
    both = call("lineage", "/data/f.png", "--root", history.root, "--root", str(tmp_path / "copy"), "--format", "json")[
        1
    ]
    assert json.loads(once) == json.loads(both)


def test_hostile_text_is_shown_and_not_obeyed(store: Store, call: Call) -> None:
    name = "x\x1b[31m\n\u202e\udcff"
    argv = ["sh", "-c", "\x1b]0;title\x07"]
    ran(store, "r1", day(1), artifact("generated", f"/data/{name}", "1", reason=name), name=name, argv=argv)
    for form in ("text", "dot", "mermaid"):
        status, out, _ = call("lineage", "r1", "--format", form)
        assert status == 0 and not set("\x1b\x07\u202e\udcff") & set(out)


def test_an_in_place_update_is_two_versions(store: Store, call: Call) -> None:
    ran(store, "first", day(1), artifact("generated", "/data/s", "1"))
    unsigned = artifact("used", "/data/s", "1") | {"state": "not hashed", "storage": None, "signature": None}
    ran(store, "second", day(2), unsigned, artifact("generated", "/data/s", "2"))
    status, out, _ = call("lineage", "/data/s")
    assert status == 0 and out.index("made by second") < out.index("by path and time") < out.index("made by first")
    assert "1 other version of /data/s was recorded" in out


def test_upstream_says_of_each_generation_what_is_as_it_was(store: Store, call: Call, tmp_path: Path) -> None:
    import blake3

    facts = {}
    for name in ("raw", "mid", "end"):
        (tmp_path / name).write_text(name * 100)
        storage = f"blake3:{blake3.blake3((name * 100).encode()).hexdigest()}"
        facts[name] = {"path": str(tmp_path / name), "format": "file", "size": len(name) * 100} | {
            "storage": {"digest": storage, "how": "full"}, "signature": None, "declared": ["x"], "state": "ok",
        }  # fmt: skip
    ran(store, "one", day(1), facts["raw"] | {"role": "used"}, facts["mid"] | {"role": "generated"}, cwd=str(tmp_path))
    ran(store, "two", day(2), facts["mid"] | {"role": "used"}, facts["end"] | {"role": "generated"}, cwd=str(tmp_path))

    def told(*words: str) -> tuple[int, list[tuple[str, str]]]:
        status, out, _ = call("verify", str(tmp_path / "end"), "--upstream", *words)
        lines = [line.split() for line in out.splitlines() if str(tmp_path) in line]
        return status, [(line[0], os.path.basename(line[1])) for line in lines]

    assert told() == (0, [("OK", "end"), ("OK", "mid"), ("OK", "raw")])
    _, out, _ = call("verify", str(tmp_path / "end"), "--upstream", "--json")
    assert [(one["generation"], (one["used_by"] or {}).get("run")) for one in json.loads(out)] == [
        (0, None), (1, "two"), (2, "one"),
    ]  # fmt: skip
    (tmp_path / "raw").write_text("other")
    (tmp_path / "mid").unlink()
    assert told() == (1, [("OK", "end"), ("MISSING", "mid"), ("CHANGED", "raw")])
    assert call("verify", "--all", "--upstream")[0] == 2


def test_what_was_renamed_away_is_still_known_by_who_made_it(store: Store, call: Call) -> None:
    """Who renamed it did not look at it: the version of its maker is the one that is meant."""
    ran(store, "maker", day(1), artifact("used", "/data/raw", "1"), artifact("generated", "/data/x", "2"))
    unseen = {"role": "used", "path": "/data/x", "declared": ["x"], "state": "not hashed", "format": None, "size": None}
    moved = artifact("generated", "/data/y", "2", renamed_from="/data/x")
    ran(store, "mover", day(2), unseen | {"storage": None, "signature": None}, moved)
    status, out, _ = call("lineage", "/data/x")
    assert status == 0 and "│ made by maker" in out.splitlines()[1]
    found = json.loads(call("lineage", "/data/x", "--json")[1])
    assert found == json.loads(call("lineage", "/data/x", "--format", "json")[1])
    assert found["start"] == [f"data:hpcprov1:{digest('2')}"]


def test_of_values_all_users_are_told_also_those_before_the_last_copy(store: Store, call: Call) -> None:
    ran(store, "early", day(1), artifact("used", "/data/raw", "1"))
    ran(store, "copy", day(2), artifact("used", "/data/raw", "1"), artifact("generated", "/data/mine", "1"))
    ran(store, "late", day(3), artifact("used", "/data/mine", "1"))
    _, out, _ = call("lineage", "hpcprov1:" + digest("1"), "--down")
    assert [f"used by {name}" in out for name in ("early", "copy", "late")] == [True] * 3
    _, out, _ = call("lineage", "/data/mine", "--down")
    assert [f"used by {name}" in out for name in ("early", "late")] == [False, True]


def test_a_moved_result_is_compared_too(store: Store, call: Call, tmp_path: Path) -> None:
    """Two years later the directory has another name: `why` understands its paths as `lineage` does."""
    home = tmp_path / "then"
    for name, value in (("one", "2"), ("other", "3")):
        made = artifact("generated", f"{home}/{name}.h5", value, "a")
        ran(store, name, day(1), artifact("used", "/data/raw", value), made, cwd=str(home))
    for name in ("one", "other"):
        (tmp_path / f"{name}.h5").write_text("")
    status, out, _ = call("why", "one.h5", "other.h5", "--records-only")
    assert status == 1 and f"{home}/one.h5" in out.splitlines()[0] and "raw changed" in out
    status, _, err = call("why", "one.h5", "nothing.h5/x")
    assert status == 2 and "no run is known to have made 'nothing.h5/x'" in err


def test_a_name_that_is_too_long_for_a_file_is_not_known(call: Call, store: Store) -> None:
    publish(store, "r1", Launch().start().exit())
    for target in ("x" * 100_000, f"/data/{'x' * 100_000}"):
        status, out, err = call("lineage", target)
        assert (status, out) == (2, "") and "no record knows" in err and "internal error" not in err


def test_a_program_leads_to_who_compiled_it(store: Store, call: Call, tmp_path: Path) -> None:
    """Only the last build before the run: neither a later one nor what the system has, nor what the run made itself."""
    source, program, out = (str(tmp_path / name) for name in ("model.c", "model", "out"))
    for k, path in enumerate((source, program, out)):
        Path(path).write_text(f"{path}" * (30 + k))
    for at, run_id in ((1, "old"), (2, "build"), (5, "later")):
        made = described(program) if run_id == "build" else artifact("generated", program, f"{at}", signature=None)
        ran(store, run_id, day(at), described(source) | {"role": "used"}, made, argv=["/usr/bin/cc", "model.c"])
    ran(store, "sim", day(3), described(out), argv=["./model", "x"], cwd=str(tmp_path))
    ran(store, "check", day(4), artifact("generated", program, "7"), argv=["./model"], cwd=str(tmp_path))
    status, told, _ = call("lineage", out)
    assert status == 0 and "the program, by path and time" in told
    assert [line.split()[3] for line in told.splitlines() if "made by" in line] == ["sim", "build"]
    assert told.splitlines()[-2].split()[0].endswith("model.c")
    status, told, _ = call("lineage", source, "--down")
    assert "executed by sim" in told and "executed by check" not in told and "out  file" in told
    Path(program).write_text("compiled again")
    status, told, _ = call("verify", out, "--upstream")
    assert status == 0 and told == f"OK           {out}  (generated by sim)\n"


def described(path: str) -> dict[str, Any]:
    """A file as it lies there, as what a run has made."""
    known = describe(path)
    return {"role": "generated", "path": path, "declared": ["x"]} | {
        name: known[name] for name in ("state", "format", "size", "mtime", "storage", "signature", "files")
    }
