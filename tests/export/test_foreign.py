"""RO-Crates of other tools: written with the community's library alone, and read for what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from record_check import read_record
from rocrate.model.contextentity import ContextEntity
from rocrate.model.person import Person
from rocrate.rocrate import ROCrate

from hpcprov.catalog import open_catalog
from hpcprov.cli import main
from hpcprov.export.foreign import _moment, foreign
from hpcprov.export.package import BadPackage, open_package
from hpcprov.record import model
from hpcprov.record.canonical import canonical
from hpcprov.record.layout import Store


def crate(place: Path) -> Path:
    """A Provenance Run Crate as a CWL runner makes it: a workflow of two steps, and one run of each."""
    for name in ("words.txt", "reversed.txt", "sorted.txt"):
        (place / name).write_text(f"{name}\n")
    (place / "packed.cwl").write_text("cwlVersion: v1.2\n")
    made = ROCrate(version="1.1")
    workflow = made.add_workflow(place / "packed.cwl", "packed.cwl", main=True, lang="cwl")
    files = {
        name: made.add_file(place / f"{name}.txt", properties={"contentSize": "9"})
        for name in ("words", "reversed", "sorted")
    }
    ada = made.add(Person(made, "https://orcid.org/0000-0000-0000-0001", properties={"name": "Ada"}))
    tools = [
        made.add(ContextEntity(made, f"packed.cwl#{name}", {"@type": "SoftwareApplication", "name": name}))
        for name in ("rev", "sort")
    ]

    def act(name: str, tool: Any, used: Any, result: Any, **more: Any) -> None:
        facts = {
            "@type": "CreateAction",
            "name": name,
            "instrument": tool,
            "object": used,
            "result": result,
            "agent": ada,
        }
        made.add(ContextEntity(made, f"#{name}", facts | more))

    value = made.add(
        ContextEntity(made, "#words", {"@type": "PropertyValue", "name": "words", "value": [files["words"]]})
    )
    act(
        "whole",
        workflow,
        [value],
        files["sorted"],
        startTime="2018-10-25T15:46:35.211153",
        endTime="2018-10-25T15:46:43",
    )
    act(
        "rev",
        tools[0],
        files["words"],
        files["reversed"],
        startTime="2018-10-25T15:46:36+02:00",
        endTime="2018-10-25T15:46:37+02:00",
    )
    failed = {"@id": "http://schema.org/FailedActionStatus"}
    act(
        "sort",
        tools[1],
        [files["reversed"]],
        [files["sorted"]],
        startTime="2018-10-25T15:46:38Z",
        actionStatus=failed,
        error="boom",
    )
    made.write_zip(place / "crate.zip")
    return place / "crate.zip"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("HPCPROV_DIR", raising=False)
    return Store(str(tmp_path / "here/.hpcprov"))


def test_actions_become_records_that_say_what_the_crate_says(
    tmp_path: Path, here: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    place = crate(tmp_path)
    assert main(["import", str(place), "--json"]) == 0
    records = {one["name"]: read_record(one["directory"]) for one in json.loads(capsys.readouterr().out)}
    rev, sort, whole = (records[name] for name in ("rev", "sort", "whole"))
    assert (rev["run"]["status"], rev["run"]["cause"], rev["run"]["duration_s"]) == ("completed", None, 1.0)
    assert rev["run"]["start"] == "2018-10-25T13:46:36.000000000Z" and rev["run"]["user"]["name"] == "Ada"
    assert rev["run"]["argv"] is None and rev["ranks"]["count"] == 0 and rev["environment"]["common"] == {}
    assert (sort["run"]["status"], sort["run"]["cause"], sort["run"]["end"]) == ("failed", {"text": "boom"}, None)
    assert rev["run"]["tags"] == {"crate.action": "#rev", "crate.instrument": "rev"}
    (made,), (used,) = rev["artifacts"]["generated"], sort["artifacts"]["used"]
    assert made["path"] == used["path"] and made["path"].endswith("/reversed.txt") and made["path"].startswith("crate:")
    assert (made["state"], made["signature"], made["size"]) == ("not hashed", None, 9)
    assert whole["run"]["kind"] == "workflow" and [one["name"] for one in whole["parts"]] == ["rev", "sort"]
    assert rev["run"]["part_of"]["workflow"] == whole["run"]["id"] == sort["run"]["part_of"]["workflow"]
    assert [one["path"].rpartition("/")[2] for one in whole["artifacts"]["used"]] == ["words.txt"]
    assert "another tool made" in rev["problems"][0]["text"]
    for words in (["runs"], ["show", rev["run"]["id"]], ["show", whole["run"]["id"]], ["log", whole["run"]["id"]]):
        assert main(words) in (0, 1) and "internal error" not in capsys.readouterr().err
    assert main(["import", str(place)]) == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [["is", "here"]] * 3


def test_lineage_joins_runs_of_one_crate_by_the_names_of_its_data(tmp_path: Path, here: Store) -> None:
    assert main(["import", str(crate(tmp_path))]) == 0
    with open_catalog([here.root]) as catalog:
        (sort,) = [run for run in catalog.runs() if run.name == "sort"]
        names = {node["name"] for node in catalog.lineage(sort.id).nodes.values() if node["kind"] == "run"}
    assert {"sort", "rev"} <= names


def test_one_crate_in_a_directory_of_a_zip_file_is_found(tmp_path: Path, here: Store) -> None:
    import zipfile

    with zipfile.ZipFile(crate(tmp_path)) as archive, zipfile.ZipFile(tmp_path / "inner.zip", "w") as other:
        for name in archive.namelist():
            other.writestr(f"crate/{name}", archive.read(name))
    assert main(["import", str(tmp_path / "inner.zip")]) == 0


ODD: tuple[Any, ...] = (
    [],
    {"@graph": 1},
    {"@graph": [1, None, {"@id": 1}, {}]},
    {"@graph": [{"@id": "#a", "@type": "Dataset"}]},
)


@pytest.mark.parametrize("document", ODD)
def test_what_tells_of_no_run_is_refused(
    document: Any, tmp_path: Path, here: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c/ro-crate-metadata.json").write_text(json.dumps(document))
    assert main(["import", str(tmp_path / "c")]) == 2
    err = capsys.readouterr().err
    assert ("has no CreateAction" in err or "has no @graph" in err) and "internal error" not in err


VALUES: tuple[Any, ...] = (
    *(None, 1, True, "", "x", [], {}, [[]], [None, {"@id": 7}], {"@id": "../../etc/passwd"}, {"@id": "file:///%FF%00"}),
    *(
        "\ud800",
        "\x1b[31m" * 9,
        "9999-99-99",
        "0001-01-01",
        "x" * 100_000,
        10**400,
        {"@id": ["x"]},
        [{"@id": "#a"}] * 3,
    ),
)


@pytest.mark.parametrize(
    "member", ["@type", "name", "agent", "instrument", "object", "startTime", "endTime", "actionStatus", "error"]
)
def test_whatever_stands_in_a_member_a_record_is_one(member: str, tmp_path: Path) -> None:
    for value in VALUES:
        action = {"@id": "#a", "@type": "CreateAction", "object": {"@id": "in.txt"}}
        entities = [{"@id": "in.txt", "@type": "File", "contentSize": value}, action | {member: value}]
        (tmp_path / "ro-crate-metadata.json").write_text(json.dumps({"@graph": entities}))
        with open_package(str(tmp_path)) as package:
            for record in foreign(package):
                assert model.parse(canonical(record), name="x") == record


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "\x00", '{"@graph": [' + "1," * 9])
def test_metadata_that_is_no_json_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "ro-crate-metadata.json").write_text(text)
    with open_package(str(tmp_path)) as package, pytest.raises(BadPackage, match="is not JSON"):
        list(foreign(package))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2018-10-25", "2018-10-25T00:00:00.000000000Z"),
        ("2018-10-25T15:46Z", "2018-10-25T15:46:00.000000000Z"),
        ("2018-10-25T15:46:36.5-01:30", "2018-10-25T17:16:36.500000000Z"),
        ("1900-01-01", None),
        ("tomorrow", None),
        (7, None),
    ],
)
def test_moments_of_other_tools(text: Any, moment: str | None) -> None:
    assert _moment(text) == moment


def test_what_many_actions_refer_to_together_is_bounded(tmp_path: Path) -> None:
    """A crate of a few megabytes must not take hours, or fill a disk."""
    long = [{"@id": f"{k}{'x' * 5000}"} for k in range(200)]
    entities: list[Any] = [
        {"@id": "#v", "@type": ["PropertyValue", *["x"] * 100_000], "value": [*long, *[7] * 100_000]}
    ]
    entities += [{"@id": f"#{k}", "@type": "CreateAction", "object": [{"@id": "#v"}] * 9} for k in range(1000)]
    (tmp_path / "ro-crate-metadata.json").write_text(json.dumps({"@graph": entities}))
    with open_package(str(tmp_path)) as package, pytest.raises(BadPackage, match="more data than any tool would write"):
        list(foreign(package))


def test_of_very_many_people_and_tools_a_few_are_named(tmp_path: Path) -> None:
    people = [{"@id": f"#p{k}", "name": "y" * 9000} for k in range(100)]
    everybody = [{"@id": one["@id"]} for one in people] * 100
    action = {"@id": "#a", "@type": "CreateAction", "agent": everybody, "instrument": everybody}
    (tmp_path / "ro-crate-metadata.json").write_text(json.dumps({"@graph": [*people, action]}))
    with open_package(str(tmp_path)) as package:
        (record,) = foreign(package)
    assert len(record["run"]["user"]["name"]) == len(record["run"]["tags"]["crate.instrument"]) == 10_000
