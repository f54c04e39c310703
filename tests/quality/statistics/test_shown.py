"""Statistics on the way to people and records: what the border lets through, `hpcprov hash --stats`, a run's record."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hpcprov.commands import hash as command
from hpcprov.commands.screen import Screen
from hpcprov.commands.statistics_table import lines
from hpcprov.data.opened import opened
from hpcprov.quality.statistics import statistics_of
from hpcprov.record import event
from hpcprov.record.canonical import canonical
from hpcprov.record.statistics import is_statistics, short, spread
from hpcprov.signature.isolated import Refused, sound
from tests.agent.conftest import Site
from tests.record_check import check_record
from tests.require import require

SOUND: dict[str, Any] = {"count": 3, "missing": 0, "min": 1.5, "max": "inf", "values": [[1.5, 1]], "order": "none"}
EVIL = "\x1b[31m<script>\n=1+1"


@pytest.mark.parametrize(
    "values",
    [
        np.array([2**64 - 1], "u8"), np.array([-(2**63)]), np.array([1e20, -1e308]), np.array([np.inf, np.nan]),
        np.array(["x" * 5000]), np.array(["2026-11-21"], "M8[ns]"), np.array([True]), np.array([1j]), np.zeros((0,)),
        np.zeros(2, "V5"), np.zeros((2, 3), [("a", "f4")]),
    ],
)  # fmt: skip
def test_what_is_counted_passes_the_border_also_as_a_record_has_it(values: Any) -> None:
    (found,) = statistics_of(opened(values)).values()
    assert is_statistics(found)
    assert is_statistics(json.loads(canonical(found))) and json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize(
    "change",
    [
        {"count": -1}, {"count": True}, {"missing": "3"}, {"min": float("nan")}, {"max": [1]}, {"max": 10**40},
        {"mean": "inf"}, {"std": float("inf")}, {"order": "upwards"}, {"order": ["none"]}, {"values": [[1, 2]] * 21},
        {"values": [[1]]}, {"values": [[{}, 1]]}, {"values": {}}, {"uncounted": {"distinct": 5}}, {"min": "x" * 2000},
        {"uncounted": []}, {"distinct": 1.5}, {"min_length": -3},
    ],
)  # fmt: skip
def test_what_is_no_statistics_does_not(change: dict[str, Any]) -> None:
    assert is_statistics(SOUND) and not is_statistics({**SOUND, **change})
    field = {"path": "x", "type": "f8", "shape": [3], "tile": [4], "signature": "hpcprov1:" + "0" * 64, "bytes": 24}
    assert event.is_field(field | {"statistics": SOUND}) and not event.is_field(field | {"statistics": SOUND | change})
    facts = {
        "state": "ok", "reason": None, "format": "npy", "size": 1, "files": None, "mtime": 1, "storage": None,
        "unsigned": None,
        "signature": {"digest": "x", "how": "full", "kind": "tree", "fields": [field | {"statistics": SOUND | change}]},
    }  # fmt: skip
    with pytest.raises(Refused):
        sound(facts)


@pytest.mark.parametrize("value", [None, [], 3, "x"])
def test_statistics_are_an_object(value: Any) -> None:
    assert not is_statistics(value)


def test_a_list_says_the_range_in_few_words() -> None:
    assert spread(SOUND | {"missing": 1200}) == "1.5 to inf, 1,200 missing"
    assert spread(None) == spread({}) == "" and spread({"missing": 2}) == "2 missing"
    assert (short(True), short(1 / 3), short("x" * 99)) == ("true", "0.333333", "x" * 23 + "…")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    depth = np.linspace(0, 9, 24 * 60 * 90, dtype="f4").reshape(24, 60, 90)
    depth[:, :4] = -9999
    with h5py.File(tmp_path / "flood.nc", "w") as file:
        file["depth"], file["lat"], file["none"] = depth, np.arange(60) * 0.5, h5py.Empty("f4")
        file["depth"].attrs["_FillValue"] = np.float32(-9999)
        file[EVIL.replace("/", "")] = np.array([EVIL.encode()])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def hashed(*words: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(words))


def test_a_table_follows_the_signatures(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hashed("--stats", "flood.nc") == 0
    shown = capsys.readouterr().out.splitlines()
    table = shown[-5:]
    assert [line.split()[0][:7] for line in table] == ["field", r"\x1b[31", "depth", "lat", "none"]
    assert max(map(len, table)) <= 80 and "8640" in table[2] and table[3].endswith("rises by 0.5")
    assert hashed("--stats", "--json", "flood.nc") == 0
    (facts,) = json.loads(capsys.readouterr().out)
    counted = {field["path"]: field["statistics"] for field in facts["signature"]["fields"]}
    assert counted["depth"]["missing"] == 24 * 4 * 90 and counted["none"]["count"] == 0
    assert hashed("--json", "flood.nc") == 0
    assert "statistics" not in capsys.readouterr().out


def test_names_and_values_are_cut_to_the_screen() -> None:
    field = {"path": "n" * 90, "type": "struct(" + "x" * 50, "shape": [10**9] * 5, "statistics": SOUND | {"max": EVIL}}
    found = list(lines([field], Screen(colour=False, width=80)))
    assert max(map(len, found)) <= 80 and "\x1b" not in "".join(found) and len(found) == 2


def test_a_table_of_many_columns_with_bad_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"=c{at}\u202e<b>" for at in range(300)]
    pq.write_table(pa.table({name: pa.array([at, None]) for at, name in enumerate(names)}), tmp_path / "t.parquet")
    assert hashed("--stats", str(tmp_path / "t.parquet")) == 0
    shown = capsys.readouterr().out
    assert "\u202e" not in shown and shown.count("\n") == 3 + 300 + 301


def test_a_run_that_asks_for_statistics_records_them(tmp_path: Path) -> None:
    site = Site(tmp_path)
    (tmp_path / ".hpcprov").mkdir()
    save = "import numpy; numpy.save('o.npy', numpy.array([1e20, 2**63, -5.5, numpy.inf, numpy.nan]))"
    record = site.run("--stats", "--output", "o.npy", "--", sys.executable, "-c", save)
    (made,) = record["artifacts"]["generated"]
    (field,) = made["signature"]["fields"]
    assert (field["statistics"]["missing"], field["statistics"]["infinite"]) == (1, 1)
    assert field["statistics"]["min"] == -5.5 and field["statistics"]["max"] == "inf"
    check_record(record)
    assert "-5.5 to inf, 1 missing" in site.call(site.launcher, "show", "last").stdout
    assert "-5.5 to inf, 1 missing" in site.call(site.launcher, "report", "last", "--format", "text").stdout


@pytest.mark.mpi
def test_two_ranks_count_what_one_counts(tmp_path: Path) -> None:
    mpiexec = Path(sys.executable).with_name("mpiexec")
    require("mpi", os.access(mpiexec, os.X_OK))
    values = np.random.default_rng(1).normal(size=(160, 256, 256)).astype("f4")
    values[5] = np.nan
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=values, chunks=(40, 64, 64))
        file["line"] = np.random.default_rng(2).integers(0, 10**6, 2_000_000)
    command = [sys.executable, "-m", "hpcprov", "hash", "--stats", "--json", "--no-cache", "a.h5"]
    root = str(Path(__file__).parents[3])
    found = [
        subprocess.run(
            [*before, *command], cwd=tmp_path, env=os.environ | {"PYTHONPATH": root}, capture_output=True, check=True,
            timeout=120,
        ).stdout
        for before in ([], [str(mpiexec), "-n", "2"])
    ]  # fmt: skip
    assert found[0] == found[1] and json.loads(found[0])[0]["signature"]["fields"][1]["statistics"]["missing"] == 65536


PEAK = """
import re, sys
from hpcprov.data import mapping
from hpcprov.data.open import open_data
from hpcprov.quality.statistics import statistics_of
mapping.allow()
with open_data(sys.argv[1]) as data:
    found = statistics_of(data, threads=2)[""]
print(found["distinct"], re.search("VmHWM:\\\\s+(\\\\d+) kB", open("/proc/self/status").read())[1])
"""


@pytest.mark.slow
def test_memory_is_bounded_also_for_the_longest_column_that_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "long.npy"
    np.save(path, np.random.default_rng(3).permutation(1 << 24) * 0.5)
    done = subprocess.run([sys.executable, "-c", PEAK, path], check=True, capture_output=True, text=True, timeout=120)
    distinct, peak = map(int, done.stdout.split())
    assert distinct == 1 << 24 and peak < 300 << 10
