"""`hpcprov diff`: exit status, tolerances, formats, directories, pages; and data that is out to harm."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from commands.conftest import Call
from hpcprov.commands.diff_page import grown, moved
from hpcprov.report.assets import environment

pytest.importorskip("h5py")
pytest.importorskip("zarr")

HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m\n\u202e"


@pytest.fixture
def pair(store: object) -> tuple[str, str]:
    """Two HDF5 files in the working directory: a field with two cells different, one with other attributes."""
    import h5py

    values = np.random.default_rng(1).random((8, 30, 40))
    other = values.copy()
    other[5, 6, 7] += 0.25
    other[7, 8, 9] = np.nextafter(other[7, 8, 9], 2)
    for name, u in (("a.h5", values), ("b.h5", other)):
        with h5py.File(name, "w") as file:
            file.create_dataset("ocean/u", data=u, chunks=(2, 30, 40)).attrs["units"] = name
            file["t"] = np.arange(8.0)
    return "a.h5", "b.h5"


def test_what_differs_is_told_on_eighty_columns(pair: tuple[str, str], call: Call) -> None:
    status, out, err = call("diff", *pair)
    assert status == 1 and err == ""
    assert "different: 2 fields: 1 same, 1 different" in out
    assert re.search(r"ocean/u +2 +9,600 +\[5, 6, 7\] +0\.25 ", out) and "[5, 6, 7]: 0." in out
    assert "ocean/u@units: a.h5 -> b.h5" in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--atol", "0.25"], 0),
        (["--rtol", "1e9", "--strict"], 1),
        (["--field", "t", "--strict"], 0),
        (["--ulp", "1", "--field", "ocean/*"], 1),
        (["--field", "t=nothing"], 2),
        (["--atol", "-1"], 2),
        (["--rtol", "nan"], 2),
        (["--ulp", "1.5"], 2),
        (["--key", "t"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_exit_status(pair: tuple[str, str], call: Call, words: list[str], expected: int) -> None:
    status, _, err = call("diff", *pair, *words)
    assert status == expected and bool(err) == (expected == 2)


def test_a_file_equals_itself_and_what_is_not_there_is_an_error(pair: tuple[str, str], call: Call) -> None:
    status, out, _ = call("diff", "a.h5", "a.h5")
    assert status == 0 and out.splitlines()[2].startswith("equal: 2 fields")
    status, _, err = call("diff", "a.h5", "none.h5")
    assert status == 2 and "none.h5: there is no such file" in err


def test_json_and_preserved_versions(pair: tuple[str, str], call: Call) -> None:
    status, out, _ = call("diff", *pair, "--json", "--preserve", "out.zarr")
    found = json.loads(out)
    assert status == 1 and found["preserved"]["fields"] == ["ocean/u"] and os.path.isdir("out.zarr/ocean/u-2")
    assert found["fields"][0]["differing"] == 2 and found["fields"][0]["ulps"]["at"] == [5, 6, 7]
    status, _, err = call("diff", *pair, "--preserve", "out.tiff")
    assert status == 2 and "arrays are written as" in err


def test_directories_are_compared_file_by_file(pair: tuple[str, str], call: Call) -> None:
    import zarr

    for name in ("one", "two"):
        os.mkdir(name)
        zarr.create_group(f"{name}/s.zarr").create_array("x", data=np.arange(5.0) + (name == "two"))
        np.save(f"{name}/same.npy", np.arange(3))
        np.save(f"{name}/{name}.npy", np.arange(3))
    Path("one/note.txt").write_text("a")
    Path("two/note.txt").write_text("b")
    status, out, _ = call("diff", "one", "two")
    assert status == 1
    lines = [line for line in out.splitlines() if not line.startswith(" ") and line]
    assert lines == [
        "note.txt  different",
        "one.npy  only in A",
        "s.zarr  different",
        "same.npy  equal",
        "two.npy  only in B",
    ]
    assert "    x" in out
    Path("two/same.npy").write_bytes(b"\x93NUMPY broken")
    status, out, _ = call("diff", "one", "two", "--json")
    assert status == 2 and [item["status"] for item in json.loads(out)] == [
        "different", "missing", "different", "unreadable", "new"
    ]  # fmt: skip
    assert call("diff", "one", "two", "-o", "x.html")[0] == 2


def test_known_signatures_are_used_and_not_with_no_cache(pair: tuple[str, str], call: Call) -> None:
    for name in pair:
        os.utime(name, (1e9, 1e9))
    code = "import hpcprov.signature.snapshot as s; s.SETTLED_NS = -10**15\n"
    code += "from hpcprov.signature.artifact import describe\n"
    code += "for p in 'ab': describe(p + '.h5', cache_dir='.hpcprov/cache', tiles_dir='.hpcprov/tiles')"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    _, out, _ = call("diff", *pair)
    assert "(signature known)" in out and "1 not read: equal signatures" in out
    _, out, _ = call("diff", *pair, "--no-cache")
    assert "signature" not in out


def test_hostile_names_and_values_do_no_harm(store: object, call: Call) -> None:
    import zarr

    for name, shift in (("a.zarr", 0), ("b.zarr", 1)):
        group = zarr.create_group(name)
        array = group.create_array(
            HOSTILE.replace("/", "").replace("\n", " "), data=np.arange(6.0).reshape(2, 3) + shift
        )
        array.attrs[HOSTILE] = f"{HOSTILE}{shift}"
        group.create_array("words", data=np.array([HOSTILE + str(shift)] * 2, dtype=np.dtypes.StringDType()))
    status, out, _ = call("diff", "a.zarr", "b.zarr", "-o", "page.html")
    assert status == 1 and "\x1b" not in out and "\u202e" not in out
    text = Path("page.html").read_text()
    assert "<img src=x" not in text and "\u202e" not in text and "&lt;img src=x" in text


@pytest.mark.slow
def test_an_interrupt_leaves_nothing(store: object) -> None:
    np.save("a.npy", np.zeros((6, 1 << 20)))
    np.save("b.npy", np.ones((6, 1 << 20)))
    words = [sys.executable, "-m", "hpcprov", "diff", "a.npy", "b.npy", "--preserve", "out.zarr", "--threads", "1"]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    while child.poll() is None and not any(name.startswith(".out.zarr") for name in os.listdir(".")):
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130 and (out, err) == (b"", b"")
    assert sorted(os.listdir(".")) == [".hpcprov", "a.npy", "b.npy"]


def test_names_of_fields_on_one_side_stand_in_a_column(store: object, call: Call) -> None:
    np.savez("a.npz", u=np.arange(3), temperature=np.arange(3))
    np.savez("b.npz", v=np.arange(4.0))
    told = call("diff", "a.npz", "b.npz")[1].splitlines()
    assert told[-3:] == ["temperature  only in A", "u            only in A", "v            only in B"]


def test_sentences() -> None:
    field = {"shape": [[100, 7], [120, 7]], "common": [100, 7], "differing": 0, "count": 700}
    assert grown(field) == "axis 0 grew 100 -> 120: the first 100 x 7 are equal"
    named = field | {"dimensions": ["time", "x"]}
    assert grown(named) == "axis 0 (time) grew 100 -> 120: the first 100 x 7 are equal"
    shift = {"kind": "shifted", "axis": 1, "by": -3, "runs": [[3, 0, 9]], "compared": 90, "differing": 2, "outside": 2}
    assert moved(shift, ["lat", "lon"]) == "shifted by -3 along axis 1 (lon); apart from that 2 of 90 values differ"


def test_a_page_that_cannot_be_written_is_refused_before_data_is_read(
    pair: tuple[str, str], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    status, out, err = call("diff", *pair, "-o", "d.html")
    assert (status, out) == (2, "") and "hpcprov[report]" in err
