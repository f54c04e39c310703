"""`hpcprov dictionary` and `hpcprov annotate`: what a person sees, and what stays when data is moved or made again."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import openpyxl
import pytest
from merge.build import Launch, publish
from quality.dictionary.made import dictionary, hostile

import hpcprov
from commands.conftest import Call
from hpcprov import signature
from hpcprov.commands.dictionary_page import lines
from hpcprov.commands.screen import Screen
from hpcprov.data.attributes import read_attributes
from hpcprov.quality.statistics import counting
from hpcprov.record.layout import Store
from hpcprov.signature import snapshot
from hpcprov.signature.artifact import describe

DEPTH = np.array([[0.0, 1.5], [np.nan, 3.25]], "f4")


@pytest.fixture
def flood(store: Store) -> str:
    """A file with attributes in the working directory, which has a store."""
    make("flood.h5", DEPTH)
    return "flood.h5"


def make(path: str, depth: Any) -> None:
    with h5py.File(path, "w") as file:
        file["depth"], file["id"] = depth, np.array([3, 1, 1], "i4")
        file["depth"].attrs.update(units="m", long_name="depth of the flood")
        file.attrs["title"] = "A flood"


def described(call: Call, path: str, *words: str) -> dict[str, Any]:
    status, out, err = call("dictionary", path, "--json", *words)
    assert (status, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    return found


def held(path: str) -> dict[str, Any]:
    """The same without statistics and runs, in this process."""
    return hpcprov.dictionary(path, stats=False).document


def test_text(call: Call, flood: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    status, out, err = call("dictionary", flood)
    assert (status, err) == (0, "")
    shown = out.splitlines()
    assert shown[0].startswith("flood.h5  hdf5, 2 fields, ")
    assert "  description    A flood" in shown and "  statistics     counted 20" in out
    assert "depth  f4    2 x 2  m      depth of the flood" in shown
    assert "depth  0    3.25  1.58333  1.32811   1        1      3         0" in shown
    assert "  values         1 (2); 3 (1)" in shown
    signature = re.search(r"hpcprov1:[0-9a-f]{64}$", out, re.MULTILINE)  # in one piece, to be copied
    assert signature and max(len(line) for line in shown if signature[0] not in line) <= 80


def test_no_values_are_read_without_statistics(call: Call, flood: str) -> None:
    found = described(call, flood, "--no-stats")
    assert found["dataset"]["signature"] is None and found["fields"][0]["min"] is None
    assert found["fields"][0]["units"] == "m" and found["dataset"]["statistics"] is None


def test_what_was_counted_once_is_not_read_again(
    call: Call, flood: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "SETTLED_NS", -(10**12))  # a file that was just written is not kept as known
    describe(flood, cache_dir=store.cache, statistics=counting)
    found = described(call, flood, "--no-stats")
    assert found["dataset"]["statistics"].startswith("counted before")
    assert found["fields"][0]["max"] == 3.25 and found["dataset"]["signature"] == signature(flood).digest


def test_which_run_made_it(call: Call, flood: str, store: Store) -> None:
    facts = describe(flood)
    made = Launch().start(name="spin-up").exit()
    made.add("artifact", 11, role="generated", path=os.path.abspath(flood), declared=[flood], **facts)
    publish(store, "first", made)
    found = described(call, flood)
    assert found["dataset"]["run"]["id"] == "first" and found["dataset"]["run"]["how"] == "made it"
    assert found["fields"][0]["defined"] == "derived"
    shutil.copy(flood, "copy.h5")
    assert described(call, "copy.h5")["dataset"]["run"]["how"] == "made the same values elsewhere"
    make(flood, DEPTH + 1)
    assert "others by now" in described(call, flood)["dataset"]["run"]["how"]


def test_words_for_single_cells(call: Call, flood: str) -> None:
    before = signature(flood).digest
    words = ("--field", "/depth/", "--units", "cm", "--tag", "wet", "--tag", "deep")
    assert call("annotate", flood, *words)[0] == 0
    assert call("annotate", flood, "--description", "The flood of 1999")[0] == 0
    assert call("annotate", flood, "--field", "depth", "--untag", "wet")[0] == 0
    found = held(flood)
    depth = found["fields"][0]
    assert (depth["units"], depth["tags"], depth["annotated"]["units"]) == ("cm", ["deep"], "m")
    assert found["dataset"]["description"] == "The flood of 1999" and found["annotations"]["version"] == 3
    assert "(the file says: m)" in call("dictionary", flood, "--no-stats")[1]
    status, out, _ = call("annotate", flood, "--list")
    assert status == 0 and "version 3, found by its path and values" in out and "The flood of 1999" in out
    assert call("annotate", flood, "--field", "depth", "--units", "m")[0] == 0
    assert "units" not in held(flood)["fields"][0]["annotated"]
    assert signature(flood).digest == before


def test_data_that_is_moved_or_made_again_keeps_its_words(call: Call, flood: str) -> None:
    assert call("annotate", flood, "--field", "depth", "--units", "cm")[0] == 0
    os.makedirs("results")
    os.rename(flood, "results/old.h5")
    moved = described(call, "results/old.h5")
    assert moved["fields"][0]["units"] == "cm" and moved["annotations"]["by"] == "values"
    make(flood, DEPTH * 2)
    status, out, _ = call("dictionary", flood)
    assert status == 0 and "  cm  " in out and "written when this path had other values" in out


def test_a_workbook_goes_out_and_comes_back(call: Call, flood: str) -> None:
    assert call("dictionary", flood, "-o", "d.xlsx")[0] == 0
    assert call("annotate", flood, "--from", "d.xlsx") == (0, "nothing new: all is as it was written\n", "")
    edit("d.xlsx", {("Fields", 2, "Units"): "cm", ("Fields", 3, "Description"): "who", ("Dataset", "tags"): "a, b"})
    status, out, _ = call("annotate", flood, "--from", "d.xlsx")
    assert status == 0 and out.startswith("3 cells written to ")
    found = held(flood)
    assert [found["fields"][0]["units"], found["fields"][1]["description"], found["dataset"]["tags"]] == [
        "cm", "who", ["a", "b"],
    ]  # fmt: skip
    assert call("annotate", flood, "--from", "d.xlsx")[1].startswith("nothing new")


def edit(path: str, changes: dict[Any, str]) -> None:
    book = openpyxl.load_workbook(path)
    titles = {one.value: one.column for one in book["Fields"][1]}
    for where, text in changes.items():
        if where[0] == "Dataset":
            row = next(row for row in book["Dataset"].iter_rows() if row[0].value == where[1])
            row[1].value = text
        else:
            book["Fields"].cell(where[1], titles[where[2]]).value = text
    book.save(path)


def test_a_conflict_is_shown_and_nothing_is_written(call: Call, flood: str) -> None:
    assert call("dictionary", flood, "-o", "d.xlsx")[0] == 0
    assert call("annotate", flood, "--field", "depth", "--units", "inch")[0] == 0
    edit("d.xlsx", {("Fields", 2, "Units"): "cm", ("Fields", 3, "Description"): "who"})
    status, out, _ = call("annotate", flood, "--from", "d.xlsx")
    assert status == 1 and out.startswith("1 cell changed in the sheet, and by others since it was made; nothing was")
    assert out.splitlines()[2].split()[:4] == ["depth", "units", "cm", "inch"]
    assert held(flood)["annotations"]["version"] == 1
    status, out, _ = call("annotate", flood, "--from", "d.xlsx", "--json")
    assert status == 1 and json.loads(out)["conflicts"][0]["store"] == "inch" and json.loads(out)["written"] == []
    assert call("annotate", flood, "--from", "d.xlsx", "--take", "store")[0] == 0
    found = held(flood)["fields"]
    assert found[0]["units"] == "inch" and found[1]["description"] == "who"
    assert call("annotate", flood, "--from", "d.xlsx", "--take", "sheet")[0] == 0
    assert held(flood)["fields"][0]["units"] == "cm"


def test_what_is_written_travels_in_the_file(call: Call, flood: str, tmp_path: Path) -> None:
    before = signature(flood).digest
    assert call("annotate", flood, "--field", "depth", "--units", "cm", "--description", "wet\nand deep")[0] == 0
    status, out, err = call("annotate", flood, "--embed")
    assert (status, err) == (0, "") and out.splitlines()[1].startswith("2 attributes written into")
    own = read_attributes(flood).fields["depth"]
    assert (own["units"], own["description"]) == ("cm", "wet\nand deep")
    assert signature(flood).digest == before
    assert "already" in call("annotate", flood, "--embed")[1]
    elsewhere = tmp_path / "away"
    elsewhere.mkdir()
    shutil.copy(flood, elsewhere / "f.h5")
    shutil.rmtree(".hpcprov/annotations")
    assert held(str(elsewhere / "f.h5"))["fields"][0]["units"] == "cm"


def test_what_has_no_place_for_attributes_is_refused_and_kept(call: Call, store: Store) -> None:
    Path("t.csv").write_text("id,amount\n1,2.5\n2,3.5\n")
    status, _, err = call("annotate", "t.csv", "--field", "amount", "--units", "EUR", "--embed")
    assert status == 2 and "CSV has no place for attributes" in err and "kept beside the data" in err
    assert held("t.csv")["fields"][1]["units"] == "EUR"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["annotate", "flood.h5"], "nothing to write"),
        (["annotate", "flood.h5", "--units", "m"], "--units is said of a field"),
        (["annotate", "flood.h5", "--field", "dept", "--units", "m"], "it has 'depth'"),
        (["annotate", "flood.h5", "--field", "depth", "--units", "a\nb"], "several lines"),
        (["annotate", "flood.h5", "--tag", "a,b"], "is no tag"),
        (["annotate", "flood.h5", "--take", "sheet", "--tag", "a"], "--take goes with --from"),
        (["annotate", "flood.h5", "--from", "none.xlsx"], "No such file"),
        (["annotate", "flood.h5", "--from", "flood.h5"], "neither XLSX nor text"),
        (["annotate", "flood.h5", "--list", "--embed"], "--list only shows"),
        (["annotate", "nothing.h5", "--list"], "cannot be read"),
        (["dictionary", "nothing.h5"], "cannot be read"),
        (["dictionary", "plain.txt"], "a plain file: it has no fields"),
        (["dictionary", "broken.h5"], "broken.h5"),
        (["dictionary", "flood.h5", "-o", "x.doc"], "does not say its format"),
        (["dictionary", "flood.h5", "--no-stats", "-o", "flood.h5", "--format", "csv"], "is what is read"),
    ],
)
def test_bad_usage(call: Call, flood: str, words: list[str], told: str) -> None:
    Path("plain.txt").write_bytes(b"\0\1\2")
    Path("broken.h5").write_bytes(Path(flood).read_bytes()[:900])
    status, out, err = call(*words)
    assert (status, out) == (2, "") and told in err


def test_a_sheet_of_other_data(call: Call, flood: str) -> None:
    Path("d.csv").write_text("name,units\nwind,m\n")
    status, _, err = call("annotate", flood, "--from", "d.csv")
    assert status == 2 and "no field of it is in" in err and "'wind' (line 2)" in err
    Path("d.csv").write_text("name,units,remark\nwind,m,x\ndepth,cm,\n")
    status, out, err = call("annotate", flood, "--from", "d.csv")
    assert status == 0 and "left out: 'wind' (line 2)" in err and "remark" in err and "1 cell written" in out


def test_a_terminal_is_not_attacked() -> None:
    for width in (40, 80, 200):
        shown = list(lines(hostile(), Screen(colour=False, width=width)))
        assert all(line.isprintable() for line in shown)
        assert width < 80 or max(len(line) for line in shown if "hpcprov1:" not in line) <= width


def test_a_narrow_terminal_has_a_line_for_each_fact() -> None:
    shown = list(lines(dictionary(), Screen(colour=False, width=50)))
    assert "depth" in shown and "  units          m" in shown and "  missing        3" in shown


def test_data_that_cannot_be_signed_can_be_written_about(call: Call, store: Store) -> None:
    with h5py.File("fill.h5", "w") as file:
        file.create_dataset("x", shape=(1 << 40,), dtype="f8", chunks=(1 << 16,))
    status, _, err = call("dictionary", "fill.h5")
    assert status == 2 and "too many fill values" in err and "--no-stats" in err
    status, _, err = call("annotate", "fill.h5", "--field", "x", "--units", "m")
    assert status == 0 and "found by its path only" in err
    assert held("fill.h5")["fields"][0]["units"] == "m"
