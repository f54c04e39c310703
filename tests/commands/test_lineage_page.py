"""A lineage as a tree: what goes to the right, what is shown once, and that it fits the screen."""

from __future__ import annotations

import pytest
from catalog.memory import World

from hpcprov.catalog.lineage import Start, lineage
from hpcprov.commands.lineage_page import render
from hpcprov.commands.screen import Screen

PLAIN = Screen(colour=False, width=80)


def lines(world: World, run: str, role: str, path: str, *, up: bool = True) -> list[str]:
    start = Start(versions=[world.of_run(run, role, path)])
    return render(lineage(world, start, up=up, down=not up), PLAIN, "/d", up=up, down=not up)


def test_a_chain_stays_at_the_left_however_long_it_is() -> None:
    world = World()
    for k in range(300):
        world.run(f"r{k}", k).used(f"/d/{k}", f"S:{k}").made(f"/d/{k + 1}", f"S:{k + 1}")
    found = lines(world, "r299", "generated", "/d/300")
    assert len(found) == 300 * 3 + 2 and max(map(len, found)) <= 80
    assert found[0].startswith("300  ") and found[1].startswith("│ made by r299") and found[-2].startswith("0  ")
    assert found[-1] == "  no run is known to have made it"


def test_ways_that_part_go_to_the_right_and_those_that_end_come_first() -> None:
    world = World().run("a", 1).made("/d/x", "1").run("b", 2).used("/d/x", "1").used("/d/raw", "9").made("/d/y", "2")
    found = lines(world, "b", "generated", "/d/y")
    begins = (
        "y",
        "│ made by b",
        "│   (unknown)",
        "├─ raw",
        "│    no run is",
        "└─ x",
        "     made by a",
        "       (unknown)",
    )
    assert len(found) == len(begins)
    assert all(line.startswith(begin) for line, begin in zip(found, begins, strict=True))


def test_what_was_shown_is_named_and_not_followed_again() -> None:
    world = World().run("a", 1).made("/d/x", "1").made("/d/z", "3").run("b", 2).used("/d/x", "1").used("/d/z", "3")
    world.made("/d/y", "2")
    found = lines(world, "b", "generated", "/d/y")
    assert sum("made by a" in line for line in found) == 2 and sum("(above)" in line for line in found) == 1


def test_equal_values_elsewhere_say_where() -> None:
    world = (
        World().run("copy", 1).used("/raw", "1").made("/d/mine", "1").run("b", 2).used("/d/mine", "1").made("/d/y", "2")
    )
    found = lines(world, "b", "generated", "/d/y")
    assert found[-3].startswith("/raw  ") and "made by copy" in found[4]
    assert found[-2:] == ["  the same values as mine", "  no run is known to have made it"]
    start = Start(versions=[world.of_run("b", "used", "/d/mine")])
    below = render(lineage(world, start, up=False, down=True), PLAIN, "/d", up=False, down=True)
    assert "as /raw" in "\n".join(below)


@pytest.mark.parametrize(
    ("relation", "told"),
    [
        ({"signature": "edited"}, "before it was changed outside of any recorded run:"),
        ({"signature": "2", "fields": {"u": "F"}}, "the same values, in field u of"),
        ({"state": "not hashed"}, "by path and time"),
        ({"storage": "B"}, "by equal bytes"),
    ],
)
def test_how_runs_were_joined_is_said_when_it_was_not_by_a_signature(relation: dict[str, object], told: str) -> None:
    world = World().run("a", 1).made("/d/x", "1", storage="B", fields={"u": "F"}).run("b", 2)
    world.used("/d/x", **relation).made("/d/y", "9")  # type: ignore[arg-type]
    assert told in "\n".join(lines(world, "b", "generated", "/d/y"))


def test_of_many_inputs_those_with_an_origin_are_shown_and_the_others_counted() -> None:
    world = World()
    for k in range(3):
        world.run(f"r{k}", k).made(f"/d/m{k}", f"m{k}")
    world.run("end", 10).made("/d/end", "end")
    for k in range(100):
        world.used(f"/d/in{k:03}", f"i{k}")
    for k in range(3):
        world.used(f"/d/m{k}", f"m{k}")
    found = lines(world, "end", "generated", "/d/end")
    assert sum("made by r" in line for line in found) == 3
    assert found[-1] == "└─ ... and 91 more (--format json has all)"


def test_untrusted_names_and_long_ones_fit_the_screen() -> None:
    world = (
        World().run("a" * 200, 1, name="n\n" * 100, argv=["x" * 500]).made("/d/" + "p\x1b" * 200, "1", format="f" * 90)
    )
    found = lines(world, "a" * 200, "generated", "/d/" + "p\x1b" * 200)
    assert not set("\n\x1b") & set("".join(found)) and len(found[0]) < 160


def test_what_a_run_belongs_to_and_repeats_is_told_beside_it() -> None:
    world = World().run("w", 1, type="workflow", lasts=9).run("a", 2, part_of=["w"]).made("/d/x", "1")
    world.run("b", 3, rerun_of="a", type="command").made("/e/x", "1")
    for run, told in (("a", "  part of workflow w w"), ("b", "  rerun of a a")):
        graph = lineage(world, Start(runs=[run]), up=True, down=True)
        assert render(graph, PLAIN, "/d", up=True, down=True)[2] == told
