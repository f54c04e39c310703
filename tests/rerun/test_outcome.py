"""The verdict on each output of a rerun, and on the whole."""

from __future__ import annotations

from typing import Any

import pytest

from hpcprov.rerun import outcome
from tests.rerun.test_plan import NEW, artifact, make, record

A, B = "a" * 64, "b" * 64


def signed(path: str, digest: str | None, storage: str | None = None, **known: Any) -> dict[str, Any]:
    field = {"path": "u", "type": "f8", "shape": [1], "tile": [1], "signature": f"hpcprov1:{digest}", "bytes": 8}
    signature = {"digest": f"hpcprov1:{digest}", "kind": "tree", "fields": [field]} if digest else None
    stored = {"digest": f"blake3:{storage}"} if storage else None
    return artifact(path, signature=signature, storage=stored, **known)


def compared(status: str) -> list[dict[str, Any]]:
    return [{"path": "u", "status": status, "differing": 1, "outside": 0}]


CASES: list[tuple[str, dict[str, Any], dict[str, Any] | None, list[dict[str, Any]] | None, str]] = [
    ("values", signed("x", A, A), signed("x", A, B), None, "reproduced"),
    ("bytes", signed("x", None, A), signed("x", None, A), None, "reproduced"),
    ("other bytes", signed("x", None, A), signed("x", None, B), None, "different"),
    ("within", signed("x", A, A), signed("x", B, B), compared("within"), "within tolerance"),
    ("as numbers", signed("x", A, A), signed("x", B, B), compared("same"), "within tolerance"),
    ("outside", signed("x", A, A), signed("x", B, B), compared("different"), "different"),
    ("a field less", signed("x", A, A), signed("x", B, B), compared("missing"), "different"),
    ("a field more", signed("x", A, A), signed("x", B, B), compared("new"), "different"),
    ("not comparable", signed("x", A, A), signed("x", B, B), None, "different"),
    ("gone", signed("x", A, A), None, None, "missing"),
    ("not hashed", signed("x", None, reason="later"), signed("x", A, A), None, "not known"),
    ("not hashed now", signed("x", A, A), signed("x", None, reason="time"), None, "not known"),
]


@pytest.mark.parametrize(
    ("right", "mine", "values", "status"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_an_output(right: Any, mine: Any, values: Any, status: str) -> None:
    told, again = record(), record()
    told["artifacts"]["generated"] = [right | {"path": "/runs/one/x"}]
    again["artifacts"]["generated"] = [mine | {"path": f"{NEW}/x"}] if mine else []
    (found,) = outcome.compare(make(told, NEW), again, lambda one, other: values)
    assert (found["path"], found["status"]) == ("x", status) and found["reason"]


def test_what_only_the_rerun_made_is_new() -> None:
    again = record()
    again["artifacts"]["generated"] = [signed(f"{NEW}/extra", A, A)]
    watched = {"how": "preload", "programs": [], "code": [], "software": []}
    before = record() | {"observation": watched}
    (found,) = outcome.compare(make(before, NEW), again, lambda one, other: None)
    assert found["status"] == "new" and "original's directory" not in found["reason"]
    (found,) = outcome.compare(make(record(), NEW), again, lambda one, other: None)
    assert found["status"] == "not known" and "was not observed" in found["reason"]


def test_what_was_written_to_the_original_s_directory_is_said() -> None:
    again = record()
    again["artifacts"]["generated"] = [signed("/runs/one/extra", A, A)]
    (found,) = outcome.compare(make(record(), NEW), again, lambda one, other: None)
    assert found["status"] == "new" and "original's directory" in found["reason"]


@pytest.mark.parametrize(
    ("statuses", "ended", "word"),
    [
        ([], "completed", "reproduced"),
        ([], "failed", "different"),
        (["reproduced", "within tolerance"], "completed", "within tolerance"),
        (["reproduced", "missing"], "completed", "different"),
        (["reproduced", "new"], "completed", "different"),
        (["not known", "reproduced"], "completed", "not known"),
    ],
)
def test_the_whole(statuses: list[str], ended: str, word: str) -> None:
    assert outcome.verdict([{"status": one} for one in statuses], ended=ended, before="completed") == word
