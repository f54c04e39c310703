"""Regular expressions of untrusted files, which may take for ever, and of texts."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest

from hpcprov.data.opened import opened
from hpcprov.quality.constraints import rex
from hpcprov.quality.constraints.file import parse
from hpcprov.quality.constraints.verify import verify

CATASTROPHE = ["(a+)+$"]


def of_text(texts: list[str], patterns: list[str]) -> dict[str, Any]:
    found = verify(opened(np.array(texts)), parse({"fields": {"": {"rex": patterns}}}), threads=2)
    one: dict[str, Any] = found["fields"][0]["constraints"][0]
    return one


def test_a_pattern_that_takes_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rex, "SECONDS", 0.1)
    begun = time.process_time()
    one = of_text(["b", "a" * 60 + "!"], CATASTROPHE)
    assert not one["ok"] and "kept a pattern busy" in one["reason"]
    assert time.process_time() - begun < 30


def test_many_texts_may_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rex, "SECONDS", 0.02)
    texts = [f"{at:06d}" for at in range(30_000)]
    assert of_text(texts, [f"x{at}" for at in range(30)] + [r"\d{6}"])["ok"]


def test_what_is_no_pattern_fails_and_says_why() -> None:
    one = of_text(["a"], ["a", "(b"])
    assert not one["ok"] and "no regular expression" in one["reason"]


def test_matching_is_that_of_tdda() -> None:
    assert of_text(["ab\n", "abc"], ["a.", "x"])["ok"]  # from the beginning, not to the end; . is any character
    assert of_text(["xab"], ["ab"])["places"] == [{"index": [0], "value": "xab"}]


def test_elsewhere_than_in_the_main_thread_it_is_checked_too() -> None:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(of_text(["a", "b"], ["a"])))
    thread.start()
    thread.join()
    assert found[0]["count"] == 1


def test_patterns_that_are_not_worth_having_are_left_out() -> None:
    pytest.importorskip("tdda")
    rng = np.random.default_rng(1)
    noise = ["".join(map(chr, rng.integers(33, 1000, rng.integers(1, 20)))) for _ in range(300)]
    assert rex.patterns_of(noise) is None
    assert rex.patterns_of(["x" * 500, "y"]) is None
    assert rex.patterns_of([]) == []
