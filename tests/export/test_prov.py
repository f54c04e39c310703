"""W3C PROV: read back by the reference implementation, the same in all three notations, and asked by SPARQL."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import rdflib
from merge.build import Launch
from prov.model import ProvDocument
from report.hostile import hostile

from hpcprov.export import prov_json, prov_n, prov_o
from hpcprov.export.prov_document import document
from hpcprov.export.wording import local, seconds, told
from hpcprov.record.moment import ns

from .made import chain, data, new_store, publish, runs_of, workflow

DOCS = Path(__file__).parents[2] / "docs" / "export.md"


def query() -> str:
    """The SPARQL of the documentation."""
    found = re.search(r"```sparql\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)
    assert found is not None
    return found[1]


def test_both_texts_are_the_same_document(tmp_path: Path) -> None:
    runs = runs_of(workflow(tmp_path), "flow", "prepare", "solve", "plot", "broken")
    from_json = ProvDocument.deserialize(content=prov_json.render(runs), format="json")
    from_text = ProvDocument.deserialize(content=prov_n.render(runs), format="provn")
    assert from_json == from_text == document(runs)
    assert {str(bundle.identifier) for bundle in from_json.bundles} == {f"record:{run.id}" for run in runs}


# What the library itself does with rdflib.
@pytest.mark.filterwarnings("ignore:Dataset.default_context is deprecated")
def test_the_turtle_says_what_the_texts_say(tmp_path: Path) -> None:
    runs = runs_of(chain(tmp_path), "prepare", "solve")
    back = ProvDocument.deserialize(content=prov_o.render(runs), format="rdf", rdf_format="turtle")
    flat = document(runs).flattened().unified()
    for kind in ("Entity", "Activity", "Agent"):
        assert names(back, kind) == names(flat, kind) != set()


def names(whole: ProvDocument, kind: str) -> set[str]:
    return {str(one.identifier) for one in whole.records if type(one).__name__ == f"Prov{kind}"}


@pytest.mark.parametrize("order", [("plot", "solve", "prepare"), ("prepare", "plot", "solve")])
def test_sparql_finds_the_raw_input_of_a_final_output_through_two_runs(tmp_path: Path, order: tuple[str, ...]) -> None:
    graph = rdflib.Graph().parse(data=prov_o.render(runs_of(chain(tmp_path), *order)), format="turtle")
    assert {str(row[0]) for row in graph.query(query())} == {"/data/raw.nc", "/data/notes"}


def test_files_that_were_exported_apart_still_meet(tmp_path: Path) -> None:
    store, graph = chain(tmp_path), rdflib.Graph()
    for name in ("prepare", "solve", "plot"):
        graph.parse(data=prov_o.render(runs_of(store, name)), format="turtle")
    assert "/data/raw.nc" in {str(row[0]) for row in graph.query(query())}


def test_a_run_is_told_in_full(tmp_path: Path) -> None:
    text = prov_n.render(runs_of(chain(tmp_path), "solve"))
    began, ended = "2026-11-18T11:07:00+00:00", "2026-11-18T11:07:11+00:00"
    assert f"activity(run:solve, {began}, {ended}, [prov:type='hpcprov:command', prov:label=\"solve\"" in text
    assert "wasAssociatedWith(run:solve.user; run:solve, agent:sha256-" in text and ", run:solve.plan)" in text
    assert "used(run:solve.used.0; run:solve, data:hpcprov1-" in text
    assert "wasGeneratedBy(run:solve.generated.0; data:hpcprov1-" in text
    assert "hadMember(data:hpcprov1-" in text and 'hpcprov:shape="4 x 5"' in text
    assert "used(run:solve.sha256-aaaa" in text  # its image


def test_parts_and_restarts_inform(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    inner_run = Launch().start(parent={"run": "outer", "rank": 2}).exit(at=5)
    publish(store, "inner", inner_run)
    text = prov_n.render(runs_of(store, "inner"))
    assert "wasStartedBy(run:inner, -, run:outer, " in text


def test_steps_of_python_programs_are_activities(tmp_path: Path) -> None:
    (run,) = runs_of(chain(tmp_path), "prepare")
    step = {"name": "clean", "function": "m:clean", "code": "e" * 64, "count": 1, "status": "completed", "error": None}
    step |= {"id": 1, "parent": None, "began": run.record["run"]["start"], "ended": None}
    run.record["steps"] = [
        step | {"used": ["/data/raw.nc", "gone"], "generated": ["/data/clean.nc"]},
        step | {"id": 2, "parent": 1, "name": "inner", "used": ["/data/clean.nc"], "generated": []},
    ]
    text = prov_n.render([run])
    assert "wasStartedBy(run:prepare.step.1, -, run:prepare, " in text
    assert "wasStartedBy(run:prepare.step.2, -, run:prepare.step.1, " in text
    assert "used(run:prepare.step.1, data:hpcprov1-" in text and 'hpcprov:function="m:clean"' in text
    assert re.search(r"wasGeneratedBy\(data:\S+, run:prepare.step.1, -\)", text)
    # What one step made and the next one used is no input of the run.
    assert "used(run:prepare.step.2, data:hpcprov1-" in text


def test_a_run_generates_a_version_once_and_while_it_goes_on(tmp_path: Path) -> None:
    """PROV-CONSTRAINTS: the generations of one entity by one activity are one, and lie within the activity."""
    (run,) = runs_of(chain(tmp_path), "prepare")
    (made,) = run.record["artifacts"]["generated"]
    run.record["artifacts"]["generated"].append(made | {"path": "/data/same.nc"})
    began, ended = (ns(run.record["run"][moment]) for moment in ("start", "end"))
    times = {began - 10**6: "-", began + 10**9: "2026-11-18T11:06:41+00:00", ended + 10**6: "-"}
    for mtime, expected in times.items():
        made["mtime"] = mtime
        (line,) = re.findall(r"wasGeneratedBy\(.*\)", prov_n.render([run]))
        assert line.endswith(f", run:prepare, {expected})")


def test_equal_values_made_again_are_versions_of_their_own(tmp_path: Path) -> None:
    """A copy has the values of what it was copied from: who made it is not who made that."""
    store = new_store(tmp_path)
    copied = data("generated", "/data/b", "x", 6), data("used", "/data/a", "x", 6)
    publish(store, "copy", Launch().start().exit(at=5), *copied)
    publish(store, "use", Launch(launch="2-2").start(at=20).exit(at=21), data("used", "/data/b", "x", 22))
    whole = document(runs_of(store, "copy", "use"))
    text = whole.get_provn()
    version = re.search(r"used\(run:copy\.used\.0; run:copy, (\S+),", text)
    assert version is not None
    assert f"wasGeneratedBy(run:copy.generated.0; {version[1]}.copy, run:copy" in text
    assert f"used(run:use.used.0; run:use, {version[1]}.copy," in text
    assert f"alternateOf({version[1]}.copy, {version[1]})" in text


def test_equal_values_of_one_run_are_one_version(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    made = [data("generated", f"/data/{name}", "x", 6) for name in "abc"]
    publish(store, "one", Launch().start().exit(at=5), data("used", "/data/raw", "x", 6), *made)
    text = document(runs_of(store, "one")).get_provn()
    assert len(set(re.findall(r"wasGeneratedBy\(\S+ (\S+),", text))) == 1 == text.count("alternateOf(")
    assert all(f'prov:atLocation="/data/{name}"' in text for name in "abc")


def test_what_was_not_hashed_is_what_was_left_at_its_path(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    publish(store, "make", Launch().start().exit(at=5), data("generated", "/data/big", "x", 6))
    publish(store, "use", Launch(launch="2-2").start(at=20).exit(at=21), data("used", "/data/big", None, 22))
    text = prov_n.render(runs_of(store, "use", "make"))
    (made,) = re.findall(r"wasGeneratedBy\(run:make.generated.0; (\S+),", text)
    assert f"used(run:use.used.0; run:use, {made}," in text


def test_names_are_valid_whatever_a_record_holds(tmp_path: Path) -> None:
    runs = runs_of(workflow(tmp_path), "flow", "prepare", "solve", "plot")
    for run in runs:
        run.record = hostile(run.record, keep=("kind",))
    names = re.findall(r"(?:run|data|agent|record|hpcprov):([^\s,;()='\"<>\]]+)", plain(prov_n.render(runs)))
    assert len(names) > 50 and all(re.fullmatch(r"[A-Za-z0-9._~-]+", name) for name in names)
    again = ProvDocument.deserialize(content=prov_n.render(runs), format="provn")
    assert again == ProvDocument.deserialize(content=prov_json.render(runs), format="json")
    assert len(rdflib.Graph().parse(data=prov_o.render(runs), format="turtle")) > 50


def plain(text: str) -> str:
    """PROV-N without its prefixes and strings."""
    text = re.sub(r"(?m)^\s*prefix .*$", "", text)
    return re.sub(r'"(?:[^"\\]|\\.)*"', "", text)


@pytest.mark.parametrize("text", ["a b", "../x", "ü", "a" * 200, "", "a.", ".a", "\udcff", "\ud800", "a:b", "-x"])
def test_what_is_no_plain_word_is_named_by_its_digest(text: str) -> None:
    assert re.fullmatch(r"sha256-[0-9a-f]{64}", local(text)) and local("a.b-c_1") == "a.b-c_1"


def test_texts_and_moments_of_records() -> None:
    assert told("a\udcff\n\x1b[0m") == "a\\xff\\n\\x1b[0m" and told("x" * 20_000).endswith(
        "... (10000 characters more)"
    )
    assert seconds("2026-11-21T09:30:00.123456789Z") == "2026-11-21T09:30:00.123456Z"
    assert seconds(None) is None and seconds("yesterday") is None and seconds("0000-01-01T00:00:00Z") is None
