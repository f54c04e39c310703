"""`hpcprov.Record`: a typed view of a record, and its card in notebooks."""

from __future__ import annotations

import copy
import html.parser
import json
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

import hpcprov
from hpcprov.record.errors import BadRecord
from tests.merge.build import Launch, sealed
from tests.tracking.conftest import Going

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m\u202e\udcff\"'&"


@pytest.fixture
def record(tmp_path: Path) -> dict[str, Any]:
    launch = Launch(size=2).start(0).start(1).exit(0).exit(1, code=2).agent().fact("host", {"cpus": 4})
    signature: dict[str, Any] = {"digest": "hpcprov1:" + "a" * 64, "how": "full", "kind": "tree"}
    field = {"path": "u", "type": "f8", "shape": [3], "tile": [3], "signature": "hpcprov1:" + "b" * 64, "bytes": 24}
    launch.add(
        "artifact", 11, role="generated", path="/data/out.h5", state="ok", signature=signature | {"fields": [field]}
    )
    launch.add("artifact", 11, role="used", path="/data/in.nc", state="missing", reason="it does not exist")
    entry = {"id": 1, "name": "smooth", "began": 10**18, "ended": 10**18 + 5, "duration": 5, "used": ["/data/in.nc"]}
    launch.add("step", 5, rank=0, pid=7, entries=[entry])
    launch.write(tmp_path)
    return sealed(str(tmp_path))


def test_what_it_tells(record: dict[str, Any]) -> None:
    view = hpcprov.Record(record)
    assert (view.id, view.name, view.note, view.status, view.ranks) == ("r1", "spin", "why not", "failed", 2)
    assert view.cause is not None and "status 2" in view.cause
    assert (view.argv, view.cwd, dict(view.tags)) == (("./model", "-v"), "/data", {"case": "b1"})
    assert view.start is not None and view.start.tzinfo is UTC
    assert view.end is not None and (view.end - view.start).total_seconds() == view.duration_s == 10
    assert [one.path for one in view.artifacts] == ["/data/in.nc", "/data/out.h5"]
    (used,), (made,) = view.inputs, view.outputs
    assert (used.state, used.reason, used.signature, dict(used.fields)) == ("missing", "it does not exist", None, {})
    assert (made.signature, dict(made.fields)) == ("hpcprov1:" + "a" * 64, {"u": "hpcprov1:" + "b" * 64})
    (step,) = view.steps
    assert (step.name, step.status, step.used, step.parent) == ("smooth", "completed", ("/data/in.nc",), None)
    assert view.fact("host")["cpus"] == 4
    assert dict(view.fact("nothing")) == {}


def test_it_is_read_only(record: dict[str, Any]) -> None:
    view = hpcprov.Record(record)
    before = copy.deepcopy(record)
    view.json["run"]["id"] = "other"
    for changed in (view.tags, view.outputs[0].fields, view.environment):
        with pytest.raises(TypeError):
            changed["x"] = "y"  # type: ignore[index]
    with pytest.raises(AttributeError):
        view.id = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        view.outputs[0].path = "other"  # type: ignore[misc]
    assert record == before


def test_what_is_no_record_is_refused(record: dict[str, Any], tmp_path: Path) -> None:
    del record["ranks"]
    for wrong in (record, {}, {"run": 7}):
        with pytest.raises(BadRecord):
            hpcprov.Record(wrong)


def test_it_is_loaded_from_a_file_or_directory(record: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text(json.dumps(record))
    assert hpcprov.Record.load(tmp_path) == hpcprov.Record.load(tmp_path / "record.json") == hpcprov.Record(record)


def test_records_that_are_poor_can_be_looked_at(tmp_path: Path) -> None:
    Launch().add("beat", 1, node="n1").write(tmp_path)
    view = hpcprov.Record(sealed(str(tmp_path)))
    assert (view.start, view.duration_s, view.argv, view.steps) == (None, None, None, ())
    assert "incomplete" in view._repr_html_()


class Page(html.parser.HTMLParser):
    """Tags, attributes and text of a piece of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_its_card_is_small_and_self_contained(record: dict[str, Any]) -> None:
    card = hpcprov.Record(record)._repr_html_()
    page = Page(card)
    assert len(card) < 8000
    assert "script" not in page.tags
    assert not page.attributes & {"src", "href", "onclick"}
    for text in ("spin", "failed", "in.nc", "smooth", "missing: it does not exist"):
        assert text in page.text


def test_nothing_in_a_record_can_become_markup(record: dict[str, Any]) -> None:
    def spoilt(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: spoilt(item) for key, item in value.items()}
        return [spoilt(item) for item in value] if isinstance(value, list) else value

    for path in ("id", "name", "note", "status"):
        record["run"][path] = HOSTILE
    record["run"] |= {"argv": [HOSTILE], "tags": {HOSTILE: HOSTILE}, "cause": {"text": HOSTILE}}
    record["artifacts"]["used"][0] |= {"path": HOSTILE, "reason": HOSTILE, "format": HOSTILE}
    record["artifacts"]["generated"][0]["signature"]["digest"] = HOSTILE
    record["steps"][0] |= {"name": HOSTILE, "error": HOSTILE}
    record["problems"] = [{"text": HOSTILE, "ranks": [], "node": None}]
    card = hpcprov.Record(record)._repr_html_()
    page = Page(card)
    assert {"script", "img"} & set(page.tags) == set()
    assert "onerror" not in page.attributes
    assert "\x1b" not in card and "\u202e" not in card
    card.encode()


def test_many_artifacts_and_steps_are_cut(record: dict[str, Any]) -> None:
    record["artifacts"]["used"] = [record["artifacts"]["used"][0] | {"path": f"/f{k}"} for k in range(5000)]
    record["steps"] = [record["steps"][0] | {"id": k + 1, "parent": k or None} for k in range(5000)]
    assert len(hpcprov.Record(record)._repr_html_()) < 30_000


def test_a_notebook_shows_it(record: dict[str, Any]) -> None:
    formatters = pytest.importorskip("IPython.core.formatters")
    shown, _ = formatters.DisplayFormatter().format(hpcprov.Record(record))
    assert set(shown) == {"text/plain", "text/html"}
    assert shown["text/plain"] == "<hpcprov record r1 'spin': failed, 1 input, 1 output, 1 step>"


def test_steps_of_a_run_that_goes_on(going: Going) -> None:
    with hpcprov.run("x"):
        view = hpcprov.Record(going.record(over=False))
    assert (view.status, view.steps[0].status) == ("running", "running")
