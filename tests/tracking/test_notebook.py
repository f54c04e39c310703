"""A notebook in a real kernel: runs over one cell and over several, their cards, an interrupt, the notebook's name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hpcprov.rerun.plan import NotRunnable, make
from hpcprov.tracking import notebook

from .conftest import Place

# What a notebook's front end does: cells in order, and an interrupt of the last one once it is at work.
FRONT_END = """
import asyncio, json, os, pathlib
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

async def main(cells):
    pathlib.Path("analysis.ipynb").write_text("{}")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, startup_timeout=300, kernel_name="python3")
    named = os.environ | {"JPY_SESSION_NAME": os.path.abspath("analysis.ipynb")}
    async with client.async_setup_kernel(env=named):
        for number, cell in enumerate(notebook.cells[:-1]):
            await client.async_execute_cell(cell, number)
        last = asyncio.ensure_future(client.async_execute_cell(notebook.cells[-1], len(cells) - 1))
        while not os.path.exists("going") and not last.done():
            await asyncio.sleep(0.02)
        await client.km.interrupt_kernel()
        ended = None
        try:
            await last
        except CellExecutionError as error:
            ended = error.ename
    pathlib.Path("seen.json").write_text(json.dumps({"ended": ended, "cells": notebook.cells}))

asyncio.run(main(json.load(open("cells.json"))))
"""
CELLS = [
    "import pathlib, time\nimport hpcprov, numpy\n@hpcprov.track\ndef half(field):\n    return field / 2",
    "run = hpcprov.run('cells', outputs=['out.npy'], tags={'basin': '<b>Elbe</b>'})\nrun.__enter__()",
    "numpy.save('out.npy', half(numpy.arange(100.0)))",
    "run.__exit__(None, None, None)\nrun.record",
    "half(numpy.arange(50.0))\nNone",
    "with hpcprov.run() as run:\n    half(numpy.arange(10.0))\n    pathlib.Path('going').touch()\n    time.sleep(60)",
]


@pytest.mark.slow
def test_a_notebook(place: Place) -> None:
    (place.cwd / ".hpcprov").mkdir()
    (place.cwd / "cells.json").write_text(json.dumps(CELLS))
    home = dict.fromkeys(("HOME", "IPYTHONDIR", "JUPYTER_DATA_DIR"), str(place.cwd / "home"))
    program = [sys.executable, "-c", FRONT_END]
    done = subprocess.run(program, cwd=place.cwd, env=place.env | home, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    seen = json.loads((place.cwd / "seen.json").read_text())
    assert seen["ended"] == "KeyboardInterrupt", done.stderr
    cells, alone, interrupted = place.records(3)
    (card,) = (output["data"] for output in seen["cells"][3]["outputs"] if output["output_type"] == "execute_result")
    assert "cells" in card["text/plain"] and cells["run"]["id"] in card["text/html"]
    assert "&lt;b&gt;Elbe&lt;/b&gt;" in card["text/html"] and "out.npy" in card["text/html"]
    assert "<b>" not in card["text/html"]

    assert [one["run"]["name"] for one in (cells, alone, interrupted)] == ["cells", "analysis.ipynb", "analysis.ipynb"]
    path = str(place.cwd / "analysis.ipynb")
    assert cells["run"]["tags"] == {"basin": "<b>Elbe</b>", "notebook": path} and alone["run"]["tags"] == {
        "notebook": path
    }
    assert [(one["name"], one["parent"]) for one in cells["steps"]] == [("cells", None), ("half", 1)]
    assert cells["steps"][1]["code"] is not None and cells["steps"][1]["function"] == "__main__:half"
    assert [one["name"] for one in alone["steps"]] == ["half"] and alone["run"]["status"] == "completed"

    assert interrupted["run"]["status"] == "signalled" and interrupted["run"]["cause"]["name"] == "SIGINT"
    assert {one["name"]: one["error"] for one in interrupted["steps"]} == {"run": "KeyboardInterrupt", "half": None}

    with pytest.raises(NotRunnable, match="in a notebook") as error:
        make(cells, str(place.cwd / "again"))
    assert path in (error.value.hint or "")


def test_who_tells_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("served.ipynb", "edited.ipynb"):
        (tmp_path / name).touch()
    monkeypatch.delenv(notebook.SERVER, raising=False)
    assert notebook.find() is None and not notebook.is_kernel()
    monkeypatch.setattr(sys.modules["__main__"], notebook.EDITOR, str(tmp_path / "edited.ipynb"), raising=False)
    monkeypatch.setenv(notebook.SERVER, str(tmp_path / "console-1-77"))
    assert notebook.find() == str(tmp_path / "edited.ipynb")
    monkeypatch.setenv(notebook.SERVER, str(tmp_path / "served.ipynb"))
    assert notebook.find() == str(tmp_path / "served.ipynb")
    assert notebook.described(name=None, tags={}, hash="now") == {"name": None, "tags": {}, "hash": "now"}
