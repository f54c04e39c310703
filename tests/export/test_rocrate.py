"""RO-Crates: accepted by the community's validator, and holding what they say."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from merge.build import Launch
from report.hostile import hostile

from hpcprov.commands.copying import as_recorded, snakefiles
from hpcprov.export.crate import uri
from hpcprov.export.crate_actions import _parts
from hpcprov.export.formats import Copied
from hpcprov.export.place import write
from hpcprov.export.rocrate import render
from hpcprov.record.errors import HpcprovError

from .crate_check import violations
from .made import chain, data, going_on, new_store, publish, runs_of, workflow


def entities(content: Any) -> dict[str, dict[str, Any]]:
    return {one["@id"]: one for one in json.loads(content["ro-crate-metadata.json"])["@graph"]}


def references(value: Any) -> list[str]:
    return [one["@id"] for one in (value if isinstance(value, list) else [value])]


def test_a_run_keeps_process_run_crate(tmp_path: Path) -> None:
    runs = runs_of(chain(tmp_path), "solve", "plot", "broken")
    step = {"id": 1, "parent": None, "name": "smooth", "function": "solve:smooth", "code": "e" * 64, "count": 2}
    step |= {"status": "failed", "error": "ValueError", "began": runs[0].record["run"]["start"], "ended": None}
    step |= {"parameters": {"width": 3, "": "<b>"}, "used": ["/data/clean.nc"], "generated": ["/data/out.zarr"]}
    runs[0].record["steps"] = [step, step | {"id": 2, "parent": 1, "function": None, "generated": []}]
    write(render(runs), str(tmp_path / "crate"), force=False)
    assert violations(tmp_path / "crate", "process-run-crate") == []


def test_a_workflow_keeps_provenance_run_crate(tmp_path: Path) -> None:
    snakefile = tmp_path / "Snakefile"
    snakefile.write_text("rule all: ...\n")
    store = workflow(tmp_path, str(snakefile), sha256(snakefile.read_bytes()).hexdigest())
    runs = runs_of(store, "flow", "prepare", "solve", "plot")
    write(
        render(runs, copy=snakefiles(runs), license="https://spdx.org/licenses/CC0-1.0"),
        str(tmp_path / "crate.zip"),
        force=False,
    )
    assert violations(tmp_path / "crate.zip", "provenance-run-crate") == []


def test_a_snakefile_that_is_not_what_it_was_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    snakefile = tmp_path / "Snakefile"
    runs = runs_of(workflow(tmp_path, str(snakefile), sha256(b"rule all: ...").hexdigest()), "flow")
    assert snakefiles(runs) == {} and f"not in the crate: {snakefile}" in capsys.readouterr().err
    snakefile.write_bytes(b"rule all: ...")
    assert len(snakefiles(runs)) == 1 and capsys.readouterr().err == ""


@pytest.mark.slow
def test_hostile_texts_leave_a_crate_valid(tmp_path: Path) -> None:
    runs = runs_of(workflow(tmp_path), "flow", "prepare", "solve", "plot")
    for run in runs:
        run.record = hostile(run.record, keep=("id", "run", "kind"))
    write(render(runs), str(tmp_path / "crate"), force=False)
    assert violations(tmp_path / "crate", "process-run-crate") == []


def test_the_validator_would_find_what_is_missing(tmp_path: Path) -> None:
    content = dict(render(runs_of(chain(tmp_path), "plot")))
    content["ro-crate-metadata.json"] = content["ro-crate-metadata.json"].replace('"instrument"', '"object"')
    write(content, str(tmp_path / "crate"), force=False)
    assert any("instrument" in one for one in violations(tmp_path / "crate", "process-run-crate"))


def test_what_is_said_of_a_run(tmp_path: Path) -> None:
    found = entities(render(runs_of(chain(tmp_path), "solve", "prepare")))
    action = found["#run-solve"]
    assert action["@type"] == "CreateAction" and action["actionStatus"].endswith("/CompletedActionStatus")
    assert action["startTime"] == "2026-11-18T11:07:00.000+00:00"
    assert references(action["object"]) == ["file:///data/clean.nc"] == references(found["#run-prepare"]["result"])
    (made,) = references(action["result"])
    assert made == "file:///data/out.zarr/" and found[made]["@type"] == "Dataset"
    assert [one.partition(":")[0] for one in found[made]["identifier"]] == ["hpcprov1", "blake3"]
    assert found[references(found[made]["variableMeasured"])[0]]["value"] == "f8 4 x 5"
    image = found[references(action["containerImage"])[0]]
    assert (image["registry"], image["name"], image["tag"], image["sha256"]) == (
        "ghcr.io",
        "ocean/model",
        "2.1",
        "a" * 64,
    )
    variables = [found[one] for one in references(found["#run-prepare"]["environment"])]
    assert {one["name"]: one["value"] for one in variables} == {"LANG": "C", "OMP_NUM_THREADS": "4"}
    tool = found[references(found["#run-prepare"]["instrument"])[0]]
    assert (tool["name"], tool["softwareVersion"], tool["url"]) == (
        "solve.py",
        "c" * 40,
        "https://git.example/ocean.git",
    )
    used = {found[one]["name"]: found[one]["value"] for one in references(action["resourceUsage"])}
    assert used["ranks"] == "2" and used["largestResidentSize"] == str(2048 * 1024)
    assert set(references(found["./"]["mentions"])) == {"#run-solve", "#run-prepare"}


def test_the_digest_of_a_record_is_that_of_the_file_in_the_crate(tmp_path: Path) -> None:
    write(render(runs_of(chain(tmp_path), "solve")), str(tmp_path / "crate"), force=False)
    name = "records/solve/record.json"
    found = entities({"ro-crate-metadata.json": (tmp_path / "crate/ro-crate-metadata.json").read_text()})[name]
    assert found["identifier"] == f"sha256:{sha256((tmp_path / 'crate' / name).read_bytes()).hexdigest()}"


def test_what_was_written_over_is_told_as_who_made_it_knows_it(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    publish(store, "first", Launch().start(name="first").exit(at=5), data("generated", "/data/x.nc", "one", 6))
    second = Launch(launch="7-7").start(at=10, name="second").exit(at=15)
    publish(store, "second", second, data("used", "/data/x.nc", None, 16), data("generated", "/data/x.nc", "two", 16))
    found = entities(render(runs_of(store, "second", "first")))
    (used,) = references(found["#run-second"]["object"])
    assert references(found["#run-first"]["result"]) == [used] != references(found["#run-second"]["result"])
    assert [one.partition(":")[0] for one in found[used]["identifier"]] == ["hpcprov1", "blake3"]


def test_a_failure_is_told_with_its_cause_and_has_no_result(tmp_path: Path) -> None:
    action = entities(render(runs_of(chain(tmp_path), "broken")))["#run-broken"]
    assert action["@type"] == "ActivateAction" and action["actionStatus"].endswith("/FailedActionStatus")
    assert "3" in action["error"] and "result" not in action


def test_plan_and_what_happened_of_a_workflow(tmp_path: Path) -> None:
    found = entities(render(runs_of(workflow(tmp_path), "flow", "prepare", "solve", "plot")))
    main = found[references(found["./"]["mainEntity"])[0]]
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"} == set(main["@type"])
    assert references(main["step"]) == ["#step-prepare", "#step-solve", "#step-plot"]
    assert [found[one]["position"] for one in references(main["step"])] == ["0", "1", "2"]
    whole = found["#run-flow"]
    assert references(whole["object"]) == ["file:///data/raw.nc", "file:///data/notes"]
    assert references(whole["result"]) == ["file:///data/figure.png"]
    organized = found["#organize-flow"]
    assert references(organized["result"]) == ["#run-flow"] and len(references(organized["object"])) == 3
    control = found["#job-flow-2"]
    assert references(control["instrument"]) == ["#step-solve"] and references(control["object"]) == ["#run-solve"]
    assert references(found["#run-solve"]["instrument"]) == ["#rule-solve"]
    (parameter,) = references(found["#rule-solve"]["output"])
    assert references(found[parameter]["workExample"]) == ["file:///data/out.zarr/"]
    assert found[parameter]["additionalType"] == "Dataset"
    assert parameter in references(found["file:///data/out.zarr/"]["exampleOfWork"])


def test_versions_of_one_path_are_told_apart(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    state = [data("generated", "/data/state", f"version {k}", 1) for k in range(2)]
    publish(store, "one", Launch().start().exit(at=1), state[0])
    publish(
        store,
        "two",
        Launch(launch="2-2").start(at=9).exit(at=10),
        data("used", "/data/state", "version 0", 11),
        state[1],
    )
    found = entities(render(runs_of(store, "one", "two")))
    first = references(found["#run-one"]["result"])
    assert first == ["file:///data/state"] == references(found["#run-two"]["object"])
    (second,) = references(found["#run-two"]["result"])
    assert second.startswith("file:///data/state#hpcprov1-") and found[second]["alternateName"] == "/data/state"


def test_data_is_included_only_while_it_is_what_was_recorded(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    good, changed, large = tmp_path / "a name.csv", tmp_path / "changed.csv", tmp_path / "large"
    for file in (good, changed, large):
        file.write_text(f"{file.name}\n" * (9 if file != large else 200))
    store, facts = new_store(tmp_path), []
    for file in (good, changed, large):
        storage = {"digest": f"blake3:{blake3(file.read_bytes()).hexdigest()}", "how": "full"}
        facts.append(data("generated", str(file), "x", 6, storage=storage, signature=None, size=file.stat().st_size))
    publish(store, "one", Launch().start().exit(at=5), *facts)
    changed.write_text("something else")
    (run,) = runs_of(store, "one")
    content = render([run], copy=as_recorded([run], most=1000))
    assert [name for name in content if name.startswith("data/")] == [f"data/{name_of(good)}"]
    told = capfd.readouterr().err
    assert "changed.csv (it has changed)" in told and "large (1.2 kB: more than is left of --most)" in told
    write(content, str(tmp_path / "crate"), force=False)
    assert (tmp_path / "crate/data" / name_of(good)).read_text() == good.read_text()
    assert violations(tmp_path / "crate", "process-run-crate") == []


def test_a_store_whose_values_are_as_recorded_is_included_and_said_to_be_rewritten(tmp_path: Path) -> None:
    import numpy
    import zarr

    from hpcprov.signature.artifact import describe

    place = tmp_path / "out.zarr"
    zarr.save_array(str(place), numpy.arange(20.0).reshape(4, 5))
    known = describe(str(place))
    (place / ".snakemake_timestamp").touch()
    told = {name: known[name] for name in ("storage", "signature", "size", "files", "format")}
    store = new_store(tmp_path)
    publish(store, "one", Launch().start().exit(at=5), data("generated", str(place), "x", 6, **told))
    (run,) = runs_of(store, "one")
    content = render([run], copy=as_recorded([run], most=10**6))
    assert "data/out.zarr/zarr.json" in content
    entity = entities(content)["data/out.zarr/"]
    assert entity["identifier"] == known["signature"]["digest"] and "written anew" in entity["description"]


def name_of(file: Path) -> str:
    return "sha256-" + sha256(file.name.encode()).hexdigest()


def test_a_file_that_changes_while_it_is_copied_stops_the_export(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("1234")
    copied = Copied(str(file), 4, file.stat().st_mtime_ns)
    file.write_text("123456")
    with pytest.raises(HpcprovError, match="changed while it was copied"):
        write({"data/x": copied}, str(tmp_path / "crate"), force=False)
    assert not (tmp_path / "crate").exists() and len(list(tmp_path.iterdir())) == 1


def test_a_run_in_progress_has_no_record_in_its_crate(tmp_path: Path) -> None:
    content = render(runs_of(going_on(tmp_path), "now"))
    assert not [name for name in content if name.startswith("records/")]
    assert entities(content)["#run-now"]["actionStatus"].endswith("/ActiveActionStatus")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a b/ü", "file:///a%20b/%C3%BC"),
        ("/a\udcff#?%", "file:///a%FF%23%3F%25"),
        ("/a\ud800", "file:///a%ED%A0%80"),
    ],
)
def test_uris_of_unusual_paths(path: str, expected: str) -> None:
    assert uri(path) == expected


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("docker://ghcr.io/org/image:1", ("ghcr.io", "org/image", "1")),
        ("ubuntu", ("docker.io", "ubuntu", None)),
        ("localhost:5000/x@sha256:aa", ("localhost:5000", "x", None)),
        ("/opt/x.sif", ("file", "/opt/x.sif", None)),
        ("", ("docker.io", "", None)),
    ],
)
def test_parts_of_image_names(image: str, expected: tuple[str, str, str | None]) -> None:
    assert _parts(image) == expected
