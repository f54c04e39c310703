"""The example of docs/data.md, in all four formats: what is derived, what it should be, and which two cells differ."""

from __future__ import annotations

import csv
import importlib.util
import itertools
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from hpcprov.data.open import open_data
from hpcprov.quality.constraints.discover import discover
from hpcprov.quality.constraints.file import parse
from hpcprov.quality.constraints.verify import verify
from hpcprov.quality.dictionary.api import dictionary
from hpcprov.quality.diff.files import diff_files
from hpcprov.quality.diff.options import Options
from tests.require import require

ROOT = Path(__file__).parents[2]
FORMATS = ("csv", "parquet", "h5", "zarr")
GAP = "days-since-prev"
NAN = float("nan")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables as the example writes them."""
    require("pyarrow", importlib.util.find_spec("pyarrow"))
    module, found = example(), tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(found)
        patch.setenv("HPCPROV", "off")  # or hpcprov.define makes a run of the tests' own process
        module.raw("trans.csv")
        module.derive("trans.csv", "derived")
        module.measures("derived.parquet", "measures.csv")
        module.variant("derived")
    return found


def example() -> ModuleType:
    path = ROOT / "workflows" / "transactions" / "transactions.py"
    spec = importlib.util.spec_from_file_location("transactions", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_measures(folder: Path) -> None:
    rows = list(csv.reader((folder / "measures.csv").read_text(encoding="utf-8").splitlines()))
    assert rows == [
        ["id", "count", "sum-amount", f"max-{GAP}"],
        ["1", "1", "1000.0", "nan"],
        ["2", "2", "33.33", "10.0"],
        ["3", "3", "369.99", "10.0"],
        ["4", "4", "4937.76", "10.0"],
    ]


def test_every_format_says_the_same(folder: Path) -> None:
    told = [dictionary(str(folder / f"derived.{form}")) for form in FORMATS]
    for name in ("id", "date", "categ", "amount", GAP):
        fields = [{**one[name], "chunks": None, "codec": None, "dimensions": None, "fill": None} for one in told]
        assert all(field == fields[0] for field in fields), name
    gap = told[0][GAP]
    assert (gap["missing"], gap["zeros"], gap["min"], gap["max"], gap["mean"]) == (4, 1, 0.0, 10.0, 40 / 6)
    assert told[0]["date"]["min"] == "2009-01-31" and told[0]["categ"]["values"] == [["A", 6], ["B", 4]]
    with open_data(str(folder / "derived.csv")) as data:
        values = {field.name: np.ma.getdata(field.read(((0, 10),))) for field in data.fields}[GAP]
    np.testing.assert_array_equal(values, [NAN, NAN, 10, NAN, 0, 10, NAN, 1, 9, 10])


@pytest.mark.parametrize(("one", "other"), list(itertools.product(FORMATS, FORMATS)))
def test_two_cells_differ(one: str, other: str, folder: Path) -> None:
    found = diff_files(str(folder / f"derived.{one}"), str(folder / f"derived-2.{other}"), Options())
    fields = (found["table"] or found)["fields"]
    assert {field["path"]: field["differing"] for field in fields if field["differing"]} == {"amount": 2}


@pytest.mark.parametrize("form", FORMATS)
def test_one_of_them_is_not_what_it_should_be(form: str, folder: Path) -> None:
    with open_data(str(folder / f"derived.{form}")) as data:
        raw: dict[str, Any] = {"fields": discover(data).fields}
        assert verify(data, parse(raw))["failures"] == 0
    for other in FORMATS:
        with open_data(str(folder / f"derived-2.{other}")) as data:
            found = verify(data, parse(raw))
        failed = [(field["path"], one) for field in found["fields"] for one in field["constraints"] if not one["ok"]]
        assert [(path, one["constraint"]) for path, one in failed] == [("amount", "min"), ("amount", "sign")]
