"""Lineage over histories in memory: each rule of joining, and a slow reference on random histories."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcprov.catalog.graph import Graph
from hpcprov.catalog.lineage import Start, lineage
from hpcprov.catalog.makers import find_makers
from hpcprov.catalog.versions import Version, telling
from hpcprov.record.moment import ns

from .memory import World, moment


def ran(graph: Graph) -> set[str]:
    return {node["run"] for node in graph.nodes.values() if node["kind"] == "run"}


def edges(graph: Graph) -> set[tuple[str, str, str, str]]:
    return {(edge["from"], edge["to"], edge["role"], edge["join"]) for edge in graph.edges}


def up(world: World, run: str, **options: int) -> Graph:
    return lineage(world, Start(runs=[run]), up=True, **options)


def down(world: World, run: str, **options: int) -> Graph:
    return lineage(world, Start(runs=[run]), up=False, down=True, **options)


def chain(length: int) -> World:
    world = World()
    for k in range(length):
        world.run(f"r{k}", k).used(f"/d/{k}", f"s{k}").made(f"/d/{k + 1}", f"s{k + 1}")
    return world


def test_equal_values_join_first_wherever_they_lie() -> None:
    world = World().run("a", 1).made("/x", "1").run("b", 2).made("/copy", "2").run("c", 3).used("/copy", "1")
    assert edges(up(world, "c")) == {
        ("run:a", "data:1", "generated", "record"),
        ("data:1", "run:c", "used", "signature"),
    }


def test_equal_bytes_join_what_has_no_signature() -> None:
    world = World().run("a", 1).made("/x", storage="B").run("b", 2).used("/y", storage="B")
    assert edges(up(world, "b")) == {("run:a", "data:B", "generated", "record"), ("data:B", "run:b", "used", "bytes")}


def test_an_equal_field_joins_and_says_which() -> None:
    world = World().run("a", 1).made("/x", "1", fields={"u": "f", "v": "g"})
    world.run("b", 2).used("/y", "2", fields={"wind/u": "f"})
    graph = up(world, "b")
    assert ("data:1", "data:2", "same values", "field") in edges(graph)
    assert [edge["fields"] for edge in graph.edges if edge["role"] == "same values"] == [[["u", "wind/u"]]]


@pytest.mark.parametrize(
    "fields",
    [
        {"dx": ("f", [], 8)},
        {"dx": ("f", [4], 32)},
        {"lat": ("f", [721], 5768), "t": ("t", [721, 1440], 8305920)},
        {"null": ("f", None, 0)},
    ],
)
def test_small_fields_and_coordinates_join_nothing(fields: dict[str, object]) -> None:
    world = World().run("a", 1).made("/x", "1", fields={"f": ("f", [721], 5768)})
    world.run("b", 2).used("/y", "2", fields=fields)
    assert ran(up(world, "b")) == {"b"}
    assert [field.path for field in telling(world.of[1])] in ([], ["t"])


def test_fields_that_everybody_makes_join_nothing() -> None:
    world = World()
    for k in range(20):
        world.run(f"r{k}", k).made(f"/{k}", f"s{k}", fields={"mask": "m"})
    world.run("b", 30).used("/y", "2", fields={"mask": "m"})
    assert ran(up(world, "b")) == {"b"}


def test_a_path_joins_what_was_not_signed_to_the_last_run_before() -> None:
    world = World().run("a", 1).made("/x", "1").run("b", 2).made("/x", "2").run("c", 3).used("/x", state="not hashed")
    world.run("d", 4).made("/x", "4")
    assert edges(up(world, "c")) == {("run:b", "data:2", "generated", "record"), ("data:2", "run:c", "used", "path")}


def test_what_was_changed_outside_of_any_run_is_said() -> None:
    world = World().run("a", 1).made("/x", "1").run("b", 2).used("/x", "edited")
    assert edges(up(world, "b")) == {
        ("run:a", "data:1", "generated", "record"),
        ("data:1", "data:edited", "changed", "path"),
        ("data:edited", "run:b", "used", "record"),
    }


def test_files_of_a_directory_that_was_made_or_used_as_a_whole() -> None:
    world = World().run("a", 1).made("/out", format="directory").run("b", 2).used("/out/t.csv", "1").made("/r/y", "2")
    world.run("c", 3).used("/r", format="directory")
    assert edges(up(world, "c")) == {
        ("data:2", "data:/r", "part of", "path"),
        ("data:/r", "run:c", "used", "record"),
        ("run:b", "data:2", "generated", "record"),
        ("data:/out@a", "data:1", "holds", "path"),
        ("data:1", "run:b", "used", "record"),
        ("run:a", "data:/out@a", "generated", "record"),
    }
    assert ran(down(world, "a")) == {"a", "b", "c"}


def test_an_output_that_was_renamed_leads_to_who_made_it() -> None:
    world = World().run("a", 1).made("/part", "1").run("b", 2).made("/whole", "2", renamed_from="/part")
    world.run("c", 3).made("/other", "3", renamed_from="/tmp-3")
    assert ran(up(world, "b")) == {"a", "b"}
    assert list(up(world, "c").nodes) == ["run:c"]


def test_updates_in_place_are_versions_and_end() -> None:
    world = World().run("a", 1).made("/x", "1")
    for k in range(2, 30):
        world.run(f"r{k}", k).used("/x", state="not hashed").made("/x", str(k))
    graph = up(world, "r29")
    assert len(ran(graph)) == 29 and len(graph.nodes) == 29 + 28
    assert {edge["join"] for edge in graph.edges if edge["role"] == "used"} == {"path"}


def test_values_copied_to_and_fro_end() -> None:
    world = World()
    for k in range(10):
        world.run(f"r{k}", k).used(f"/{'xy'[k % 2]}", "1").made(f"/{'xy'[(k + 1) % 2]}", "1")
    assert ran(up(world, "r9")) == {f"r{k}" for k in range(10)}
    assert ran(down(world, "r0")) == {f"r{k}" for k in range(10)}


def test_a_raw_input_was_not_made_by_who_copied_it() -> None:
    world = World().run("copy", 1).used("/raw", "1").made("/mine", "1").run("b", 2).used("/mine", "1").used("/raw", "1")
    raw = world.of_run("b", "used", "/raw")
    assert ran(lineage(world, Start(versions=[raw]))) == set()
    assert ran(up(world, "b")) == {"copy", "b"}


def test_a_field_of_a_raw_input_was_not_made_by_who_kept_it() -> None:
    world = World().run("keep", 1).used("/raw", "1", fields={"u": "f"}).made("/x", "2", fields={"u": "f", "v": "g"})
    world.run("b", 2).used("/raw", "1", fields={"u": "f"}).run("c", 3).used("/raw-copied", "3", fields={"u": "f"})
    assert ran(up(world, "b")) == {"b"} and ran(up(world, "c")) == {"c"}
    assert ran(down(world, "keep")) == {"keep"}


def test_a_field_that_was_used_before_anybody_made_it_is_from_outside() -> None:
    world = World().run("a", 1).used("/raw", "1", fields={"u": "f"})
    world.run("keep", 2).used("/y", state="not hashed").made("/x", "2", fields={"u": "f"})
    world.run("b", 3).used("/raw", "1", fields={"u": "f"})
    assert ran(up(world, "b")) == {"b"}


def test_a_copy_of_a_raw_input_was_not_made_by_another_copier() -> None:
    world = World().run("copy", 1).used("/raw", "1", mtime=5).made("/mine", "1", mtime=9)
    world.run("b", 2).used("/theirs", "1", mtime=7).run("c", 3).used("/moved", "1", mtime=9)
    assert ran(up(world, "b")) == {"b"} and ran(up(world, "c")) == {"copy", "c"}


def test_who_put_known_values_into_these_bytes_made_them() -> None:
    world = World().run("table", 1).made("/t.parquet", "1", storage="P")
    world.run("csv", 2).used("/t.parquet", "1", storage="P").made("/t.csv", "1", storage="C")
    world.run("b", 3).used("/moved.csv", "1", storage="C").run("c", 4).used("/moved.parquet", "1", storage="P")
    assert ran(up(world, "b", depth=1)) == {"b", "csv"} and ran(up(world, "c")) == {"c", "table"}


def test_the_same_values_in_two_formats_are_told_as_what_they_are() -> None:
    world = World().run("table", 1).made("/t.parquet", "1", format="parquet", size=90)
    world.run("csv", 2).used("/t.parquet", "1", format="parquet", size=90).made("/t.csv", "1", format="csv", size=70)
    graph = lineage(world, Start(versions=[world.of_run("csv", "generated", "/t.csv")]))
    assert graph.nodes["data:1"]["format"] == "csv"
    told = {edge["path"]: (edge.get("format"), edge.get("size")) for edge in graph.edges}
    assert told == {"/t.csv": (None, None), "/t.parquet": ("parquet", 90)}


def test_what_was_changed_last_before_a_run_began_was_not_made_by_it() -> None:
    world = World().run("a", 5).made("/x", "1", fields={"u": "f"}, mtime=ns(moment(5.2)))
    for run, mtime in (("old", 4), ("new", 6)):
        world.run(run, 8).used(f"/{run}", "1", mtime=ns(moment(mtime)))
        world.run(f"{run} field", 9).used(f"/{run}2", "2", fields={"w": "f"}, mtime=ns(moment(mtime)))
    assert ran(up(world, "old")) == {"old"} and ran(up(world, "old field")) == {"old field"}
    assert ran(up(world, "new")) == {"a", "new"} and ran(up(world, "new field")) == {"a", "new field"}


def test_what_was_written_over_after_it_was_read_is_known_by_its_moment() -> None:
    world = World().run("a", 1).made("/x", "1", mtime=5, size=100).run("b", 2).made("/x", "2", mtime=7, size=100)
    world.run("c", 3).used("/x", state="not hashed", mtime=5, size=100).made("/x", "3", mtime=9, size=100)
    world.run("d", 4).used("/x", state="not hashed", mtime=11, size=80)
    graph = up(world, "c")
    assert ran(graph) == {"a", "c"} and graph.nodes["data:1"]["signature"] == "1"
    assert ("data:3", "data:/x", "changed", "path") in edges(up(world, "d"))


def test_an_output_that_was_not_hashed_is_known_by_its_moment() -> None:
    world = World().run("a", 1).made("/x", "1", fields={"u": "f"}, mtime=5, size=100)
    world.run("b", 2).made("/x", state="not hashed", mtime=7, size=200)
    world.run("c", 3).used("/x", "2", fields={"u": "f"}, mtime=7, size=200)
    assert ran(up(world, "c")) == {"b", "c"}


def test_of_many_who_made_the_same_one_is_followed_and_the_others_counted() -> None:
    world = World()
    for k in range(100):
        world.run(f"r{k:03}", k).made(f"/case{k}/mask", "1")
    world.run("user", 200).used("/case7/mask", "1")
    graph = up(world, "user")
    assert ran(graph) == {"user", "r007"} and graph.nodes["data:1"]["others"] == 99


def test_next_to_nothing_is_the_same_only_at_the_same_path() -> None:
    world = World().run("a", 1).made("/x/done", "1", size=5).run("b", 2).made("/y/done", "1", size=5)
    world.run("c", 3).used("/x/done", "1", size=5).run("d", 4).used("/z/done", "1", size=5)
    assert ran(up(world, "c")) == {"a", "c"}
    assert ran(up(world, "d")) == {"d"}
    assert ran(down(world, "b")) == {"b"}


def test_the_inner_of_two_runs_made_it() -> None:
    world = World().run("outer", 1, lasts=9).made("/x", "1").run("inner", 2, parent="outer").made("/x", "1")
    world.run("c", 20).used("/x", "1")
    assert ran(up(world, "c")) == {"inner", "c"}


def test_a_run_that_began_after_the_user_had_ended_made_nothing_of_his() -> None:
    world = World().run("b", 1).used("/x", "1").used("/y").run("a", 2).made("/x", "1").made("/y", "2")
    assert ran(up(world, "b")) == {"b"} and ran(down(world, "a")) == {"a"}


def test_a_path_with_a_million_directories_costs_little() -> None:
    world = World().run("a", 1).made("/x", "1").run("b", 2).used("/d" * 500_000, "2").made("/y", "3")
    assert ran(up(world, "b")) == {"b"} and ran(down(world, "a")) == {"a"}


def test_below_a_field_is_what_came_of_it_before_others_kept_it() -> None:
    world = World().run("a", 1).made("/x", "1", fields={"u": "f"}).run("b", 2).used("/x", "1", fields={"u": "f"})
    world.run("keep", 3).used("/x", "1", fields={"u": "f"}).made("/x", "2", fields={"u": "f", "v": "g"})
    world.run("c", 4).used("/x", "2", fields={"u": "f", "v": "g"})
    last = Start(versions=[world.of_run("keep", "generated", "/x")], field=("u", "f"))
    assert ran(lineage(world, last, up=False, down=True)) == {"b", "keep", "c"}
    new = Start(versions=[world.of_run("keep", "generated", "/x")], field=("v", "g"))
    assert ran(lineage(world, new, up=False, down=True)) == {"c"}


def test_below_data_are_all_who_used_its_values_below_a_run_those_who_used_its_own() -> None:
    world = World().run("a", 1).used("/raw", "1").made("/copy", "1").run("b", 2).used("/raw", "1").made("/y", "2")
    world.run("c", 3).used("/copy", "1")
    assert ran(down(world, "a")) == {"a", "c"}
    raw, copied = world.of_run("a", "used", "/raw"), world.of_run("a", "generated", "/copy")
    for version in (raw, copied):
        assert ran(lineage(world, Start(versions=[version]), up=False, down=True)) >= {"b", "c"}


def test_depth_counts_runs() -> None:
    world = chain(6)
    assert ran(up(world, "r5", depth=2)) == {"r5", "r4", "r3"}
    assert ran(down(world, "r0", depth=2)) == {"r0", "r1", "r2"}
    assert up(world, "r5", depth=0).nodes.keys() == {"run:r5", "data:s5"}
    assert "--depth" in up(world, "r5", depth=2).notes[0] and not up(world, "r5", depth=9).notes


@pytest.mark.parametrize("most", [1, 2, 3, 10, 57])
def test_a_limit_holds_and_says_that_more_was_met(most: int) -> None:
    world = World().run("many", 1)
    for k in range(300):
        world.made(f"/o{k}", f"s{k}")
    for k in range(300):
        world.run(f"u{k}", 2 + k).used(f"/o{k}", f"s{k}")
    graph = lineage(world, Start(runs=["many"]), up=True, down=True, most=most)
    assert len(graph.nodes) <= most and graph.cut > 0 and "cut at" in graph.notes[-1]
    assert all(edge["from"] in graph.nodes and edge["to"] in graph.nodes for edge in graph.edges)


def test_questions_are_asked_for_a_generation_at_once() -> None:
    world = World().run("end", 1000)
    for k in range(150):
        world.used(f"/m{k}", f"m{k}")
    for k in range(150):
        world.run(f"r{k}", 500 + k).used(f"/i{k}", f"i{k}").made(f"/m{k}", f"m{k}")
    graph = up(world, "end")
    assert len(ran(graph)) == 151 and world.asked < 20


def test_a_whole_its_parts_and_what_was_started_again() -> None:
    world = World().run("w", 0, type="workflow").run("a", 1, part_of=["w"]).made("/x", "1")
    world.run("b", 2, part_of=["w", "gone"], previous="a").used("/x", "1")
    graph = lineage(world, Start(runs=["a", "b"], whole="w"), up=True)
    assert graph.start == ["run:w"]
    assert ("run:a", "run:w", "part of", "record") in edges(graph)
    assert ("run:a", "run:b", "restart of", "record") in edges(graph)
    assert "run:gone" not in graph.nodes


def test_one_field_leads_only_where_it_comes_from() -> None:
    world = World().run("a", 1).made("/t", "1", fields={"t": "T"}).run("b", 2).made("/u", "2", fields={"u": "U"})
    world.run("join", 3).used("/t", "1", fields={"t": "T"}).used("/u", "2", fields={"u": "U"})
    world.made("/both", "3", fields={"temperature": "T", "wind": "U"})
    world.run("c", 4).used("/both", "3", fields={"temperature": "T", "wind": "U"}).made("/c", "4", fields={"x": "T"})
    made = world.of_run("join", "generated", "/both")
    graph = lineage(world, Start(versions=[made], field=("temperature", "T")))
    assert ran(graph) == {"a", "join"}
    assert [graph.nodes[node]["field"] for node in ("data:3", "data:1")] == ["temperature", "t"]
    below = lineage(
        world, Start(versions=[world.of_run("a", "generated", "/t")], field=("t", "T")), up=False, down=True
    )
    assert ran(below) == {"join", "c"}


def test_a_field_is_followed_through_copies_of_its_dataset() -> None:
    both = {"t": "T", "u": "U"}
    world = World().run("a", 1).used("/in", "0").made("/x", "1", fields=both).run("b", 2).used("/x", "1", fields=both)
    world.made("/t", "2", fields={"": "T"})
    graph = lineage(world, Start(versions=[world.of_run("b", "generated", "/t")], field=("", "T")))
    assert ("data:1", "run:b", "used", "signature") in edges(graph) and ran(graph) == {"a", "b"} and not graph.notes


def test_of_a_field_who_made_it_counts_not_who_kept_it() -> None:
    world = World().run("a", 1).used("/in", "0").made("/x", "1", fields={"t": "T"})
    world.run("b", 2).used("/x").made("/x", "2", fields={"t": "T", "u": "U"}).used("/other", "9")
    graph = lineage(world, Start(versions=[world.of_run("b", "generated", "/x")], field=("t", "T")))
    assert ran(graph) == {"a"} and "b kept the field as a had left it" in graph.notes
    assert ran(lineage(world, Start(versions=[world.of_run("b", "generated", "/x")], field=("u", "U")))) == {"a", "b"}


def test_a_field_whose_origin_the_record_does_not_tell() -> None:
    world = World().run("a", 1).used("/in", "0").used("/in2", "01").made("/x", "1", fields={"t": "T"})
    graph = lineage(world, Start(versions=[world.of_run("a", "generated", "/x")], field=("t", "T")))
    assert {"data:0", "data:01"} <= graph.nodes.keys()
    assert graph.notes == ["the record of a does not tell which of its data the field concerns: all is given"]


# Random histories against a reference that looks at everything for each question.

PATHS, VALUES = ("/x", "/y", "/d/z", "/d"), ("1", "2", "3", None)


@st.composite
def histories(draw: st.DrawFn) -> World:
    world = World()
    for k in range(draw(st.integers(1, 9))):
        world.run(f"r{k}", k, lasts=draw(st.sampled_from((0.5, 3.5))))
        for path in draw(st.sets(st.sampled_from(PATHS), max_size=3)):
            _draw_version(draw, world, path, "used")
        for path in draw(st.sets(st.sampled_from(PATHS), max_size=2)):
            _draw_version(draw, world, path, "made")
        for path in draw(st.sets(st.sampled_from(PATHS), max_size=1)):
            world.executed_program(path)
    return world


def _draw_version(draw: st.DrawFn, world: World, path: str, role: str) -> None:
    value = draw(st.sampled_from(VALUES))
    known: dict[str, object] = {"storage": draw(st.sampled_from(("B", "C", None)))} if value is None else {}
    if value is not None and draw(st.booleans()):
        known["fields"] = {name: draw(st.sampled_from("FG")) for name in draw(st.sets(st.sampled_from("uv")))}
    known["size"] = draw(st.sampled_from((None, 9, 900)))
    known["format"] = "directory" if path == "/d" else "file"
    getattr(world, role)(path, value, **known)


def makers_by_hand(world: World, used: Version) -> set[str]:
    """Runs, by the rules as docs/lineage.md has them."""
    made = [g for g in world.versions if g.role == "generated" and g.run != used.run and g.began < used.ended]

    def is_origin(g: Version, value: str) -> bool:
        own = {(one.path, one.digest) for one in world.versions if (one.run, one.role) == (g.run, "generated")}
        had: set[str | None] = set()
        for one in world.versions:
            if (one.run, one.role) == (g.run, "used") and (one.path, one.digest) not in own:
                had |= {one.path} if one.digest is None else {one.signature, one.storage}
                had |= {field.signature for field in world.of[one.number]}
        return g.path == used.path or not had & ({value, used.signature, used.storage, used.path, g.path} - {None})

    def best(candidates: list[Version]) -> set[str]:
        return {max(candidates, key=lambda g: (g.path == used.path, g.began < used.began, g.began, g.run)).run}

    for digest in ("signature", "storage"):
        value = getattr(used, digest)
        uses = [u for u in world.versions if u.role == "used" and u.path == used.path and getattr(u, digest) == value]
        first = min((u.began for u in uses), default="")
        same = [
            g
            for g in made
            if value is not None
            and getattr(g, digest) == value
            and (g.path == used.path or (used.is_telling and g.began < first))
            and is_origin(g, value)
        ]
        if same:
            return best(same)
    by_field: set[str] = set()
    for field in telling(world.of.get(used.number, [])):
        holds = [one for one in world.versions if field.signature in {its.signature for its in world.of[one.number]}]
        first = min(one.began for one in holds if one.role == "used")
        makers = [one for one in holds if one in made]
        if all(g.began > first for g in makers):
            makers = [g for g in makers if g.path == used.path]
        holding = [g for g in makers if is_origin(g, field.signature)]
        by_field |= best(holding) if holding else set()
    if by_field:
        return by_field
    if there := [g for g in made if g.path == used.path]:
        return best(there)
    if around := [g for g in made if used.path.startswith(f"{g.path}/")]:
        return best(around)
    inside = {g.path for g in made if g.path.startswith(f"{used.path}/")} if used.format == "directory" else set()
    return {max((g for g in made if g.path == path), key=lambda g: g.began).run for path in inside}


@settings(max_examples=60, deadline=None)
@given(histories())
def test_every_ancestor_is_found_and_nothing_else(world: World) -> None:
    for run in world.known:
        wanted, waiting = set(), {run}
        while waiting:
            wanted |= waiting
            used = [u for u in world.versions if u.role == "used" and u.run in waiting] + world.programs(waiting)
            waiting = {maker for u in used for maker in makers_by_hand(world, u)} - wanted
        assert ran(up(world, run)) == wanted


@settings(max_examples=60, deadline=None)
@given(histories())
def test_downwards_are_the_same_links(world: World) -> None:
    """Who is found below a run is who has it above: its versions, and not only equal ones, are what they used."""
    used = [version for version in world.versions if version.role == "used"]
    links = find_makers(world, used + world.programs(world.known))
    for run in world.known:
        fit = {link.used.run for link in links if link.maker.run == run}
        assert ran(down(world, run, depth=1)) == fit | {run}
