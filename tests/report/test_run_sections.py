"""The values of a run's page: what is computed from a record, section by section."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from hpcprov.report import (
    artifacts,
    ask,
    assets,
    code,
    counted,
    definitions,
    nodes,
    programs,
    sealing,
    software,
    steps,
    summary,
    told,
    trouble,
)
from hpcprov.report.curves import curves
from hpcprov.report.timeline import timeline
from report.rich import DIGEST, rich


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rich")


@pytest.fixture(scope="module")
def sealed(place: Path) -> dict[str, Any]:
    return rich(place)


@pytest.fixture
def record(sealed: dict[str, Any]) -> dict[str, Any]:
    """One to be changed."""
    return copy.deepcopy(sealed)


def of_ranks(count: int, **columns: list[Any]) -> dict[str, Any]:
    """The part of a record that the time line looks at: all ranks completed after 100 s."""
    second = 10**9
    usual: dict[str, list[Any]] = {
        "rank": list(range(count)),
        "state": ["completed"] * count,
        "start": [0] * count,
        "end": [100 * second] * count,
        "duration": [100 * second] * count,
        "maxrss": [1000] * count,
        "utime": [90.0] * count,
        "stime": [1.0] * count,
        "node": [0] * count,
        "code": [0] * count,
        "signal": [None] * count,
    }
    table = {"count": count, "missing": [], "columns": usual | columns}
    return {"ranks": table, "nodes": [{"node": "n0"}], "run": {"duration_s": 100.0}}


def test_the_head(record: dict[str, Any]) -> None:
    head = summary.heading(record)
    assert (head["title"], head["note"], head["tags"]) == ("solve", "Does it converge?", [("case", "b1")])
    assert head["status"] == {"word": "failed", "look": "bad", "sign": "✕"}
    assert head["lead"] == "Failed after 9.0 s: 3 ranks on 2 nodes, started by mpich."
    about = dict(summary.about(record))
    assert about["Command"] == "python solve.py" and about["Who"] == "ada (uid 1000, group climate)"
    assert about["Ended"] == record["run"]["cause"]["text"]
    assert about["When"].endswith(" UTC (9.0 s)") and about["Part of job"] == "slurm-alps-4711"


def test_what_is_not_known_of_a_run_is_said(record: dict[str, Any]) -> None:
    record["run"] |= {"argv": None, "name": None, "cwd": None, "start": None, "end": None, "last_heard": None}
    record["run"] |= {"duration_s": None, "user": {"uid": None, "gid": None, "name": None}, "cause": None}
    record["facts"] = {digest: {"kind": "x", "error": "gone"} for digest in record["facts"]}
    about = dict(summary.about(record))
    assert about["Who"] == about["Where"] == about["When"] == "unknown"
    assert summary.heading(record)["title"] == "r1"


def test_troubles_come_worst_first(record: dict[str, Any]) -> None:
    found = trouble.troubles(record, ["this record was CHANGED"])
    assert [one["look"] for one in found][:2] == ["bad", "bad"]
    texts = [one["text"] for one in found]
    assert texts[0] == "This record was CHANGED" and "rank 2 ended with status 7" in texts[1]
    assert "the disk is nearly full (rank 1)" in texts
    assert any("1 input or output has no signature: it is truncated." in text for text in texts)


def test_a_bar_for_each_of_few_ranks(record: dict[str, Any]) -> None:
    found = timeline(record)
    assert found is not None and found["bands"] == []
    assert [(one["label"], one["look"], one["text"]) for one in found["bars"]] == [
        ("0", "good", "completed after 8.0 s"),
        ("1", "good", "completed after 9.0 s"),
        ("2", "bad", "failed with status 7 after 5.0 s"),
    ]
    assert found["bars"][0]["x"] == 0 and found["bars"][1]["x"] + found["bars"][1]["width"] <= 1000
    assert [one["state"] for one in found["states"]] == ["failed", "completed"]


def test_many_ranks_are_bands_and_the_odd_ones_are_named() -> None:
    count, second = 10_000, 10**9
    end = [100 * second] * count
    end[1234] = 400 * second
    state = ["completed"] * count
    state[77] = state[78] = "signalled"
    record = of_ranks(
        count, end=end, duration=end, state=state, signal=[9 if s != "completed" else None for s in state]
    )
    found = timeline(record)
    assert found is not None and found["bars"] == [] and len(found["bands"]) == 64
    assert [one["label"] for one in found["bands"]][:2] == ["0-155", "156-311"]
    assert [one["bad"] for one in found["bands"]][:2] == [2, 0]
    assert found["states"][0]["ranks"] == "ranks 77-78"
    assert found["outliers"] == ["rank 1234 (6 min 40 s) took long; the middle of all is 1 min 40 s."]
    assert len(found["rows"]) == 64 and {77, 78, 1234} <= {row["rank"] for row in found["rows"]}
    late = next(one for one in found["bands"] if one["label"] == "1093-1249")
    assert late["light"]["width"] == 1000.0 and late["dark"]["width"] == 250.0


def test_an_end_that_is_not_known_reaches_to_the_end_of_the_picture() -> None:
    found = timeline(of_ranks(2, end=[10**11, None], duration=[10**11, None], state=["completed", "lost"]))
    assert found is not None
    assert [(one["width"], one["text"]) for one in found["bars"]] == [
        (1000.0, "completed after 1 min 40 s"),
        (1000.0, "lost"),
    ]


@pytest.mark.parametrize("wrong", [None, "x", [], [None] * 2, [float("nan")] * 2, [10**400, -(10**400)], ["a", {}]])
def test_columns_may_hold_anything(wrong: Any) -> None:
    record = of_ranks(2)
    for name in ("start", "end", "duration", "node", "code", "signal"):
        record["ranks"]["columns"][name] = wrong
    found = timeline(record)
    assert found is not None and len(found["bars"]) == 2


def test_no_ranks_no_time_line() -> None:
    assert timeline(of_ranks(0)) is None


def test_curves_of_few_nodes(record: dict[str, Any]) -> None:
    found = curves(record)
    assert found is not None and found["nodes"] == 2
    assert [one["label"] for one in found["panels"]] == [
        "Processor cores in use",
        "Memory",
        "Read from storage",
        "Written to storage",
    ]
    cores, memory = found["panels"][:2]
    assert cores["top"] == "1.5 cores" and memory["top"] == "3 MB"
    assert len(cores["lines"]) == 2 and not cores["area"]
    # The first amount came up before there was a sample: the curve begins at that sample, as a step.
    assert cores["lines"][0].split()[0] == f"{0.1 / 4.1 * 600:.1f},36.0"
    assert dict(found["totals"])["CPU time"] == "9.8 s"


def test_what_darshan_counted(record: dict[str, Any]) -> None:
    (log,) = counted.logs(record)
    assert log == {
        "log": "ada_solve.darshan",
        "files": 1,
        "read": 4_200_000,
        "written": 7,
        "processes": 3,
        "other": False,
    }


@pytest.mark.parametrize("count", [240, 100_000])  # as many as a sampler writes, and what nobody writes
def test_long_curves_are_drawn_whole(count: int) -> None:
    series = {"time": [k + 0.5 for k in range(count)], "cpu": [k % 7 / 10 for k in range(count)]}
    value = {"rss": 1, "series": series | {"rss": series["cpu"]}}
    record = {
        "nodes": [{"node": "n", "facts": {"resources": "d"}}],
        "facts": {"d": {"kind": "resources", "value": value}},
    }
    text = assets.environment().get_template("run_resources.html").render(curves=curves(record), darshan=[])
    drawn = re.findall(r'points="([^"]*)"', text)
    assert len(drawn) == 4 and all(re.fullmatch(r"[0-9., ]+", points) for points in drawn)
    assert max(map(len, drawn)) < 20_000


def test_curves_of_many_nodes_are_a_band() -> None:
    record: dict[str, Any] = {"nodes": [], "facts": {}}
    for k in range(50):
        value = {"rss": k, "series": {"time": [1.0, 2.0, 3.0], "rss": [k, k + 1, k], "cpu": [1, 1, 1]}}
        record["facts"][f"d{k}"] = {"kind": "resources", "value": value}
        record["nodes"].append({"node": f"n{k}", "facts": {"resources": f"d{k}"}})
    found = curves(record)
    assert found is not None
    (memory,) = [one for one in found["panels"] if one["label"] == "Memory"]
    assert (
        len(memory["lines"]) == 1
        and memory["text"] == "n49: at most 50 B; n48: at most 49 B; n47: at most 48 B; 47 more nodes below"
    )


@pytest.mark.parametrize(
    "series",
    [None, [], {"time": "x"}, {"time": [1, "a", None, 2], "rss": [1, 2]}, {"time": [1e400, -1], "rss": [1, 1]}],
)
def test_series_may_hold_anything(series: Any) -> None:
    value = {"cpu": "much", "rss": 5, "series": series}
    record = {
        "nodes": [{"node": "n", "facts": {"resources": "d"}}],
        "facts": {"d": {"kind": "resources", "value": value}},
    }
    found = curves(record)
    assert found is None or found["panels"] == []


def test_data(record: dict[str, Any]) -> None:
    (used,) = artifacts.artifacts(record, "used")["entries"]
    assert (used["path"], used["format"], used["size"], used["known"]) == ("in.nc", "hdf5", "4 MB", "declared as in.nc")
    assert [(one["path"], one["shape"]) for one in used["fields"]] == [("t2m", "721 × 1440"), ("time", "scalar")]
    (made,) = artifacts.artifacts(record, "generated")["entries"]
    assert made["state"] == "unreadable: it is truncated" and made["digest"] == ""


def test_of_much_data_most_is_counted_by_directory(record: dict[str, Any]) -> None:
    one = copy.deepcopy(record["artifacts"]["used"][0]) | {"declared": [], "signature": None, "size": 10}
    record["artifacts"]["used"] += [one | {"path": f"/data/d{k % 3}/f{k:06d}"} for k in range(20_000)]
    found = artifacts.artifacts(record, "used")
    assert found["count"] == 20_001 and len(found["entries"]) == 300 and found["cards"] == 1
    assert found["entries"][0]["path"] == "in.nc"
    assert sum(folder["count"] for folder in found["folders"]) == 20_001 - 300
    assert {folder["path"] for folder in found["folders"]} == {"d0", "d1", "d2"}


def test_nodes_and_job(record: dict[str, Any]) -> None:
    (host,) = nodes.hosts(record)
    assert host["nodes"] == "n0, n1"
    rows = dict(host["rows"])
    assert rows["Processor"] == "AMD EPYC 7763, 2 sockets, 128 cores, 256 threads"
    assert rows["Limits"] == "64 processors, 128 GB of memory" and rows["Fast network"] == "mlx5_0"
    assert nodes.devices(record) == ["4 × NVIDIA H100, driver 550.1"]
    assert dict(nodes.job(record))["Job"] == "4711"


def test_software_and_code(record: dict[str, Any]) -> None:
    found = software.software(record)
    assert [(one["name"], one["auto"]) for one in found["modules"]["loaded"]] == [("gcc/13.2", False), ("zlib/1", True)]
    assert found["packages"][0]["entries"] == ["h5py 3.12.1", "numpy 2.1.0"]
    assert found["libraries"]["rows"] == [("/opt/lib/libhdf5.so.310", f"build {'cd' * 20}")]
    (container,) = found["containers"]
    assert dict(container["rows"])["Digest"] == f"sha256:{DIGEST}"
    script, directory = code.code(record)["places"]
    assert (
        dict(script["rows"])["State"]
        == f"changed since the commit (sha256 of the diff {DIGEST}); 2 files are not tracked"
    )
    assert dict(directory["rows"])["Not known"] == "not a git repository"
    assert software.environment(record)["varying"] == ["SLURM_PROCID"]


def test_programs_are_nested(record: dict[str, Any]) -> None:
    found = programs.programs(record)
    assert found is not None
    assert [(one["depth"], one["command"], one["count"]) for one in found["rows"]] == [
        (0, "python solve.py", 2),
        (1, "mesh -x", 4),
    ]
    assert found["rows"][1]["end"] == "2 × SIGKILL" and found["rows"][1]["bad"]


def test_programs_in_a_ring_or_without_a_parent_are_shown(record: dict[str, Any]) -> None:
    rows = record["observation"]["programs"]
    rows[0]["parent"], rows[1]["parent"] = rows[1]["id"], 12345
    found = programs.programs(record)
    assert found is not None and len(found["rows"]) == 2


def test_steps() -> None:
    told_steps = [
        {
            "id": "1",
            "parent": None,
            "name": "all",
            "status": "failed",
            "duration_s": 2.5,
            "count": 1,
            "error": "ValueError",
        },
        {"id": "2", "parent": "1", "name": "load", "status": "completed", "parameters": {"n": 3}, "generated": ["/x"]},
    ]
    found = steps.steps({"steps": told_steps})
    assert found is not None
    assert [(row["depth"], row["name"], row["took"]) for row in found["rows"]] == [(0, "all", "2.5 s"), (1, "load", "")]
    assert found["rows"][1]["parameters"] == "n=3"
    assert steps.steps({}) is None


def test_definitions() -> None:
    inputs = [{"path": "/d/flood.h5", "field": "h"}, {"path": "", "field": "/mask"}, 7]
    told_of = [{"path": "/d/out.zarr/", "field": "g/depth", "expression": "h * mask", "inputs": inputs}, {"path": 3}]
    found = definitions.definitions({"definitions": told_of})
    assert found is not None
    assert found["rows"][0]["field"] == "out.zarr/g/depth"
    assert found["rows"][0]["inputs"] == "flood.h5/h, mask"
    assert (found["rows"][1]["expression"], found["more"]) == ("", 0)
    assert definitions.definitions({}) is None


def test_the_seal(record: dict[str, Any], place: Path, tmp_path: Path) -> None:
    assert sealing.seal(record, str(place))["state"] == "intact"
    assert "not at hand" in sealing.seal(record, None)["text"]
    assert sealing.seal(record, str(tmp_path))["doubts"][0].startswith("log ")  # an empty directory: logs are missing
    record["run"]["note"] = "all is well"
    found = sealing.seal(record, str(place))
    assert found["state"] == "changed" and "CHANGED" in found["doubts"][0]
    del record["seal"]
    assert sealing.seal(record, str(place))["state"] == "none"


def test_a_log_that_was_changed_is_named(tmp_path: Path) -> None:
    record = rich(tmp_path)
    log = tmp_path / "n0.70-300.0.log"
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(data)
    assert sealing.seal(record, str(tmp_path))["doubts"] == ["log n0.70-300.0.log has CHANGED since it was sealed"]


def test_commands_to_ask_further_can_be_pasted(record: dict[str, Any]) -> None:
    record["artifacts"]["used"][0]["path"] = "/data/two words; rm -rf x"
    commands = [command for command, _ in ask.ask(record)]
    assert "hpcprov lineage --down '/data/two words; rm -rf x'" in commands
    assert not any(command.startswith("hpcprov lineage /") for command in commands)  # no output could be hashed


@pytest.mark.parametrize("value", [None, "x", True, [], {}, float("nan"), float("inf"), 10**400])
def test_numbers_that_are_none(value: Any) -> None:
    assert told.took(value) == told.bytes_of(value) == "unknown"
